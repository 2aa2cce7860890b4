/**
 * Shards killed again and again under load: the thread is terminated, or a function in the shard ends the process's
 * thread, or runs into its time limit. No acknowledged write may be missing, no ask unanswered, no read fail, no table be damaged.
 *
 *     node dist/test/races/shard-kills.js --kills 1000 --threads 2 --seed 1
 */
import { startNode, type Cache } from 'scatterhoard'
import { setTimeout as sleep } from 'node:timers/promises'
import { arithmetic } from './arithmetic.js'
import { Load } from './load.js'
import { startLoadThread } from './load-thread.js'
import { MemoryWatch } from './memory-watch.js'
import { median, percentiles, randomOf, runScript, Violations, type Outcome } from './script.js'
import { checkLeftovers, findShards, looksWhole, SHARDS, startCacheUnderFire } from './under-fire.js'

/** The longest pause between a shard that writes again and its next death. */
const PAUSE_MS = 50

export interface ShardKills extends Record<string, number> {
  kills: number
  /** Threads of the shards: with one, both die together. */
  threads: number
  seed: number
}

export async function shardKills({ kills, threads, seed }: ShardKills): Promise<Outcome> {
  const random = randomOf(seed)
  const violations = new Violations()
  await using node = await startNode({ shardThreads: threads })
  const cache = await startCacheUnderFire(node)
  const shards = await findShards(cache)
  const outage = new SharedArrayBuffer(4)
  const down = new Int32Array(outage)
  const thread = await startLoadThread(cache, seed + 1, outage)
  const load = new Load(cache, 'main', seed + 2, outage)
  load.start()
  const memory = new MemoryWatch()

  const took: number[] = []
  let verified = 0
  for (let kill = 0; kill < kills; kill++) {
    await sleep(random(PAUSE_MS + 1))
    const { id, probe } = shards[random(SHARDS)]!
    const choice = random(100)
    const start = performance.now()
    Atomics.store(down, 0, 1)
    let ended: Promise<string> | undefined
    if (choice < 80) {
      await node.kill(id)
      if (kill % 4 === 0 && looksWhole(node, id, violations)) verified++
    } else {
      ended = endByFunction(cache, probe, choice < 95 ? 'exit' : 'hang')
    }
    // Sent behind the death: the shard that answers it is the next one.
    await cache.put(probe, kill, { timeout: 30_000 }).catch((error: unknown) => violations.add(`a write after kill ${kill} failed with ${String(error)}`))
    Atomics.store(down, 0, 0)
    took.push(performance.now() - start)
    const end = await ended
    if (end !== undefined) violations.check(end === 'ERR_SHARD_CRASHED unknown' || end === 'ERR_FUNCTION_TIMEOUT none', () => `a function that ended its shard was answered with ${end}`)
    memory.sample(kill / kills)
  }

  const own = await load.stop()
  const others = await thread.stop()
  for (const { id } of shards) looksWhole(node, id, violations)
  await checkLeftovers(node, cache, violations)
  memory.check(violations)
  const crashed = own.crashed + others.crashed
  // Of each shard that died, at most the one message that it was working on.
  const mostCrashed = kills * (threads === 1 ? SHARDS : 1) * 2
  violations.check(crashed <= mostCrashed, () => `${crashed} asks failed as crashed in ${kills} deaths`)
  violations.check(own.readsInOutages > 0 && others.readsInOutages > 0, () => 'nothing was read while a shard was down')
  return {
    figures: {
      kills, asks: own.asks + others.asks, acknowledged: own.acknowledged + others.acknowledged, crashed, timedOut: own.timedOut + others.timedOut,
      reads: own.reads + others.reads, readsInOutages: own.readsInOutages + others.readsInOutages, 'tables verified between': verified,
      'until it writes again': percentiles(took), 'median ms': Math.round(median(took)), ...memory.figures(),
    },
    violations: [...violations.list, ...own.violations, ...others.violations],
  }
}

/** How the function was answered: its error's code and outcome. */
function endByFunction(cache: Cache<unknown>, key: string, name: 'exit' | 'hang'): Promise<string> {
  return cache.getAndUpdate(key, arithmetic[name], { functionTimeout: 20, timeout: 30_000 }).then(
    () => 'a value',
    (error: unknown) => `${String((error as { code?: unknown }).code)} ${String((error as { outcome?: unknown }).outcome)}`,
  )
}

await runScript(import.meta.url, { kills: 1000, threads: 2, seed: 1 }, shardKills)
