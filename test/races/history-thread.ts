/** Operations on shared keys from several clients, recorded with the moments of call and return; on this thread, or on one attached to the cache. */
import { attachCache, CacheError, type Cache, type CacheDescriptor } from 'scatterhoard'
import { once } from 'node:events'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import type { Operation } from './linearizability.js'
import { randomOf } from './script.js'

/** The machine's own clock, the same on all threads to the nanosecond: a moment too early or too late is another history. */
function momentMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e3 + nanoseconds / 1e6
}

export interface HistoryRun {
  /** Names of the keys: their first letter says what they hold: `r`egister, `c`ounter, `l`ist. */
  readonly keys: readonly string[]
  readonly client: string
  /** Calls under way at a time, and how many each of them makes in all. */
  readonly lines: number
  readonly calls: number
  readonly seed: number
}

export interface Recorded extends Operation {
  readonly key: string
}

/** Runs the operations and records them. */
export async function recordOperations(cache: Cache<unknown>, { keys, client, lines, calls, seed }: HistoryRun): Promise<Recorded[]> {
  const random = randomOf(seed)
  const recorded: Recorded[] = []
  const line = async (number: number): Promise<void> => {
    for (let call = 0; call < calls; call++) {
      const key = keys[random(keys.length)]!
      const operation = chosen(key, random, `${client}${number}.${call}`)
      const start = momentMs()
      try {
        const result = await operation.run(cache)
        recorded.push({ key, client: `${client}${number}`, call: start, return: momentMs(), name: operation.name, argument: operation.argument, result })
      } catch (error) {
        if (!(error instanceof CacheError)) throw error
        // What has not happened is no part of the history.
        if (error.outcome === 'unknown') recorded.push({ key, client: `${client}${number}`, call: start, return: Infinity, name: operation.name, argument: operation.argument })
      }
    }
  }
  await Promise.all(Array.from({ length: lines }, (_, number) => line(number)))
  return recorded
}

function chosen(key: string, random: (below: number) => number, mark: string): Pick<Operation, 'name' | 'argument'> & { run(cache: Cache<unknown>): Promise<unknown> } {
  if (random(2) === 0) return { name: 'read', run: (cache) => cache.get(key) }
  switch (key[0]) {
    case 'r': return { name: 'write', argument: mark, run: (cache) => cache.put(key, mark) }
    case 'c': {
      const by = 1 + random(3)
      return { name: 'add', argument: by, run: (cache) => cache.incr(key, by) }
    }
    default: return { name: 'append', argument: mark, run: (cache) => cache.getAndUpdate(key, 'arithmetic.append', { args: [mark] }) }
  }
}

export interface HistoryThread {
  record(run: HistoryRun): Promise<Recorded[]>
  end(): Promise<void>
}

export async function startHistoryThread(cache: Cache<unknown>): Promise<HistoryThread> {
  const { descriptor, transfer } = cache.attachment()
  const worker = new Worker(new URL(import.meta.url), { workerData: { history: descriptor }, transferList: transfer })
  await once(worker, 'message')
  return {
    async record(run) {
      const recorded = once(worker, 'message') as Promise<[Recorded[]]>
      worker.postMessage(run)
      return (await recorded)[0]
    },
    async end() {
      const exited = once(worker, 'exit')
      worker.postMessage(undefined)
      await exited
    },
  }
}

const { history: descriptor } = (workerData ?? {}) as { history?: CacheDescriptor }
if (parentPort !== null && descriptor !== undefined) {
  const cache = await attachCache(descriptor)
  const port = parentPort
  port.on('message', (run: HistoryRun | undefined) => {
    if (run === undefined) port.close()
    else void recordOperations(cache, run).then((recorded) => port.postMessage(recorded))
  })
  port.postMessage('ready')
}
