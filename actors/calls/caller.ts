/**
 * The caller's side of a cache on one thread: encodes keys and values, reads the tables, and sends to the shards.
 *
 * One for each handle. A call is prepared in steps without a pause between them: `key`, then `value` and `rest` if there
 * are any, then a read of the key's table or `send`. Nothing here allocates on the path of a synchronous read.
 */
import type { Client } from '../../runtime/client.js'
import { monotonicMs, type NodeClock } from '../../runtime/clock.js'
import { encodeKey } from '../../runtime/codec/key.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { compressValue, decodeFlat, decodeValue, encodeValue, isFlat } from '../../runtime/codec/value.js'
import { CacheError } from '../../runtime/errors.js'
import { hash32 } from '../../runtime/hash.js'
import { DEFAULT_TIMEOUT_MS, readTimeout } from '../../runtime/actor.js'
import type { Outlet } from '../../runtime/mailbox/outlet.js'
import type { Pending } from '../../runtime/mailbox/pending.js'
import { geometryOf, TABLE_STATE } from '../../runtime/table/layout.js'
import { MISSING, TableReader } from '../../runtime/table/reader.js'
import type { ScanBatch } from '../../runtime/table/scan-batch.js'
import type { Snapshot } from '../../runtime/table/snapshot.js'
import { codeOf } from '../action-codes.js'
import { lapse } from '../actions/lapse.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import { CallOrder, EVERY_KEY, sendInTurn, turnOfKey } from './call-order.js'
import type { CacheDescription } from '../cache-description.js'
import { Cluster } from '../cluster/cluster.js'
import { currentScope } from '../functions/call-scope.js'
import { COUNTER, Counters } from '../counters.js'
import type { EncodedEntry } from '../walks/entry-batch.js'
import type { CacheConfig } from '../options.js'
import { shardOf } from '../shards/shard-of.js'
import { together } from './together.js'
import type { TransactionPlan } from '../transactions/transaction.js'
import { cellOf, UnansweredWrites, WHOLE } from './unanswered-writes.js'
import { Watch } from '../watching/watch.js'

export const VALUE_DECODER = { isFlat, decodeFlat, decodeValue } as const

export class Caller {
  readonly client: Client
  readonly description: CacheDescription
  readonly config: CacheConfig
  readonly clock: NodeClock
  /** The clock by which reads judge expiry; `null` if they do not (`lazy: false`). */
  readonly readClock: NodeClock | null
  readonly readers: TableReader[]
  /** `null` if the cache does not count. */
  readonly counters: Counters | null
  /** The way to the hooks. */
  readonly watch: Watch
  /** `null` if the cache runs on this node only. */
  readonly cluster: Cluster | null
  /** The longest encoded key and value that a table takes. */
  readonly maxKeyBytes: number
  readonly maxValueBytes: number
  /** Of the last `key`. */
  hash = 0
  shard = 0
  /** Messages are told, not asked: `send` returns whether they were queued. */
  telling = false
  /** Loads that this handle waits for, by key: calls for one key share one. */
  readonly loads = new Map<string, Promise<Uint8Array>>()
  /** Of calls that take several messages, and of those that come after them. */
  readonly order = new CallOrder()
  /** Added to the code of every message: the slot and generation of the transaction that they are parts of. */
  protected part = 0

  scratch = new Scratch()
  /** Code of the user's may be running in the middle of an encoding. */
  #encoding = false
  /** Where the sections in the scratch end. */
  #keyEnd = 0
  #valueEnd = 0
  readonly #shardCount: number
  readonly #seed: number
  /** Encoded bytes beyond which values are compressed. */
  readonly #compressOver: number
  readonly #outlets: (Outlet | undefined)[]
  readonly #unanswered: UnansweredWrites

  /** @param outside a caller to share lanes and the count of unanswered writes with */
  constructor(client: Client, description: CacheDescription, outside?: Caller) {
    this.client = client
    this.description = description
    this.config = description.config
    this.clock = client.clock
    this.readClock = this.config.lazy ? client.clock : null
    this.counters = description.counters === undefined ? null : new Counters(description.counters, client.id)
    this.watch = outside?.watch ?? new Watch(client, description.id, description.watch)
    this.cluster = outside?.cluster ?? (this.config.cluster === null ? null : new Cluster(client, this.config.name, this.config.cluster, description.view))
    this.#shardCount = description.shards.length
    this.#seed = this.config.seed
    this.#compressOver = this.config.compressOverBytes ?? Infinity
    const { maxKeyBytes, maxValueBytes } = geometryOf(this.config.tableBytes)
    this.maxKeyBytes = maxKeyBytes
    this.maxValueBytes = maxValueBytes
    this.readers = outside?.readers ?? description.shards.map(({ table }) => new TableReader(table, VALUE_DECODER, description.transactions.slots))
    this.#outlets = outside === undefined ? description.shards.map(() => undefined) : outside.#outlets
    this.#unanswered = outside === undefined ? new UnansweredWrites(this.#shardCount) : outside.#unanswered
  }

  /** Where the encoded key ends in the scratch, and where the value. */
  get keyEnd(): number {
    return this.#keyEnd
  }

  get valueEnd(): number {
    return this.#valueEnd
  }

  get shardCount(): number {
    return this.#shardCount
  }

  /** Encodes a key into the scratch and finds its shard. Throws `ERR_INVALID_KEY`, and `ERR_STOPPED` if the cache has stopped. */
  key(key: unknown): void {
    if (this.#encoding || this.scratch.bytes.length > KEEP_BYTES) this.scratch = new Scratch()
    const { scratch } = this
    scratch.end = 0
    if (typeof key === 'string') encodeKey(key, scratch)
    else this.#encode(encodeKey, key)
    this.#keyEnd = this.#valueEnd = scratch.end
    const hash = this.hash = hash32(scratch.bytes, 0, scratch.end, this.#seed)
    this.shard = this.#shardCount === 1 ? 0 : shardOf(hash, this.#shardCount)
    if (this.readers[this.shard]!.state !== TABLE_STATE.running) this.refuseIfStopped()
  }

  /** As `key`, of a key that is encoded already. */
  encodedKey(key: Uint8Array): void {
    this.noKey()
    this.restBytes(key)
    this.#keyEnd = this.#valueEnd = this.scratch.end
    this.hash = hash32(this.scratch.bytes, 0, this.#keyEnd, this.#seed)
    this.shard = this.#shardCount === 1 ? 0 : shardOf(this.hash, this.#shardCount)
  }

  /** Begins a message that is not about one key. */
  noKey(): void {
    this.refuseIfStopped()
    if (this.#encoding) this.scratch = new Scratch()
    this.scratch.reset()
    this.#keyEnd = this.#valueEnd = 0
  }

  /** Encodes the value behind the key. `undefined` is refused: it is what a missing key reads as. */
  value(value: unknown): void {
    if (value === undefined) {
      throw new CacheError('ERR_UNSUPPORTED_VALUE', 'undefined cannot be stored: a missing key reads as undefined; store null, or delete the key')
    }
    if (typeof value === 'object') this.#encode(encodeValue, value)
    else encodeValue(value, this.scratch)
    if (this.scratch.end - this.#keyEnd > this.#compressOver) compressValue(this.scratch, this.#keyEnd)
    this.#valueEnd = this.scratch.end
    const bytes = this.#valueEnd - this.#keyEnd
    if (bytes > this.maxValueBytes) {
      throw new CacheError('ERR_TOO_LARGE', `a value of ${bytes} encoded bytes; this cache takes ${this.maxValueBytes}, a quarter of a shard's memory: split it, or raise the option memory`, { bytes, limit: this.maxValueBytes })
    }
  }

  /** Throws `ERR_TOO_LARGE` if the last `key` is too long for a table: for calls that must not fail in the middle. */
  refuseLongKey(): void {
    const { maxKeyBytes } = this
    if (this.#keyEnd <= maxKeyBytes) return
    throw new CacheError('ERR_TOO_LARGE', `a key of ${this.#keyEnd} encoded bytes; this cache takes ${maxKeyBytes}`, { bytes: this.#keyEnd, limit: maxKeyBytes })
  }

  /** As `value`, of a value that is encoded already, and of any size. */
  encodedValue(value: Uint8Array): void {
    this.restBytes(value)
    if (value.length > this.#compressOver) compressValue(this.scratch, this.#keyEnd)
    this.#valueEnd = this.scratch.end
  }

  /** Encodes what else the shard's part needs. */
  rest(data: unknown): void {
    this.#encode(encodeValue, data)
  }

  /** The same, of bytes that need no encoding. */
  restBytes(bytes: Uint8Array): void {
    const { scratch } = this
    scratch.ensure(bytes.length)
    scratch.bytes.set(bytes, scratch.end)
    scratch.end += bytes.length
  }

  /** The key of the last `key`, and the value of a `value` after it, to be kept. */
  entry(): EncodedEntry {
    return { shard: this.shard, hash: this.hash | 0, keyBytes: this.#keyEnd, bytes: Buffer.from(this.scratch.bytes.subarray(0, this.scratch.end)) }
  }

  /** Whether a write of this handle to the key of the last `key`, or to every key, may be unanswered. */
  get hasUnansweredWrite(): boolean {
    if (this.order.isBusy && this.order.mustWait(turnOfKey(this.hash, 'read'))) return true
    return this.#unanswered.mayConcern(this.hash, this.shard)
  }

  /** Reads the value of the last `key` from shared memory: the value, `MISSING` or `BUSY`. */
  read(): unknown {
    const value = this.readers[this.shard]!.get(this.hash, this.scratch.bytes, 0, this.#keyEnd, this.readClock)
    if (value === MISSING && this.watch.hearsOfExpiry) this.#tellOfExpiry()
    return value
  }

  /** Looks the last `key` up without its value; see `TableReader.locate`. */
  locate(): 1 | 0 | -1 {
    const found = this.readers[this.shard]!.locate(this.hash, this.scratch.bytes, 0, this.#keyEnd, this.readClock)
    if (found === 0 && this.watch.hearsOfExpiry) this.#tellOfExpiry()
    return found
  }

  /** Counts a key that was looked up in shared memory. */
  countLookup(found: boolean): void {
    this.counters?.add(found ? COUNTER.hits : COUNTER.misses)
  }

  /** As `read`, expired entries included. */
  readAny(): unknown {
    return this.readers[this.shard]!.get(this.hash, this.scratch.bytes, 0, this.#keyEnd, null)
  }

  /** As `locate`, expired entries included. */
  locateAny(): 1 | 0 | -1 {
    return this.readers[this.shard]!.locate(this.hash, this.scratch.bytes, 0, this.#keyEnd, null)
  }

  /** Appends the entry of the last `key` to a batch, expired or not; see `TableReader.pick`. */
  pick(into: ScanBatch, withValue: boolean): 1 | 0 | -1 {
    return this.readers[this.shard]!.pick(this.hash, this.scratch.bytes, 0, this.#keyEnd, into, withValue)
  }

  /** The shard of an encoded key. */
  shardOfKey(bytes: Buffer, start: number, end: number): number {
    return this.#shardCount === 1 ? 0 : shardOf(hash32(bytes, start, end, this.#seed), this.#shardCount)
  }

  /** Adds the last `key` to those that a snapshot reads. */
  lookIn(snapshot: Snapshot): void {
    snapshot.add(this.readers[this.shard]!, this.hash, this.scratch.bytes, 0, this.#keyEnd)
  }

  /** The transaction that this is the caller's side of. */
  get plan(): TransactionPlan | undefined {
    return undefined
  }

  /** Sends what was prepared to the shard of the last `key`. */
  send(action: Action, options: CallOptions | undefined): Promise<unknown> {
    if (this.order.isBusy && this.order.mustWait(turnOfKey(this.hash, action.writes ? 'write' : 'read'))) return this.#sendLater(action, options)
    return this.#send(action, options, this.shard, cellOf(this.hash))
  }

  /** Sends what was prepared to one shard. As a write it is one to every key. */
  sendTo(shard: number, action: Action, options: CallOptions | undefined): Promise<unknown> {
    return this.#send(action, options, shard, WHOLE)
  }

  /** Sends what was prepared to every shard; resolves with the merged replies. Told: whether all were queued. */
  sendAll<T>(action: Action, options: CallOptions | undefined, merge: (replies: unknown[]) => T): Promise<T> | boolean {
    checkCallOptions(action, options)
    if (!this.order.isBusy) return this.#sendAll(action, options, merge)
    return sendInTurn(this, { hashes: undefined, kind: action.writes ? 'write' : 'read' }, action, options, () => {
      this.noKey()
      return this.#sendAll(action, options, merge)
    })
  }

  /**
   * Waits until this handle's writes to one shard, or to all, are answered; for reads that are not about one key.
   * Returns undefined if there is nothing to wait for.
   */
  settled(sync: Action, options: CallOptions | undefined): Promise<unknown> | undefined {
    if (!this.order.isBusy || !this.order.mustWait(EVERY_KEY)) return this.#settled(sync, options)
    return sendInTurn(this, EVERY_KEY, sync, options, async () => this.#settled(sync, options))
  }

  #settled(sync: Action, options: CallOptions | undefined): Promise<unknown> | undefined {
    const shards = this.readers.map((_, shard) => shard).filter((shard) => this.#unanswered.mayBeAt(shard))
    if (shards.length === 0) return undefined
    checkCallOptions(sync, options)
    this.noKey()
    return together(shards, (shard) => this.#send(sync, options, shard, WHOLE))
  }

  refuseIfStopped(): void {
    for (const reader of this.readers) {
      if (reader.state !== TABLE_STATE.running) throw new CacheError('ERR_STOPPED', `cache '${this.config.name}' has stopped`)
    }
  }

  #sendAll<T>(action: Action, options: CallOptions | undefined, merge: (replies: unknown[]) => T): Promise<T> | boolean {
    if (this.telling) return this.readers.map((_, shard) => this.#send(action, options, shard, WHOLE)).every(Boolean)
    return together(this.readers, (_, shard) => this.#send(action, options, shard, WHOLE)).then(merge)
  }

  /** Sends what was prepared to the shard of the last `key` once it is its turn. */
  #sendLater(action: Action, options: CallOptions | undefined): Promise<unknown> {
    const { shard, hash } = this
    const keyEnd = this.#keyEnd
    const valueEnd = this.#valueEnd
    const bytes = Buffer.from(this.scratch.bytes.subarray(0, this.scratch.end))
    return sendInTurn(this, turnOfKey(this.hash, action.writes ? 'write' : 'read'), action, options, () => {
      this.scratch.reset()
      this.restBytes(bytes)
      this.#keyEnd = keyEnd
      this.#valueEnd = valueEnd
      return this.#send(action, options, shard, cellOf(hash))
    })
  }

  /** Runs what may run code of the user's (getters, `toData`), which may call this cache again: that call gets another scratch. */
  #encode(encode: (data: unknown, into: Scratch) => void, data: unknown): void {
    const { scratch, hash, shard, telling } = this
    const keyEnd = this.#keyEnd
    const valueEnd = this.#valueEnd
    const nested = this.#encoding
    this.#encoding = true
    this.telling = false
    try {
      encode(data, scratch)
    } finally {
      this.#encoding = nested
      this.telling = telling
      this.scratch = scratch
      this.hash = hash
      this.shard = shard
      this.#keyEnd = keyEnd
      this.#valueEnd = valueEnd
    }
  }

  /** The last `key` was not found. If there is an entry whose time has come, its shard removes it, and tells whoever watches for that. */
  #tellOfExpiry(): void {
    if (this.readClock === null || this.locateAny() !== 1) return
    const { expiresAt } = this.readers[this.shard]!
    if (expiresAt !== 0 && expiresAt <= this.readClock.now()) this.#outlet(this.shard).tell(codeOf(lapse), this.scratch, this.#keyEnd, 0, 0)
  }

  #outlet(shard: number): Outlet {
    const outlet = this.#outlets[shard]
    return outlet === undefined || outlet.isClosed ? this.#openOutlet(shard) : outlet
  }

  /** The lane to a shard: the first one, or another one after the cache was stopped and started again by its supervisor. */
  #openOutlet(shard: number): Outlet {
    this.#unanswered.forgetTold(shard)
    return this.#outlets[shard] = this.client.outlet(this.description.shards[shard]!.address)
  }

  #send(action: Action, options: CallOptions | undefined, shard: number, cell: number): Promise<unknown> {
    const { scratch } = this
    const keyBytes = this.#keyEnd
    const valueBytes = this.#valueEnd - keyBytes
    const restBytes = scratch.end - this.#valueEnd
    const outlet = this.#outlet(shard)
    const code = codeOf(action) | this.part
    if (this.telling) {
      checkCallOptions(action, options)
      const queued = outlet.tell(code, scratch, keyBytes, valueBytes, restBytes)
      if (queued) this.#unanswered.told(outlet, shard)
      return queued as unknown as Promise<unknown>
    }
    let timeoutMs = DEFAULT_TIMEOUT_MS
    let signal: AbortSignal | undefined
    if (options !== undefined) {
      const nested = this.#encoding
      this.#encoding = true
      try {
        checkCallOptions(action, options)
        timeoutMs = readTimeout(options)
        signal = options.signal
      } finally {
        this.#encoding = nested
        this.scratch = scratch
      }
    }
    const pending: Pending = outlet.ask(code, scratch, keyBytes, valueBytes, restBytes, monotonicMs(), timeoutMs, signal)
    if (action.writes) this.#unanswered.asked(pending, cell, shard)
    const scope = currentScope()
    return scope === undefined ? pending.promise : scope.wait(pending.promise)
  }
}

/** A scratch that a huge value has grown is given back before the next call. */
const KEEP_BYTES = 1 << 20
