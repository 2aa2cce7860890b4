/**
 * Worker threads, through Piscina; its only importer.
 *
 * A `Thread` is a place for one worker: it runs one entry function, tells when the worker died, and can run the
 * entry again, on a worker that Piscina started the moment the old one died. Three facts about Piscina shape it:
 * `minThreads: 0` would leave tasks queued for ever after a crash, so there is always one worker; a worker that
 * dies while it boots ends the pool's willingness to replace it, so then the pool is replaced; and a task that
 * never returns keeps the thread that started it alive, so only threads that live inside another worker run one.
 */
import { createRequire } from 'node:module'
import { types } from 'node:util'
import type { Piscina } from 'piscina'
import { describeError, reviveError } from './errors.js'
import type { Transferable, Worker } from 'node:worker_threads'

/**
 * Piscina, loaded with the first thread that is started. A module of functions imports the whole package on the threads of the
 * shards, which start none, and how soon a shard is there again is for the most part how much its thread has to load.
 */
function piscina(): typeof Piscina {
  return (require('piscina') as typeof import('piscina')).Piscina
}

const require = createRequire(import.meta.url)

const THREAD_ENTRY = new URL('./thread-entry.cjs', import.meta.url).href

/**
 * Limit of a worker's young generation, in MiB. A worker at its heap limit is given 16 MiB more in which to end, and one that
 * needs more takes the whole process with it. A collection of the young generation may need a third of that generation, which is
 * 32 MiB in V8's default since Node 24.
 */
const YOUNG_MB = 48

export interface ThreadOptions {
  /** The compiled module that the worker loads. */
  entry: URL
  /** The exported function that it runs. */
  name: string
  /** Limit of the worker's old generation, in MiB. Default: V8's. */
  heapMb?: number | undefined
}

/** How a run of the entry ended. */
export interface ThreadEnd {
  /** What the entry returned; only if `error` is undefined. */
  result?: unknown
  /** Why the worker died, or what the entry threw. */
  error?: Error
}

export class Thread {
  readonly #options: ThreadOptions
  #pool: Piscina
  #closed = false
  /** Resolves with the reason when the worker of the last run has died, also after the run ended. */
  death: Promise<Error> = new Promise(() => undefined)

  constructor(options: ThreadOptions) {
    this.#options = options
    this.#pool = this.#createPool()
  }

  /** Runs the entry with `data`. Resolves when it returned or its worker died; never rejects. */
  async run(data: unknown, transfer: readonly Transferable[] = []): Promise<ThreadEnd> {
    let worker = this.#worker()
    if (worker === undefined && !this.#closed) {
      // The replacement died while it booted.
      await this.#pool.destroy()
      if (!this.#isClosed()) this.#pool = this.#createPool()
      worker = this.#worker()
    }
    if (this.#isClosed()) return { error: new Error('the thread was closed') }
    const died = this.#died()
    this.death = died
    const left = new AbortController()
    const task = this.#pool.run(this.#task(this.#options.name, data), { transferList: [...transfer] as never, signal: left.signal })
    return Promise.race([
      task.then((result: unknown) => ({ result }), async (thrown: unknown) => {
        // An entry that threw may have left something running on its worker.
        await worker?.terminate()
        return { error: asError(thrown) }
      }),
      died.then((error) => {
        // If its worker died before the task was there, it must not run on the next one.
        left.abort()
        return { error }
      }),
    ])
  }

  /**
   * Runs another function of the entry beforehand, for what it leaves loaded. What fails there is left to the run that needs it.
   * Resolves with whether it went well.
   */
  async prepare(name: string, data: unknown): Promise<boolean> {
    return this.#pool.run(this.#task(name, data)).then(() => true, () => false)
  }

  #task(name: string, data: unknown): { module: string; name: string; data: unknown } {
    return { module: this.#options.entry.href, name, data }
  }

  #died(): Promise<Error> {
    const worker = this.#worker()
    if (worker === undefined) return Promise.resolve(new Error('the worker thread died while it started'))
    return new Promise((resolve) => {
      let failure: Error | undefined
      worker.once('error', (error) => (failure = asError(error)))
      // `exit` comes last; an error that Piscina reports as the task's is the better reason and comes first.
      worker.once('exit', (code) => setImmediate(() => resolve(failure ?? new Error(`the worker thread ended with exit code ${code}`))))
    })
  }

  /** Kills the worker, wherever it is. */
  async kill(): Promise<void> {
    await this.#worker()?.terminate()
  }

  /** Ends the worker for good. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#pool.destroy()
  }

  #isClosed(): boolean {
    return this.#closed
  }

  #worker(): Worker | undefined {
    return this.#pool.threads[0]
  }

  #createPool(): Piscina {
    const { heapMb } = this.#options
    const pool = new (piscina())({
      filename: THREAD_ENTRY,
      name: 'run',
      minThreads: 1,
      maxThreads: 1,
      idleTimeout: Infinity,
      atomics: 'disabled',
      recordTiming: false,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB, ...(heapMb === undefined ? {} : { maxOldGenerationSizeMb: heapMb }) },
    })
    // An error without a task: `died` reports it; without a listener it would end the process.
    pool.on('error', () => undefined)
    return pool
  }
}

/**
 * A real error. Node hands a worker's uncaught error over as an object that has `Error.prototype` and is no error: cloned once
 * more, it would arrive as `{}`.
 */
function asError(thrown: unknown): Error {
  if (!(thrown instanceof Error)) return new Error(String(thrown))
  return types.isNativeError(thrown) ? thrown : reviveError(describeError(thrown))
}
