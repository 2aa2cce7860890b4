/**
 * A worker thread that works while a gate is open, for figures that need two threads at once. Its module says `'idle'` when
 * it is ready and after each piece of work, and ends when it is told `'end'`.
 */
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { Worker, type Transferable } from 'node:worker_threads'
import { GATE_BATCHES, GATE_BYTES, GATE_OPEN, type Work } from './gate.js'

export interface GatedThreadData<T> {
  readonly gate: SharedArrayBuffer
  readonly given: T
}

export interface Beside {
  /** What the main thread measured. */
  readonly here: number
  /** Batches a second of the other thread in the same time. */
  readonly batches: number
}

export class GatedThread {
  readonly #worker: Worker
  readonly #gate: Int32Array

  private constructor(worker: Worker, gate: SharedArrayBuffer) {
    this.#worker = worker
    this.#gate = new Int32Array(gate)
  }

  /** Resolves when the module has said that it is ready. */
  static async start(module: URL, given: unknown, transferList: readonly Transferable[] = []): Promise<GatedThread> {
    const gate = new SharedArrayBuffer(GATE_BYTES)
    const workerData: GatedThreadData<unknown> = { gate, given }
    const worker = new Worker(module, { workerData, transferList: [...transferList] })
    await once(worker, 'message')
    return new GatedThread(worker, gate)
  }

  /** Measures here while the thread works; the window begins when the thread has done its first batch, and lasts as long as `here`. */
  async beside(work: Work, here: () => number | Promise<number>): Promise<Beside> {
    const idle = once(this.#worker, 'message')
    idle.catch(() => undefined) // a thread that fails while `here` runs is heard of at the end
    const first = Atomics.load(this.#gate, GATE_BATCHES)
    Atomics.store(this.#gate, GATE_OPEN, 1)
    this.#worker.postMessage(work)
    while (Atomics.load(this.#gate, GATE_BATCHES) === first) await Promise.race([turn(), idle])
    const before = Atomics.load(this.#gate, GATE_BATCHES)
    const start = performance.now()
    const measured = await here()
    const batches = (Atomics.load(this.#gate, GATE_BATCHES) - before) | 0
    const seconds = (performance.now() - start) / 1000
    Atomics.store(this.#gate, GATE_OPEN, 0)
    await idle
    return { here: measured, batches: batches / seconds }
  }

  async end(): Promise<void> {
    const exited = once(this.#worker, 'exit')
    this.#worker.postMessage('end')
    await exited
  }
}
