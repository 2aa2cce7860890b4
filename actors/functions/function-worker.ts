/**
 * A thread of the function pool: an actor on an evented thread of its own that runs users' functions, many at a time, and answers each
 * call when its function is through.
 *
 * It takes no more calls than it has slots for; the others wait in its mailbox. What it has taken is in a journal in shared memory. When
 * the thread dies, by a function that blocks it or fills its memory, the next one finds there which calls were under way: if only
 * one was at work, that one was the cause and fails; otherwise each is made again by its caller, alone, and the cause shows itself.
 */
import { defineRawActor, type ActorContext } from '../../runtime/actor.js'
import { deadlineMsWord, monotonicMs, nowMsWord } from '../../runtime/clock.js'
import { CacheError, reviveError } from '../../runtime/errors.js'
import { functionNamed, loadFunctions, type AnyFunction } from '../../runtime/functions.js'
import type { Host, HostContext } from '../../runtime/host/host.js'
import { fail, reply } from '../../runtime/host/hosted-actor.js'
import type { Deferral } from '../../runtime/mailbox/deferral.js'
import type { Inlet } from '../../runtime/mailbox/inlet.js'
import { STATUS } from '../../runtime/mailbox/lane.js'
import type { Cache } from '../cache.js'
import { CacheDirectory } from '../cache-directory.js'
import { CALL_STATE, FunctionJournal, type LeftCall } from './function-journal.js'
import type { WorkerArguments } from './function-pool.js'
import { LimitedCall, type FunctionPlace } from './function-run.js'
import { FunctionSlots, type SlotUser } from './function-slots.js'
import { readCall, type ArrivedCall, type CallHeader, type LostCall } from './function-wire.js'
import { guardPoolThread } from './pool-thread.js'

/** How long past the time of a function the thread may not answer before it is taken to be blocked, in milliseconds: timers run late. */
const BLOCKED_MS = 500

/** Added to the word that callers choose a thread by while a call is to run alone. */
const ALONE_LOAD = 1 << 20

class PoolCall extends LimitedCall implements SlotUser {
  holdsSlot = false
  /** When its time is up, in monotonic milliseconds; `Infinity` until its function begins. */
  dueMs = Infinity
  readonly isAlone: boolean
  readonly entry: number
  readonly deferral: Deferral
  readonly #worker: FunctionWorker
  #waits = 0

  constructor(worker: FunctionWorker, isAlone: boolean, entry: number, deferral: Deferral) {
    super()
    this.#worker = worker
    this.isAlone = isAlone
    this.entry = entry
    this.deferral = deferral
  }

  get waiting(): boolean {
    return this.#waits > 0
  }

  async wait<T>(promise: Promise<T>): Promise<T> {
    if (this.over) return promise
    if (this.#waits++ === 0) this.#worker.pause(this)
    try {
      return await promise
    } finally {
      if (--this.#waits === 0) await this.#worker.resume(this)
    }
  }
}

export class FunctionWorker implements FunctionPlace {
  readonly #host: Host
  readonly #node: string
  readonly #directory: CacheDirectory
  readonly #journal: FunctionJournal
  /** 0: how much there is to do here, for callers that choose a thread. */
  readonly #load: Int32Array
  readonly #slots: FunctionSlots
  /** Calls at work. */
  readonly #running = new Set<PoolCall>()
  readonly #loaded = new Set<string>()
  /** The earliest of the times that are up next; the thread is killed if it is blocked by then. */
  #dueMs = Infinity
  #calls = 0
  /** Waits until nothing runs beside it. */
  #next: { readonly call: PoolCall; readonly arrived: ArrivedCall } | undefined
  readonly #death: HostContext['death']

  constructor(context: ActorContext & HostContext, { concurrency }: WorkerArguments) {
    this.#host = context.host
    this.#node = context.node
    this.#death = context.death
    this.#directory = new CacheDirectory(context.host.client, true)
    this.#journal = new FunctionJournal(context.buffers['journal']!)
    this.#load = new Int32Array(context.buffers['load']!)
    this.#slots = new FunctionSlots(concurrency, () => this.#slotIsFree())
    this.#noteLoad(0)
  }

  get accepts(): boolean {
    return this.#next === undefined && this.#slots.isFree && !this.#journal.isFull
  }

  /** Tells the callers of a predecessor what became of their calls. */
  takeUp(inletOf: (client: number) => Inlet | undefined): void {
    const left = this.#journal.takeUp()
    const atWork = left.filter(({ state }) => state === CALL_STATE.runs).length
    for (const call of left) {
      const inlet = inletOf(call.client)
      inlet?.adoptDeferred()
      const deferral = inlet?.deferral(call.seq, true)
      if (deferral !== undefined) this.#tellLost(deferral, call, atWork)
      this.#journal.forget(call)
    }
  }

  receive(inlet: Inlet): void {
    // Nobody would hear of its result.
    if (!inlet.isAsk) return inlet.finish(STATUS.undefined)
    let arrived: ArrivedCall
    try {
      arrived = readCall(inlet.bytes, inlet.start, inlet.aEnd, inlet.bEnd, inlet.cEnd)
    } catch (error) {
      return fail(inlet, error)
    }
    const entry = this.#journal.enter(inlet)
    const call = new PoolCall(this, arrived.header.alone, entry, inlet.defer())
    if (call.isAlone) this.#slots.beginAlone()
    this.#noteLoad(1)
    if (call.isAlone && !this.#slots.none) this.#next = { call, arrived }
    else this.#begin(call, arrived)
  }

  /** Its function waits for an answer of a cache. */
  pause(call: PoolCall): void {
    this.#journal.set(call.entry, CALL_STATE.waits)
    this.#leaveWork(call)
    this.#slots.release(call)
  }

  /** The last answer that its function waited for is there. */
  async resume(call: PoolCall): Promise<void> {
    if (call.over) return
    await this.#slots.resume(call)
    if (call.holdsSlot) this.#enterWork(call)
  }

  find({ name }: CallHeader): AnyFunction {
    return functionNamed(name, this.#node)
  }

  async cache({ cacheId }: CallHeader): Promise<Cache<unknown>> {
    // It may be starting, and this a function that its start waits for.
    if (!this.#directory.has(cacheId)) await this.#directory.refresh()
    return this.#directory.handle(cacheId)
  }

  #begin(call: PoolCall, arrived: ArrivedCall): void {
    this.#slots.take(call)
    void this.#run(call, arrived).then((answer) => reply(call.deferral, answer), (error: unknown) => fail(call.deferral, error)).finally(() => this.#end(call))
  }

  async #run(call: PoolCall, arrived: ArrivedCall): Promise<unknown> {
    const { modules, limitMs } = arrived.header
    if (!modules.every((module) => this.#loaded.has(module))) {
      await loadFunctions(modules)
      for (const module of modules) this.#loaded.add(module)
    }
    if (this.#directory.isStale) await this.#directory.refresh()
    call.dueMs = monotonicMs() + limitMs
    this.#journal.setDue(call.entry, deadlineMsWord(call.dueMs))
    this.#enterWork(call)
    return call.run(arrived, this)
  }

  #end(call: PoolCall): void {
    this.#leaveWork(call)
    this.#journal.leave(call.entry)
    call.over = true
    if (call.isAlone) this.#slots.endAlone()
    this.#noteLoad(-1)
    this.#slots.release(call)
  }

  #slotIsFree(): void {
    const next = this.#next
    if (next !== undefined && this.#slots.none) {
      this.#next = undefined
      this.#begin(next.call, next.arrived)
    } else if (this.accepts) {
      this.#host.bell.ring()
    }
  }

  #enterWork(call: PoolCall): void {
    this.#journal.set(call.entry, CALL_STATE.runs)
    this.#running.add(call)
    if (call.dueMs < this.#dueMs) this.#watch(call.dueMs)
  }

  #leaveWork(call: PoolCall): void {
    if (!this.#running.delete(call) || call.dueMs > this.#dueMs) return
    let dueMs = Infinity
    for (const other of this.#running) dueMs = Math.min(dueMs, other.dueMs)
    this.#watch(dueMs)
  }

  #watch(dueMs: number): void {
    this.#dueMs = dueMs
    if (dueMs === Infinity) this.#host.functionEnds()
    else this.#host.functionsDueAt(dueMs + BLOCKED_MS)
  }

  #noteLoad(change: number): void {
    this.#calls += change
    Atomics.store(this.#load, 0, this.#calls + (this.#slots.isAlone ? ALONE_LOAD : 0))
  }

  /**
   * Nobody knows which of several functions at work blocked or filled the thread, not even those that were overdue: they may have
   * been kept from ending. Without a death the system thread died, over nothing of theirs.
   */
  #tellLost(deferral: Deferral, { state, due }: LeftCall, atWork: number): void {
    const death = this.#death
    const wasAtWork = death !== undefined && state === CALL_STATE.runs
    const isOverdue = state !== CALL_STATE.taken && ((due - nowMsWord(monotonicMs())) | 0) <= 0
    if (!wasAtWork || atWork > 1) return reply(deferral, ['again', { wasAtWork, isOverdue, cause: death?.error } satisfies LostCall])
    const cause = reviveError(death.error)
    fail(deferral, death.functionTimeout
      ? new CacheError('ERR_FUNCTION_TIMEOUT', 'the function blocked its thread beyond its time limit and was killed with it; make it shorter, or raise functionTimeout')
      : new CacheError('ERR_FUNCTION_FAILED', `the function ended its thread: ${cause.message}`, { cause }))
  }
}

defineRawActor<FunctionWorker>('function-worker', import.meta.url, {
  init(context, args) {
    guardPoolThread()
    return new FunctionWorker(context as ActorContext & HostContext, args as WorkerArguments)
  },
  receive: (worker, inlet) => worker.receive(inlet),
  durableDeferrals: true,
  takeUp: (worker, inletOf) => worker.takeUp(inletOf),
  accepts: (worker) => worker.accepts,
})
