/**
 * Stores entries with the times that they bring, several in a message: packs them by shard, and keeps a bounded number of bytes on
 * the way to the shards.
 *
 * A message that fails ends the import; what was on its way then is stored or not.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Scratch } from '../runtime/codec/scratch.js'
import { CacheError, errorCode } from '../runtime/errors.js'
import { appendRecord } from '../runtime/table/records.js'
import { importRecords } from './actions/import-records.js'
import type { Caller } from './caller.js'
import type { Patience } from './patience.js'

/** Bytes of a message: as many entries as a shard stores in half a millisecond or so, and a fraction of the mailbox. */
function batchBytesOf(caller: Caller): number {
  return Math.min(1 << 16, caller.config.mailbox.bytes >> 3)
}

/** Messages on their way to each shard, most of the time. */
const IN_FLIGHT = 4

/** Entries on their way into messages, by shard. A message is handed to `onFull` as soon as it is large enough. */
export class RecordBatches {
  readonly #caller: Caller
  readonly #batchBytes: number
  readonly #batches: Scratch[]
  readonly #onFull: (shard: number, records: Buffer) => void

  constructor(caller: Caller, onFull: (shard: number, records: Buffer) => void) {
    this.#caller = caller
    this.#batchBytes = batchBytesOf(caller)
    this.#batches = caller.readers.map(() => new Scratch(this.#batchBytes))
    this.#onFull = onFull
  }

  /** Adds an entry, encoded; see `appendRecord`. */
  add(keyBytes: Buffer, keyStart: number, keyEnd: number, valueBytes: Buffer, valueStart: number, valueEnd: number, modifiedMs: number, expiresMs: number, durationMs: number): void {
    const shard = this.#caller.shardOfKey(keyBytes, keyStart, keyEnd)
    const batch = this.#batches[shard]!
    if (batch.end > 0 && batch.end + keyEnd - keyStart + valueEnd - valueStart > this.#batchBytes) this.#close(shard)
    appendRecord(batch, keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd, modifiedMs, expiresMs, durationMs)
  }

  /** Hands on what is left. */
  flush(): void {
    for (let shard = 0; shard < this.#batches.length; shard++) if (this.#batches[shard]!.end > 0) this.#close(shard)
  }

  #close(shard: number): void {
    const batch = this.#batches[shard]!
    this.#onFull(shard, Buffer.from(batch.bytes.subarray(0, batch.end)))
    batch.reset()
  }
}

export class Importer {
  readonly #caller: Caller
  readonly #patience: Patience
  readonly #mostInFlight: number
  /** Messages that a mailbox refused for the time being. */
  readonly #refused: { readonly shard: number; readonly records: Buffer }[] = []
  #inFlight = 0
  #imported = 0
  #failure: { readonly error: unknown } | undefined
  /** Whether anything may have been stored. */
  #begun = false
  #onAnswer: (() => void) | undefined

  constructor(caller: Caller, patience: Patience) {
    this.#caller = caller
    this.#patience = patience
    this.#mostInFlight = IN_FLIGHT * batchBytesOf(caller) * caller.shardCount
  }

  /** How many entries the shards have stored so far. */
  get imported(): number {
    return this.#imported
  }

  /** Whether to wait for `room` before sending more. */
  get isFull(): boolean {
    return this.#inFlight > this.#mostInFlight || this.#refused.length > 0 || this.#failure !== undefined
  }

  /** Sends one message: records of entries of this shard. */
  send(shard: number, records: Buffer): void {
    if (this.#failure !== undefined) return
    if (this.#refused.length > 0 || !this.#trySend(shard, records)) this.#refused.push({ shard, records })
  }

  /** Waits until there is room for more. Rejects with the first error of a message. */
  async room(): Promise<void> {
    for (;;) {
      this.#failIfImpatient()
      while (this.#failure === undefined && this.#refused.length > 0 && this.#trySend(this.#refused[0]!.shard, this.#refused[0]!.records)) this.#refused.shift()
      this.#throwFailure()
      if (!this.isFull) return
      await this.#progress()
    }
  }

  /** Waits until everything is stored; resolves with how many entries that were. */
  async end(): Promise<number> {
    while (this.#inFlight > 0 || this.#refused.length > 0) {
      if (this.#refused.length > 0) await this.room()
      else await this.#progress()
      this.#throwFailure()
    }
    this.#throwFailure()
    return this.#imported
  }

  /** Whether the message was sent; false if the mailbox has no room. */
  #trySend(shard: number, records: Buffer): boolean {
    const { length } = records
    let answer: Promise<unknown>
    try {
      this.#caller.noKey()
      this.#caller.restBytes(records)
      answer = this.#caller.sendTo(shard, importRecords, this.#patience.step)
    } catch (error) {
      if (errorCode(error) === 'ERR_MAILBOX_FULL' && this.#inFlight > 0) return false
      this.#failure ??= { error }
      return true
    }
    this.#begun = true
    this.#inFlight += length
    void answer.then(
      (stored) => (this.#imported += stored as number),
      (error: unknown) => (this.#failure ??= { error }),
    ).finally(() => {
      this.#inFlight -= length
      this.#onAnswer?.()
    })
    return true
  }

  #failIfImpatient(): void {
    try {
      this.#patience.check()
    } catch (error) {
      this.#failure ??= { error }
    }
  }

  #progress(): Promise<unknown> {
    return this.#inFlight > 0 ? new Promise<void>((resolve) => (this.#onAnswer = resolve)) : nextTurn()
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.failed(this.#failure.error)
  }

  /** The error of an import that cannot go on: what was sent may be stored. */
  failed(error: unknown): unknown {
    if (!(error instanceof CacheError) || !this.#begun || error.outcome === 'unknown') return error
    return new CacheError(error.code, error.message, { ...error, cause: error.cause, outcome: 'unknown' })
  }
}
