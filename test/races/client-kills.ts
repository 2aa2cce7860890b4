/**
 * Worker threads of the application terminated at random moments while they send: asks and tells, short values and
 * values beyond the ring. What they had queued runs, their lanes are given back, nobody else notices, and memory does not grow.
 *
 *     node dist/test/races/client-kills.js --kills 200 --seed 1
 */
import { attachCache, startNode, type Cache, type CacheDescriptor, type CacheNode } from 'scatterhoard'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { Load } from './load.js'
import { MemoryWatch } from './memory-watch.js'
import { percentiles, randomOf, runScript, Violations, type Outcome } from './script.js'
import { numberOf, textOf } from './texts.js'
import { checkLeftovers, findShards, looksWhole, startCacheUnderFire } from './under-fire.js'

/**
 * The longest value of every other client is beyond the ring, which takes half of 64 KB at once. A tell behind such a one
 * waits on the client's thread and dies with it; without, what was told is in the ring, and runs.
 */
const MAX_TEXTS = [8000, 60_000] as const
const PAUSE_MS = 60
const KEYS = 16
/** Shared words of one client: how many messages it has queued, and how many were acknowledged, of each key. */
const WORDS = KEYS * 2

export interface ClientKills extends Record<string, number> {
  kills: number
  seed: number
}

interface Given {
  descriptor: CacheDescriptor
  owner: string
  seed: number
  maxText: number
  words: SharedArrayBuffer
}

const keyOf = (owner: string, index: number): string => `${owner}:${index}`

export async function clientKills({ kills, seed }: ClientKills): Promise<Outcome> {
  const random = randomOf(seed)
  const violations = new Violations()
  await using node = await startNode({ shardThreads: 2 })
  const cache = await startCacheUnderFire(node)
  const load = new Load(cache, 'main', seed + 1, new SharedArrayBuffer(4))
  // Before the load, which adds and removes entries too.
  const shards = await findShards(cache)
  load.start()
  const memory = new MemoryWatch()
  const gone: number[] = []
  for (let kill = 0; kill < kills; kill++) {
    const owner = `client${kill}`
    const maxText = MAX_TEXTS[kill % 2]!
    const client = await startClient(cache, owner, seed + kill, maxText)
    await sleep(random(PAUSE_MS + 1))
    const start = performance.now()
    await client.worker.terminate()
    await laneless(node, client.id, violations)
    gone.push(performance.now() - start)
    await checkClient(cache, owner, client.words, maxText, violations)
    memory.sample(kill / kills)
  }
  const own = await load.stop()
  for (const { id } of shards) looksWhole(node, id, violations)
  await checkLeftovers(node, cache, violations)
  memory.check(violations)
  violations.check(own.crashed === 0, () => `${own.crashed} asks of another thread failed`)
  return {
    figures: { kills, 'asks of the main thread meanwhile': own.acknowledged, 'until its lanes were given back': percentiles(gone), ...memory.figures() },
    violations: [...violations.list, ...own.violations],
  }
}

interface Client {
  worker: Worker
  id: number
  words: Int32Array
}

async function startClient(cache: Cache<unknown>, owner: string, seed: number, maxText: number): Promise<Client> {
  const { descriptor, transfer } = cache.attachment()
  const words = new SharedArrayBuffer(WORDS * 4)
  const given: { client: Given } = { client: { descriptor, owner, seed, maxText, words } }
  const worker = new Worker(new URL(import.meta.url), { workerData: given, transferList: transfer })
  await once(worker, 'message')
  return { worker, id: descriptor.node.client, words: new Int32Array(words) }
}

/** Resolves when nothing of the client is in the vault any more: then everything that it had queued has run. */
async function laneless(node: CacheNode, client: number, violations: Violations): Promise<void> {
  const until = performance.now() + 10_000
  const left = (): string[] => [...node.vault.snapshot().keys()].filter((name) => name.startsWith(`lane/${client}/`) || name.startsWith(`large/${client}/`))
  while (left().length > 0 && performance.now() < until) await sleep(2)
  violations.check(left().length === 0, () => `10 s after client ${client} died the vault holds ${left().join(', ')}`)
}

/** Each key holds the last value that was acknowledged, or one that was queued later; a counter what was queued, exactly. */
async function checkClient(cache: Cache<unknown>, owner: string, words: Int32Array, maxText: number, violations: Violations): Promise<void> {
  for (let index = 0; index < KEYS; index++) {
    const queued = Atomics.load(words, index * 2)
    const acknowledged = Atomics.load(words, index * 2 + 1)
    const key = keyOf(owner, index)
    const value = cache.getSync(key)
    try {
      const number = value === undefined ? 0 : typeof value === 'number' ? value : numberOf(key, value, maxText)
      // A message that was being sent when the thread died may have been queued and not counted.
      const isTold = index % 4 === 0 && maxText === MAX_TEXTS[0]
      const least = isTold ? queued : acknowledged
      violations.check(number >= least && number <= queued + 1, () => `${key} holds ${number}, and ${acknowledged} was acknowledged, ${queued} queued`)
    } catch (error) {
      violations.add(String(error))
    }
    await cache.del(key)
  }
}

/** The client: numbers upwards in every key; every fourth is a counter, and told. */
async function send(cache: Cache<unknown>, { owner, seed, maxText, words }: Given): Promise<void> {
  const counts = new Int32Array(words)
  const random = randomOf(seed)
  for (let index = 0; index < KEYS; index++) await cache.put(keyOf(owner, index), index % 4 === 0 ? 0 : textOf(keyOf(owner, index), 0, maxText))
  parentPort!.postMessage('sending')
  for (let round = 0; ; round++) {
    for (let burst = random(40); burst >= 0; burst--) {
      const index = random(KEYS)
      const key = keyOf(owner, index)
      if (index % 4 === 0) {
        if (cache.tell(['incr', key])) Atomics.add(counts, index * 2, 1)
      } else {
        const number = Atomics.load(counts, index * 2) + 1
        const stored = cache.put(key, textOf(key, number, maxText), { timeout: 60_000 })
        Atomics.store(counts, index * 2, number)
        void stored.then(() => Atomics.store(counts, index * 2 + 1, number))
      }
    }
    await (round % 3 === 0 ? cache.get(keyOf(owner, 1)) : sleep(random(2)))
  }
}

const { client: given } = (workerData ?? {}) as { client?: Given }
if (parentPort !== null && given !== undefined) await send(await attachCache(given.descriptor), given)
else await runScript(import.meta.url, { kills: 200, seed: 1 }, clientKills)
