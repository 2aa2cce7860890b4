/**
 * A host as the system thread sees it: a place for one thread, started when its first actor starts and again
 * after it died. What died with a thread ended by one and the same `ThreadDeath`.
 */
import { MessageChannel, type MessagePort, type Transferable } from 'node:worker_threads'
import type { HostKind } from '../actor.js'
import { monotonicMs, type NodeClock } from '../clock.js'
import { CacheError } from '../errors.js'
import { prepareHost, runHost } from '../host/host.js'
import { FUNCTION_DUE, ORDERS, WATCHED, type ActorReport, type HostStart, type Order, type Report } from '../host/protocol.js'
import { Bell } from '../mailbox/bell.js'
import { Thread } from '../threads.js'
import type { SpareThreads } from './spare-threads.js'

/** How a host's thread ended. */
export class ThreadDeath {
  readonly error: Error
  /** It was killed because a function ran over its time limit. */
  readonly functionTimeout: boolean

  constructor(error: Error, functionTimeout: boolean) {
    this.error = error
    this.functionTimeout = functionTimeout
  }
}

export interface HostSlotOptions {
  id: string
  kind: HostKind
  heapMb: number | undefined
  node: string
  clock: NodeClock
  names: SharedArrayBuffer
  bell: SharedArrayBuffer
  words: SharedArrayBuffer
  /** Makes the host's own client known to the system; called at each start of its thread. */
  connectClient(): HostStart['client']
  onReport(report: ActorReport): void
  /** A thread in reserve, for hosts without a memory limit of their own. */
  spare: SpareThreads
  /** The thread died; its client is gone. */
  onDeath(death: ThreadDeath, client: number): void
}

/** How often a host is looked at for a function over its limit, in milliseconds, while it runs functions. */
const FUNCTION_CHECK_MS = 50

const HOST_ENTRY = new URL('../host/host.js', import.meta.url)

export function createHostThread(heapMb?: number): Thread {
  return new Thread({ entry: HOST_ENTRY, name: 'runHost', heapMb })
}

export class HostSlot {
  readonly id: string
  readonly kind: HostKind
  readonly bell: SharedArrayBuffer
  /** Ids of the actors that run, start or stop here. */
  readonly actors = new Set<string>()
  readonly #options: HostSlotOptions
  readonly #words: Int32Array
  readonly #bell: Bell
  #thread: Thread | undefined
  #port: MessagePort | undefined
  #death: Promise<ThreadDeath> | undefined
  #functionTimer: NodeJS.Timeout | undefined
  #killedFor: 'functionTimeout' | undefined
  #client = 0
  #closed = false
  /** How the thread before the one that runs ended, for what it left unfinished. */
  lastDeath: ThreadDeath | undefined

  constructor(options: HostSlotOptions) {
    this.id = options.id
    this.kind = options.kind
    this.bell = options.bell
    this.#options = options
    this.#words = new Int32Array(options.words)
    this.#bell = new Bell(options.bell)
  }

  get running(): boolean {
    return this.#port !== undefined
  }

  /** Boots the thread and loads modules there, so that threads of actors that start one after the other do so beside each other. */
  prepare(modules: readonly string[]): void {
    const { kind, heapMb } = this.#options
    if (kind === 'system') return void prepareHost(modules)
    if (this.running) return
    this.#thread ??= createHostThread(heapMb)
    void this.#thread.prepare('prepareHost', modules)
  }

  /** Starts the thread if it is not running. Returns the promise of its end. */
  ensureRunning(): Promise<ThreadDeath> {
    if (this.#death !== undefined) return this.#death
    const { id, kind, node, clock, names, bell, words, heapMb } = this.#options
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    port1.on('message', (report: Report) => {
      if (report.report === 'functionRuns') this.watchFunctions()
      else this.#options.onReport(report)
    })
    this.#clearFunction()
    const client = this.#options.connectClient()
    this.#client = client.id
    const start: HostStart = { id, kind: kind === 'blocking' ? 'blocking' : 'evented', node, port: port2, bell, words, clock: clock.buffer, names, client }
    if (kind === 'system') {
      // Runs in this very thread, by the same loop.
      void runHost(start)
      this.#death = new Promise(() => undefined)
      return this.#death
    }
    this.#thread ??= createHostThread(heapMb)
    this.#death = this.#thread.run(start, [port2, client.control]).then(({ error }) => this.#died(error ?? new Error('the host returned')))
    return this.#death
  }

  /** Sends an order. Lost if the thread is not running: every start sends everything anew. */
  order(order: Order, moved: readonly Transferable[] = []): void {
    if (this.#port === undefined) return
    this.#port.postMessage(order, moved)
    Atomics.add(this.#words, ORDERS, 1)
    this.#bell.ring()
  }

  /**
   * While functions run there, the host is looked at now and then, so that it need not report each of them. When none does, the
   * timer ends, and the next one is reported again.
   */
  watchFunctions(): void {
    this.#functionTimer ??= setInterval(() => {
      const due = Atomics.load(this.#words, FUNCTION_DUE)
      if (due === 0) this.#rest()
      else if (((due - (monotonicMs() | 0)) | 0) <= 0 && this.#killedFor === undefined) {
        this.#killedFor = 'functionTimeout'
        void this.kill()
      }
    }, FUNCTION_CHECK_MS).unref()
  }

  #rest(): void {
    Atomics.store(this.#words, WATCHED, 0)
    // One that began meanwhile has either seen that it has to report, or is seen here.
    if (Atomics.load(this.#words, FUNCTION_DUE) !== 0) Atomics.store(this.#words, WATCHED, 1)
    else this.#endWatch()
  }

  #endWatch(): void {
    clearInterval(this.#functionTimer)
    this.#functionTimer = undefined
  }

  /** What a thread that is gone left in its words would be taken for the next one's. */
  #clearFunction(): void {
    this.#endWatch()
    Atomics.store(this.#words, FUNCTION_DUE, 0)
    Atomics.store(this.#words, WATCHED, 0)
  }

  async kill(): Promise<void> {
    if (this.#options.kind === 'system') throw new CacheError('ERR_INVALID_ARGUMENT', 'the system thread is killed by its node, not by itself')
    const death = this.#death
    if (death === undefined) return
    await this.#thread?.kill()
    // Nobody may start anything on it before the death is in the books.
    await death
  }

  /** Ends the thread for good. */
  async close(): Promise<void> {
    this.#closed = true
    this.#endWatch()
    this.order({ order: 'exit' })
    await this.#thread?.close()
    this.#port?.close()
    this.#port = undefined
  }

  #died(error: Error): ThreadDeath {
    // If the function ended before the kill came, the thread died over something else, which may have been carried out.
    const death = new ThreadDeath(error, this.#killedFor === 'functionTimeout' && Atomics.load(this.#words, FUNCTION_DUE) !== 0)
    this.#clearFunction()
    this.#killedFor = undefined
    this.lastDeath = death
    this.#port?.close()
    this.#port = undefined
    this.#death = undefined
    // A place that was closed is nothing to keep in reserve.
    if (!this.#closed && this.#thread !== undefined && this.#options.heapMb === undefined) this.#thread = this.#options.spare.exchange(this.#thread)
    this.#options.onDeath(death, this.#client)
    return death
  }
}
