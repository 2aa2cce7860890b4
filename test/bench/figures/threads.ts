/**
 * Two threads that read at the same time, the main thread and a worker with an attached handle, against one. Both are
 * counted over the same window, which begins when the worker is known to run. A second row counts in registers instead:
 * what two threads can reach here and now.
 */
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { GATE_BATCHES, GATE_BYTES, GATE_OPEN, countOneBatch, type ReadingThreadData, type Work } from '../children/reading-gate.js'
import { VALUE_BYTES, WALK_MASK, walkKeys } from '../data.js'
import { BATCH, rateAwaited } from '../measure.js'
import { compare, runRounds } from '../rounds.js'
import type { Figure } from '../setting.js'
import type { CacheUnderTest } from '../subject.js'

/** Below this, two threads that only count show that the second core was not free. */
const FREE_CORES_RATIO = 1.8

export const getFromTwoThreads: Figure = {
  name: 'get-two-threads',
  group: 'threads',
  async run(setting) {
    const cache = await setting.strings()
    const thread = await ReadingThread.start(cache)
    const batch = async (from: number): Promise<number> => {
      let sum = 0
      for (let i = from; i < from + BATCH; i++) sum += (await cache.get(walkKeys[i & WALK_MASK]!))?.length ?? 0
      return sum
    }
    const read = (ms: number): Promise<number> => rateAwaited(ms, VALUE_BYTES, batch)
    try {
      const results = await runRounds(
        [
          { name: 'two threads', slice: (ms) => thread.beside('read', BATCH, () => read(ms)) },
          { name: 'one thread', slice: read },
          { name: 'two threads counting', slice: (ms) => thread.beside('count', 1, () => count(ms)) },
          { name: 'one thread counting', slice: count },
        ],
        setting,
      )
      const rows = [
        compare(results, { figure: 'get from two threads at once', unit: 'op/s', ours: 'two threads', peer: 'one thread', target: { atLeast: 1.8 } }),
        compare(results, { figure: 'get from two threads at once: the machine', unit: 'op/s', ours: 'two threads counting', peer: 'one thread counting' }),
      ]
      if (rows[1]!.ratio! < FREE_CORES_RATIO) setting.note('get-two-threads: two cores were not free, see the row of the machine')
      return rows
    } finally {
      await thread.end()
    }
  },
}

/** Batches a second. */
function count(ms: number): number {
  let batches = 0
  const start = performance.now()
  let now = start
  while (now - start < ms) {
    countOneBatch()
    batches++
    now = performance.now()
  }
  return (batches / (now - start)) * 1000
}

class ReadingThread {
  readonly #worker: Worker
  readonly #words: Int32Array

  private constructor(worker: Worker, gate: SharedArrayBuffer) {
    this.#worker = worker
    this.#words = new Int32Array(gate)
  }

  static async start(cache: CacheUnderTest<string>): Promise<ReadingThread> {
    const gate = new SharedArrayBuffer(GATE_BYTES)
    const { descriptor, transfer } = cache.attachment()
    const workerData: ReadingThreadData = { descriptor, gate }
    const worker = new Worker(new URL('../children/reading-thread.js', import.meta.url), { workerData, transferList: [...transfer] })
    await once(worker, 'message')
    return new ReadingThread(worker, gate)
  }

  /** The operations a second of `here` and of the thread together, over the time that `here` takes. */
  async beside(work: Work, operationsOfBatch: number, here: () => number | Promise<number>): Promise<number> {
    const idle = once(this.#worker, 'message')
    idle.catch(() => undefined) // a thread that fails while `here` runs is heard of at the end
    const first = Atomics.load(this.#words, GATE_BATCHES)
    Atomics.store(this.#words, GATE_OPEN, 1)
    this.#worker.postMessage(work)
    while (Atomics.load(this.#words, GATE_BATCHES) === first) await Promise.race([turn(), idle])
    const before = Atomics.load(this.#words, GATE_BATCHES)
    const start = performance.now()
    const own = await here()
    const batches = (Atomics.load(this.#words, GATE_BATCHES) - before) | 0
    const seconds = (performance.now() - start) / 1000
    Atomics.store(this.#words, GATE_OPEN, 0)
    await idle
    return own + (batches * operationsOfBatch) / seconds
  }

  async end(): Promise<void> {
    const exited = once(this.#worker, 'exit')
    this.#worker.postMessage('end')
    await exited
  }
}
