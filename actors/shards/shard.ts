/**
 * A shard: owns one table and applies what the actions say, one message at a time; between messages it does what `upkeep.ts`
 * says. `shard-actor.ts` makes an actor of it.
 *
 * Only this actor writes its table. It never asks anybody anything.
 */
import type { ActorContext } from '../../runtime/actor.js'
import { hasClasses } from '../../runtime/codec/classes.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { compressValue, decodeValue, encodeValue } from '../../runtime/codec/value.js'
import { functionFailed, functionNamed } from '../../runtime/functions.js'
import { hash32 } from '../../runtime/hash.js'
import type { Host, HostContext } from '../../runtime/host/host.js'
import { fail, reply } from '../../runtime/host/hosted-actor.js'
import type { Replier } from '../../runtime/mailbox/deferral.js'
import type { Inlet, Request } from '../../runtime/mailbox/inlet.js'
import type { Outlet } from '../../runtime/mailbox/outlet.js'
import type { Parkable, ParkedRequest } from '../../runtime/mailbox/parking.js'
import { STATUS } from '../../runtime/mailbox/lane.js'
import { TableReader } from '../../runtime/table/reader.js'
import { NO_SLOT } from '../../runtime/table/transactions.js'
import type { TableWriter } from '../../runtime/table/writer.js'
import { CacheError } from '../../runtime/errors.js'
import { actionOf, codeOf } from '../action-codes.js'
import { purge } from '../actions/purge.js'
import type { Action } from '../action.js'
import { loaded } from '../actions/loaded.js'
import { VALUE_DECODER } from '../calls/caller.js'
import { COUNTER, Counters } from '../counters.js'
import { eachInBatch } from '../walks/entry-batch.js'
import type { Claim } from '../transactions/gate.js'
import { Loads } from '../loading/loads.js'
import type { CacheConfig } from '../options.js'
import { SelfNotices } from '../watching/self-notices.js'
import { ShardTransactions } from '../transactions/shard-transactions.js'
import { SweepRecord } from './sweep-record.js'
import { Upkeep } from './upkeep.js'
import { WriteClock } from './write-clock.js'

/** What a shard's part of an action replies when the reply is the encoded value in `shard.scratch`. */
export const ENCODED = Symbol('encoded')
/** The same when the request was kept (`shard.transactions.park`), and will be answered later. */
export const KEPT = Symbol('kept')

export class Shard {
  readonly config: CacheConfig
  readonly writer: TableWriter
  readonly context: ActorContext & HostContext
  readonly transactions: ShardTransactions
  readonly loads: Loads
  /** For values that the shard encodes, and copies of entries. */
  readonly scratch = new Scratch()
  /** For a reply that is encoded before anything is stored: an action that returns it replies with what is in it. */
  readonly reply = new Scratch(256)
  readonly upkeep: Upkeep
  /** `null` if the cache does not count. */
  readonly counters: Counters | null
  readonly notices: SelfNotices
  readonly #host: Host
  #reader: TableReader | undefined
  readonly #writeClock: WriteClock

  /** @param hooks the lane to the hooks, open */
  constructor(context: ActorContext & HostContext, config: CacheConfig, index: number, writer: TableWriter, hooks: Outlet) {
    this.context = context
    this.config = config
    this.writer = writer
    this.#host = context.host
    const { buffers } = context
    const { counters, sweeps } = buffers
    this.counters = counters === undefined ? null : new Counters(counters, context.host.client.id)
    this.notices = new SelfNotices(context, hooks, buffers['watch']!, codeOf(purge), writer)
    writer.onEvict = (block, reason) => {
      this.counters?.add(COUNTER.evictions)
      if (this.notices.hearsOfEvictions) this.notices.add(reason, block)
    }
    this.upkeep = new Upkeep({ writer, clock: context, counters: this.counters, notices: this.notices, record: sweeps && new SweepRecord(sweeps), shard: index })
    this.#writeClock = new WriteClock(context)
    this.transactions = new ShardTransactions({
      writer,
      inlet: (client) => context.inlet(client),
      claimOf: (request) => this.#claimOf(actionOf(request.code), request),
      carryOut: (request, replier) => this.#carryOut(actionOf(request.code), request, replier),
      adopt: (request) => actionOf(request.code).adopt!(this, request),
    }, buffers as unknown as ConstructorParameters<typeof ShardTransactions>[1])
    this.loads = new Loads(this.transactions, (client) => context.inlet(client), (request) => this.hash(request))
  }

  /** The time of a write, in milliseconds since 1970, with a fraction. */
  writeTime(): number {
    return this.#writeClock.next()
  }

  /** The table as readers see it, for walks. */
  get reader(): TableReader {
    return this.#reader ??= new TableReader(this.context.buffers['table']!, VALUE_DECODER, this.context.buffers['slots'])
  }

  hash({ bytes, start, aEnd }: Request): number {
    return hash32(bytes, start, aEnd, this.config.seed) | 0
  }

  /** The entry of the request's key, expired or not; 0 if it is missing. A block is good until the next change. */
  find(request: Request): number {
    return this.writer.find(this.hash(request), request.bytes, request.start, request.aEnd)
  }

  isExpired(block: number): boolean {
    return this.writer.isExpired(block, this.context.now())
  }

  /** The entry of the request's key as writes see it: 0 if it is missing or expired. */
  live(request: Request): number {
    const block = this.find(request)
    return block !== 0 && this.isExpired(block) ? 0 : block
  }

  /** The entry of the request's key as reads see it: with `lazy: false` until it is swept. */
  readable(request: Request): number {
    return this.config.lazy ? this.live(request) : this.find(request)
  }

  /** The decoded value of an entry. */
  valueOf(block: number): unknown {
    const { scratch } = this
    scratch.reset()
    this.writer.copyValue(block, scratch)
    return hasClasses() ? this.limited(undefined, () => decodeValue(scratch.bytes, 0, scratch.end)) : decodeValue(scratch.bytes, 0, scratch.end)
  }

  /** Copies the encoded value of an entry into the scratch, as the reply. */
  replyValueOf(block: number): typeof ENCODED {
    this.scratch.reset()
    this.writer.copyValue(block, this.scratch)
    return ENCODED
  }

  /** What the caller sent behind key and value. */
  rest({ bytes, bEnd, cEnd }: Request): unknown {
    return bEnd === cEnd ? undefined : decodeValue(bytes, bEnd, cEnd)
  }

  /**
   * Stores the request's own value under its key. `expireMs`: a time to live, `null` for none, not positive to remove the key. `modified`: when it
   * was last modified, if that is not now.
   */
  putRequest(request: Request, expireMs: number | null, modified?: number): void {
    this.#put(this.hash(request), request.bytes, request.start, request.aEnd, request.bEnd, expireMs, modified)
  }

  /** Stores an entry whose key and value stand in `bytes`, one behind the other. `expireMs`: as `putRequest`, and `undefined` for the default. */
  putBytes(bytes: Buffer, keyStart: number, keyEnd: number, valueEnd: number, expireMs: number | null | undefined): void {
    this.#put(hash32(bytes, keyStart, keyEnd, this.config.seed) | 0, bytes, keyStart, keyEnd, valueEnd, expireMs === undefined ? this.config.defaultExpireMs : expireMs)
  }

  /** The hashes of the keys in a request's batch. */
  hashesIn(request: Request): number[] {
    const hashes: number[] = []
    eachInBatch(request, (keyStart, keyEnd) => hashes.push(hash32(request.bytes, keyStart, keyEnd, this.config.seed) | 0))
    return hashes
  }

  /** Stores the request's own value over an entry of its key whose expiry and modified time stay. */
  updateRequest(request: Request, block: number): void {
    const { bytes, start, aEnd, bEnd } = request
    this.writer.replaceValue(block, this.hash(request), bytes, start, aEnd, bytes, aEnd, bEnd)
    this.counters?.add(COUNTER.writes)
  }

  /** Removes an entry because a caller wants it gone. */
  remove(block: number): void {
    this.writer.remove(block)
    this.counters?.add(COUNTER.removals)
  }

  /** Removes the entry of the request's key if its time has come, and tells whoever watches for that. */
  lapse(request: Request): void {
    const block = this.find(request)
    if (block === 0 || !this.isExpired(block)) return
    this.notices.add('expired', block)
    this.writer.remove(block)
    this.counters?.add(COUNTER.expirations)
  }

  /** Counts a key that was looked up. */
  countLookup(found: boolean): void {
    this.counters?.add(found ? COUNTER.hits : COUNTER.misses)
  }

  /** Encodes `value` into the scratch, compressed if it is to be, to be stored and sent as the reply. Runs getters and `toData`: see `limited`. */
  encode(value: unknown): typeof ENCODED {
    this.scratch.reset()
    encodeValue(value, this.scratch)
    const over = this.config.compressOverBytes
    if (over !== null && this.scratch.end > over) compressValue(this.scratch, 0)
    return ENCODED
  }

  /** Encodes `value` as the reply, which may be another than what is stored. Runs getters and `toData`: see `limited`. */
  encodeReply(value: unknown): void {
    this.reply.reset()
    encodeValue(value, this.reply)
  }

  /**
   * Stores what a function has made of an entry, 0 if there was none: over it, with its times, or as a new one. `expireMs`: a time to live
   * of its own; `undefined`: none was given.
   */
  storeOutcome(request: Request, block: number, value: unknown, expireMs: number | null | undefined): void {
    if (block === 0) this.storeFor(request, value, expireMs === undefined ? this.config.defaultExpireMs : expireMs)
    else if (expireMs !== undefined) this.storeFor(request, value, expireMs, this.writer.modifiedAt(block))
    else this.replaceValue(request, block, value)
  }

  /**
   * Stores `value`, or what is `ENCODED`, under the request's key. `expireMs`: a time to live from now, `null` for none, not
   * positive to remove the key. `modified`: when it was last modified, if that is not now.
   */
  storeFor(request: Request, value: unknown, expireMs: number | null, modified?: number): void {
    if (expireMs !== null && expireMs <= 0) {
      const block = this.find(request)
      if (block !== 0) this.remove(block)
      return
    }
    const { bytes, start, aEnd } = request
    const now = this.writeTime()
    const { scratch } = this
    if (value !== ENCODED) this.encode(value)
    this.writer.put(
      this.hash(request), bytes, start, aEnd, scratch.bytes, 0, scratch.end, modified ?? now,
      expireMs === null ? 0 : expiryAt(now, expireMs), expireMs === null ? 0 : Math.ceil(expireMs),
    )
    this.counters?.add(COUNTER.writes)
  }

  /** Stores `value` under the request's key as a new entry, with the default expiry. */
  storeNew(request: Request, value: unknown): void {
    this.storeFor(request, value, this.config.defaultExpireMs)
  }

  /** Stores `value` over an entry whose expiry and modified time stay. */
  replaceValue(request: Request, block: number, value: unknown): void {
    const { bytes, start, aEnd } = request
    const { scratch } = this
    if (value !== ENCODED) this.encode(value)
    this.writer.replaceValue(block, this.hash(request), bytes, start, aEnd, scratch.bytes, 0, scratch.end)
    this.counters?.add(COUNTER.writes)
  }

  /** Gives the request's entry a time to live from now, `null` for none; removes it if that is not positive. Whether it was there. */
  changeExpiry(request: Request, expireMs: number | null): boolean {
    const block = this.live(request)
    if (block === 0) return false
    if (expireMs !== null && expireMs <= 0) {
      this.remove(block)
      return true
    }
    const now = this.writeTime()
    if (expireMs === null) this.writer.setTimes(block, now, 0, 0)
    else this.writer.setTimes(block, now, expiryAt(now, expireMs), Math.ceil(expireMs))
    return true
  }

  /**
   * Does what may run code of the application's: functions, `fromData`, `toData`, getters. What takes longer than the limit
   * (default: the cache's) is killed with the thread, and its caller is told that nothing of it was done: `work` must not write the table.
   */
  limited<T>(timeoutMs: number | undefined, work: () => T): T {
    this.#host.functionBegins(timeoutMs ?? this.config.functionTimeoutMs)
    try {
      return work()
    } finally {
      this.#host.functionEnds()
    }
  }

  /** Calls a registered function. See `limited`. */
  call(name: string, args: readonly unknown[]): unknown {
    const run = functionNamed(name, this.context.node)
    let result: unknown
    try {
      result = run(...args)
    } catch (error) {
      throw functionFailed(name, error)
    }
    if (typeof result === 'object' && result !== null && typeof (result as PromiseLike<unknown>).then === 'function') {
      Promise.resolve(result).catch(() => undefined)
      throw new CacheError('ERR_ASYNC_FUNCTION', `the function '${name}' returned a promise, and it runs inside the shard: make it synchronous`, { function: name })
    }
    return result
  }

  /** Between messages: some of those that waited, and a slice of the upkeep. True while there is more. */
  idle(): boolean {
    const more = this.transactions.isBusy && this.transactions.idle()
    return this.upkeep.work() || more
  }

  /** Goes on with what a predecessor had kept. */
  takeUp(): void {
    this.transactions.takeUp()
    this.loads.takenUp()
  }

  receive(inlet: Inlet): void {
    this.upkeep.handled()
    const action = actionOf(inlet.code)
    const { transactions } = this
    if (transactions.isBusy && inlet.slot === NO_SLOT) {
      try {
        const claim = this.#claimOf(action, inlet)
        if (claim !== undefined && transactions.mustWait(claim)) return transactions.wait(inlet, claim)
      } catch (error) {
        return fail(inlet, error)
      }
    }
    this.#carryOut(action, inlet, inlet)
  }

  /** Answers a request that was kept. */
  answer(replier: Replier, result: unknown): void {
    if (result === ENCODED) replier.finishWith(STATUS.value, this.scratch.bytes, 0, this.scratch.end)
    else if (result === this.reply) replier.finishWith(STATUS.value, this.reply.bytes, 0, this.reply.end)
    else reply(replier, result)
  }

  #carryOut(action: Action, request: Inlet | ParkedRequest, replier: Replier): void {
    let result: unknown
    if (this.loads.isBusy && action.writes) this.#noteWrite(action, request)
    try {
      if (request.slot === NO_SLOT) {
        // Whoever writes a key meets what was there; with `lazy: false` only a sweep does.
        if (this.config.lazy && action.keyed === true && action.writes && request.aEnd > request.start && this.notices.hearsOfExpiry) this.lapse(request)
        result = action.apply!(this, request)
      } else {
        result = this.#applyWithin(action, request)
      }
    } catch (error) {
      // Nothing has changed, and what a function threw is read, which may run its getters.
      return error instanceof CacheError && error.cause === undefined ? fail(replier, error) : this.limited(undefined, () => fail(replier, error))
    }
    if (result !== KEPT) this.answer(replier, result)
    this.notices.endMessage()
  }

  /** What is being loaded must not be stored over what is written now. */
  #noteWrite(action: Action, request: Request): void {
    if (action === loaded) return
    if (action.keyed !== true) this.loads.noteWriteOfAll()
    else if (request.aEnd > request.start) this.loads.noteWrite(this.hash(request))
    else for (const hash of this.hashesIn(request)) this.loads.noteWrite(hash)
  }

  /** Carries out a part of a transaction. */
  #applyWithin(action: Action, request: Request): unknown {
    const { transactions } = this
    // A batch has no key of its own.
    if (request.aEnd > request.start) transactions.check(request, this.hash(request))
    transactions.enter(request)
    try {
      return action.apply!(this, request)
    } finally {
      transactions.exit()
    }
  }

  #claimOf(action: Action, request: Parkable): Claim | undefined {
    if (action.claim !== undefined) return action.claim(this, request)
    if (action.keyed === true) return action.writes ? { kind: 'key', hash: this.hash(request) } : { kind: 'read', hash: this.hash(request), client: request.client }
    return action.writes ? { kind: 'shard' } : undefined
  }

  #put(hash: number, bytes: Buffer, keyStart: number, keyEnd: number, valueEnd: number, expireMs: number | null, modified?: number): void {
    if (expireMs !== null && expireMs <= 0) {
      const block = this.writer.find(hash, bytes, keyStart, keyEnd)
      if (block !== 0) this.remove(block)
      return
    }
    const now = this.writeTime()
    const expires = expireMs === null ? 0 : expiryAt(now, expireMs)
    this.writer.put(hash, bytes, keyStart, keyEnd, bytes, keyEnd, valueEnd, modified ?? now, expires, expires === 0 ? 0 : Math.ceil(expireMs!))
    this.counters?.add(COUNTER.writes)
  }
}

/** The time at which what lives `expireMs` from `now` ends: whole milliseconds, never before it should, within what a date can hold. */
function expiryAt(now: number, expireMs: number): number {
  return Math.min(Math.floor(now) + Math.ceil(expireMs), MAX_EXPIRY_MS)
}

/** The latest time that a `Date` can hold. */
const MAX_EXPIRY_MS = 8.64e15
