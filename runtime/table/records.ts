/**
 * Entries packed into bytes, one behind the other: what a message that imports entries carries, what a shard answers to a
 * scan, and what a block of a dump holds. A record:
 *
 *   u8     1 if it has an expiry, else 0
 *   u48    modified, ms since 1970
 *   f64 ×2 only with an expiry: expires, ms since 1970, and the time to live set last, ms
 *   count  bytes of the key        count  bytes of the value (counts as in `codec/tags.ts`)
 *   key, value
 *
 * Numbers are little-endian. The bytes of key and value are what the codecs wrote; nothing here looks inside.
 */
import { MAX_TIME_MS } from '../clock.js'
import { writeCount } from '../codec/raw-bytes.js'
import type { Scratch } from '../codec/scratch.js'
import { CacheError } from '../errors.js'
import { copyBytes, ViewOf } from './bytes.js'
import type { ScanBatch } from './scan-batch.js'

const MODIFIED_BYTES = 6
const EXPIRY_BYTES = 16

/** What a record takes beyond its key and value, at most. */
export const MAX_RECORD_HEADER = 1 + MODIFIED_BYTES + EXPIRY_BYTES + 5 + 5

const from = new ViewOf()
const to = new ViewOf()

/** Appends an entry at `into.end`. `expiresMs` 0: never. The times have to be whole and in the range of a table's. */
export function appendRecord(
  into: Scratch, keyBytes: Buffer, keyStart: number, keyEnd: number, valueBytes: Buffer, valueStart: number, valueEnd: number,
  modifiedMs: number, expiresMs: number, durationMs: number,
): void {
  const keyLength = keyEnd - keyStart
  const valueLength = valueEnd - valueStart
  into.ensure(MAX_RECORD_HEADER + keyLength + valueLength)
  const { bytes } = into
  let at = into.end
  bytes[at++] = expiresMs > 0 ? 1 : 0
  bytes.writeUIntLE(modifiedMs, at, MODIFIED_BYTES)
  at += MODIFIED_BYTES
  if (expiresMs > 0) {
    bytes.writeDoubleLE(expiresMs, at)
    bytes.writeDoubleLE(durationMs, at + 8)
    at += EXPIRY_BYTES
  }
  at = writeCount(bytes, at, keyLength)
  at = writeCount(bytes, at, valueLength)
  copyBytes(bytes, to.of(bytes), at, keyBytes, from.of(keyBytes), keyStart, keyEnd)
  at += keyLength
  copyBytes(bytes, to.of(bytes), at, valueBytes, from.of(valueBytes), valueStart, valueEnd)
  into.end = at + valueLength
}

/** Reads records one after the other. What is none: `ERR_FRAME`, and `at` is where it begins. */
export class RecordReader {
  readonly bytes: Buffer
  /** Of the record that `next` has read. */
  keyStart = 0
  keyEnd = 0
  valueStart = 0
  valueEnd = 0
  modified = 0
  /** 0 for never. */
  expires = 0
  duration = 0
  /** Where the next record begins. */
  at: number
  readonly #end: number
  #cursor = 0

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.bytes = bytes
    this.at = start
    this.#end = end
  }

  /** Reads the next record; false at the end. */
  next(): boolean {
    const { bytes, at } = this
    const end = this.#end
    if (at >= end) return false
    const hasExpiry = bytes[at]!
    if (hasExpiry > 1 || at + 1 + MODIFIED_BYTES + hasExpiry * EXPIRY_BYTES > end) malformed()
    this.modified = bytes.readUIntLE(at + 1, MODIFIED_BYTES)
    this.#cursor = at + 1 + MODIFIED_BYTES
    if (hasExpiry === 1) {
      this.expires = readTime(bytes, this.#cursor)
      this.duration = readTime(bytes, this.#cursor + 8)
      if (this.expires === 0) malformed()
      this.#cursor += EXPIRY_BYTES
    } else {
      this.expires = this.duration = 0
    }
    const keyLength = this.#count()
    const valueLength = this.#count()
    this.keyStart = this.#cursor
    this.keyEnd = this.valueStart = this.keyStart + keyLength
    this.valueEnd = this.valueStart + valueLength
    if (this.valueEnd > end) malformed()
    this.at = this.valueEnd
    return true
  }

  #count(): number {
    let count = 0
    let factor = 1
    for (let index = 0; index < 5; index++) {
      if (this.#cursor >= this.#end) malformed()
      const byte = this.bytes[this.#cursor++]!
      count += (byte & 0x7f) * factor
      factor *= 0x80
      if (byte < 0x80) return byte === 0 && index > 0 ? malformed() : count
    }
    return malformed()
  }
}

/** Fills a batch with packed entries, as a scan would. */
export function unpackRecords(packed: Uint8Array, into: ScanBatch): void {
  into.reset()
  into.scratch.ensure(packed.length)
  into.scratch.bytes.set(packed)
  into.scratch.end = packed.length
  const record = new RecordReader(into.scratch.bytes, 0, packed.length)
  for (; record.next(); into.count++) {
    const index = into.count
    into.keyStarts[index] = record.keyStart
    into.keyEnds[index] = record.keyEnd
    into.valueStarts[index] = record.valueStart
    into.valueEnds[index] = record.valueEnd
    into.modified[index] = record.modified
    into.expires[index] = record.expires
    into.durations[index] = record.duration
  }
}

function readTime(bytes: Buffer, at: number): number {
  const ms = bytes.readDoubleLE(at)
  return Number.isInteger(ms) && ms >= 0 && ms <= MAX_TIME_MS ? ms : malformed()
}

function malformed(): never {
  throw new CacheError('ERR_FRAME', 'malformed record of an entry')
}
