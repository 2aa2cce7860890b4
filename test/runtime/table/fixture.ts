/**
 * A table under test: a writer and a reader on one buffer, keys as strings, and values of one flat kind (`s`, Latin-1 text)
 * and one that is copied before it is decoded (anything else: the bytes themselves).
 */
import { Scratch } from '../../../runtime/codec/scratch.js'
import { createTable } from '../../../runtime/table/layout.js'
import { BUSY, MISSING, TableReader, type ReaderClock, type ScanBatch, type ValueDecoder } from '../../../runtime/table/reader.js'
import type { PolicyName } from '../../../runtime/table/policies/policy-names.js'
import { slotWord, TRANSACTIONS_BYTES, type SlotState } from '../../../runtime/table/transactions.js'
import { TableWriter } from '../../../runtime/table/writer.js'

export const FLAT_TAG = 's'.charCodeAt(0)
export const BYTES_TAG = 'b'.charCodeAt(0)

/** Flat values become text; others a copy of their bytes, tag included. */
export const decoder: ValueDecoder = {
  isFlat: (tag) => tag === FLAT_TAG,
  decodeFlat: (bytes, start, end) => bytes.toString('latin1', start + 1, end),
  decodeValue: (bytes, start, end) => Buffer.from(bytes.subarray(start, end)),
}

/** FNV-1a: any hash will do, also one that is cut down to force collisions. */
export function hashOf(bytes: Buffer, start: number, end: number, bits = 32): number {
  let hash = 0x811c9dc5
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193)
  return bits === 32 ? hash : hash & ((1 << bits) - 1)
}

/** A value of `length` bytes that can be told from every other: its content follows from `seed`. */
export function valueOf(seed: number, length: number, tag = BYTES_TAG): Buffer {
  const value = Buffer.alloc(Math.max(1, length))
  let state = seed * 2654435761 | 1
  for (let at = 1; at < value.length; at++) {
    state = Math.imul(state, 1664525) + 1013904223 | 0
    value[at] = state >>> 24
  }
  value[0] = tag
  return value
}

export class TableUnderTest {
  readonly table: SharedArrayBuffer
  readonly transactions: SharedArrayBuffer
  readonly reader: TableReader
  readonly #hashBits: number
  writer: TableWriter

  constructor(bytes: number, policy: PolicyName = 'fifo', hashBits = 32, transactions = new SharedArrayBuffer(TRANSACTIONS_BYTES)) {
    this.table = createTable({ bytes, seed: 7 })
    this.transactions = transactions
    this.writer = TableWriter.open(this.table, { policy })
    this.reader = new TableReader(this.table, decoder, transactions)
    this.#hashBits = hashBits
  }

  reopen(policy: PolicyName = 'fifo'): void {
    this.writer = TableWriter.open(this.table, { policy })
  }

  put(key: string, value: Buffer, modifiedMs = 1, expiresMs = 0, durationMs = 0): boolean {
    const bytes = Buffer.from(key)
    return this.writer.put(this.#hash(bytes), bytes, 0, bytes.length, value, 0, value.length, modifiedMs, expiresMs, durationMs)
  }

  find(key: string): number {
    const bytes = Buffer.from(key)
    return this.writer.find(this.#hash(bytes), bytes, 0, bytes.length)
  }

  remove(key: string): boolean {
    const block = this.find(key)
    if (block !== 0) this.writer.remove(block)
    return block !== 0
  }

  pick(key: string, into: ScanBatch): 1 | 0 | -1 {
    const bytes = Buffer.from(key)
    return this.reader.pick(this.#hash(bytes), bytes, 0, bytes.length, into, true)
  }

  /** The value as it was put, undefined if it is missing. */
  get(key: string, clock: ReaderClock | null = null): Buffer | undefined {
    const bytes = Buffer.from(key)
    const value = this.reader.get(this.#hash(bytes), bytes, 0, bytes.length, clock)
    if (value === MISSING) return undefined
    if (value === BUSY) throw new Error('busy')
    return typeof value === 'string' ? Buffer.from(`s${value}`, 'latin1') : value as Buffer
  }

  has(key: string, clock: ReaderClock | null = null): boolean {
    const bytes = Buffer.from(key)
    return this.reader.has(this.#hash(bytes), bytes, 0, bytes.length, clock) === true
  }

  locate(key: string, clock: ReaderClock | null = null): boolean {
    const bytes = Buffer.from(key)
    return this.reader.locate(this.#hash(bytes), bytes, 0, bytes.length, clock) === 1
  }

  /** Does something on behalf of the transaction in a slot. */
  within<T>(slot: number, act: () => T): T {
    this.writer.slot = slot
    try {
      return act()
    } finally {
      this.writer.slot = 0
    }
  }

  /** The block that is prepared for a key under a slot, or 0. */
  prepared(slot: number, key: string): number {
    const bytes = Buffer.from(key)
    return this.writer.prepared(slot, this.#hash(bytes), bytes, 0, bytes.length)
  }

  setSlot(slot: number, state: SlotState, generation = 1): void {
    Atomics.store(new Int32Array(this.transactions), slot, slotWord(generation, state))
  }

  hashOf(key: string): number {
    return this.#hash(Buffer.from(key))
  }

  keyAt(block: number): string {
    const scratch = new Scratch()
    this.writer.copyKey(block, scratch)
    return scratch.bytes.toString('utf8', 0, scratch.end)
  }

  /** Keys in the order of insertion, oldest first. */
  keysInOrder(): string[] {
    const keys: string[] = []
    for (let block = this.writer.oldest; block !== 0; block = this.writer.after(block)) keys.push(this.keyAt(block))
    return keys
  }

  #hash(bytes: Buffer): number {
    return hashOf(bytes, 0, bytes.length, this.#hashBits)
  }
}
