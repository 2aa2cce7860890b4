/**
 * Stores entries with the times that they bring, several in a message: packs them by shard, and by node where other nodes own them, and keeps
 * a bounded number of bytes on the way.
 *
 * A message that fails ends the import; what was on its way then is stored or not.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Scratch } from '../../runtime/codec/scratch.js'
import { CacheError, errorCode } from '../../runtime/errors.js'
import { appendRecord } from '../../runtime/table/records.js'
import { readTimeout } from '../../runtime/actor.js'
import { importPart } from '../actions/import-part.js'
import { importRecords } from '../actions/import-records.js'
import type { Caller } from '../calls/caller.js'
import type { Cluster } from '../cluster/cluster.js'
import type { Patience } from '../calls/patience.js'

/** Bytes of a message: as many entries as a shard stores in half a millisecond or so, and a fraction of the mailbox. */
function batchBytesOf(caller: Caller): number {
  return Math.min(1 << 16, caller.config.mailbox.bytes >> 3)
}

/** Messages on their way to each shard and node, most of the time. */
const IN_FLIGHT = 4

/** Records of entries, for one shard of this node, or for another node. */
export interface Records {
  /** `undefined`: this one. */
  readonly node: string | undefined
  readonly shard: number
  readonly bytes: Buffer
}

/** Entries on their way into messages, by shard, and by node where they belong to others. A message is handed to `onFull` as soon as it is large enough. */
export class RecordBatches {
  readonly #caller: Caller
  readonly #batchBytes: number
  readonly #batches: Scratch[]
  /** By node. */
  readonly #others = new Map<string, Scratch>()
  readonly #cluster: Cluster | null
  readonly #key = { scratch: { bytes: Buffer.alloc(0) as Buffer }, keyStart: 0, keyEnd: 0 }
  readonly #onFull: (records: Records) => void

  /** @param routes whether entries go to the nodes that own them; otherwise all stay here */
  constructor(caller: Caller, routes: boolean, onFull: (records: Records) => void) {
    this.#caller = caller
    this.#cluster = routes ? caller.cluster : null
    this.#batchBytes = batchBytesOf(caller)
    this.#batches = caller.readers.map(() => new Scratch(this.#batchBytes))
    this.#onFull = onFull
  }

  /** Adds an entry, encoded; see `appendRecord`. */
  add(keyBytes: Buffer, keyStart: number, keyEnd: number, valueBytes: Buffer, valueStart: number, valueEnd: number, modifiedMs: number, expiresMs: number, durationMs: number): void {
    const node = this.#ownerOf(keyBytes, keyStart, keyEnd)
    const shard = node === undefined ? this.#caller.shardOfKey(keyBytes, keyStart, keyEnd) : 0
    const batch = node === undefined ? this.#batches[shard]! : this.#batchOf(node)
    if (batch.end > 0 && batch.end + keyEnd - keyStart + valueEnd - valueStart > this.#batchBytes) this.#close(batch, node, shard)
    appendRecord(batch, keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd, modifiedMs, expiresMs, durationMs)
  }

  /** Hands on what is left. */
  flush(): void {
    for (const [shard, batch] of this.#batches.entries()) if (batch.end > 0) this.#close(batch, undefined, shard)
    for (const [node, batch] of this.#others) if (batch.end > 0) this.#close(batch, node, 0)
  }

  /** The other node that owns the key; `undefined` if this one does. */
  #ownerOf(bytes: Buffer, keyStart: number, keyEnd: number): string | undefined {
    if (this.#cluster === null) return undefined
    const key = this.#key
    key.scratch.bytes = bytes
    key.keyStart = keyStart
    key.keyEnd = keyEnd
    const owner = this.#cluster.ownerOf(key)
    return owner === this.#cluster.self ? undefined : owner
  }

  #batchOf(node: string): Scratch {
    const known = this.#others.get(node)
    if (known !== undefined) return known
    const batch = new Scratch(this.#batchBytes)
    this.#others.set(node, batch)
    return batch
  }

  #close(batch: Scratch, node: string | undefined, shard: number): void {
    this.#onFull({ node, shard, bytes: Buffer.from(batch.bytes.subarray(0, batch.end)) })
    batch.reset()
  }
}

export class Importer {
  readonly #caller: Caller
  readonly #patience: Patience
  readonly #mostInFlight: number
  /** Messages that a mailbox refused for the time being. */
  readonly #refused: Records[] = []
  #inFlight = 0
  #imported = 0
  #failure: { readonly error: unknown } | undefined
  /** Whether anything may have been stored. */
  #begun = false
  #onAnswer: (() => void) | undefined

  constructor(caller: Caller, patience: Patience) {
    this.#caller = caller
    this.#patience = patience
    this.#mostInFlight = IN_FLIGHT * batchBytesOf(caller) * (caller.shardCount + (caller.cluster?.nodes.length ?? 0))
  }

  /** How many entries the shards have stored so far. */
  get imported(): number {
    return this.#imported
  }

  /** Whether to wait for `room` before sending more. */
  get isFull(): boolean {
    return this.#inFlight > this.#mostInFlight || this.#refused.length > 0 || this.#failure !== undefined
  }

  /** Sends one message. */
  send(records: Records): void {
    if (this.#failure !== undefined) return
    if (this.#refused.length > 0 || !this.#trySend(records)) this.#refused.push(records)
  }

  /** Waits until there is room for more. Rejects with the first error of a message. */
  async room(): Promise<void> {
    for (;;) {
      this.#failIfImpatient()
      while (this.#failure === undefined && this.#refused.length > 0 && this.#trySend(this.#refused[0]!)) this.#refused.shift()
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
  #trySend(records: Records): boolean {
    const { length } = records.bytes
    let answer: Promise<unknown>
    try {
      answer = this.#send(records)
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

  #send({ node, shard, bytes }: Records): Promise<unknown> {
    const { step } = this.#patience
    const caller = this.#caller
    if (node !== undefined) return caller.cluster!.call(node, importPart.name, [bytes], {}, readTimeout({ timeout: step.timeout }), step.signal)
    caller.noKey()
    caller.restBytes(bytes)
    return caller.sendTo(shard, importRecords, step)
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
