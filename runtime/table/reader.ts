/**
 * Reads a table from any thread, without locks and without messages.
 *
 * A read loads the version of the key's buckets, finds the entry, copies what it needs or decodes it on the spot if that
 * makes one value out of flat bytes, and looks at the version again. If that has moved, what was read may be of a block that
 * has been freed and used again: it is thrown away and read anew. So until the second look nothing that was read is trusted:
 * offsets are checked for range and alignment, lengths before use, walks are bounded.
 *
 * May be relied on: a result is what the table held at one moment of the call. A write that was done before the call began is
 * seen. Not: an answer always; a writer that changes these very buckets without pause can make it BUSY.
 */
import type { NodeClock } from '../clock.js'
import { Scratch } from '../codec/scratch.js'
import { readTime, sameBytes } from './bytes.js'
import {
  BLOCK_BITS, bucketOf, BYTES_USED_WORD, ENTRIES_WORD, FIXED_WORDS, HASH, HAS_EXPIRY, headOf, headOfBucket, inlineLengthOf, keyLengthOf, keyOffset, LARGE, largeWord, LENS,
  MODIFIED, NO_ENTRY, SEGMENT_BYTES, stateOf, tableGeometry, versionOf, type Geometry,
} from './layout.js'
import { segmentLength } from './large.js'
import type { ScanBatch } from './scan-batch.js'
import { isUnmoved } from './version.js'

export { ScanBatch } from './scan-batch.js'

/** No entry of that key, or one whose time has come. */
export const MISSING: unique symbol = Symbol('missing')
/** No consistent look at the entry in `MAX_TRIES` tries. */
export const BUSY: unique symbol = Symbol('busy')

/** How values are made of bytes: `runtime/codec/value.ts`, handed in so that the table knows nothing of values. */
export interface ValueDecoder {
  /** Whether a value with this first byte is made of its bytes alone and at once: a string, a number. */
  isFlat(tag: number): boolean
  /** Decodes a flat value straight from shared memory, which may change meanwhile: what it returns or throws is then ignored. */
  decodeFlat(bytes: Buffer, start: number, end: number): unknown
  decodeValue(bytes: Buffer, start: number, end: number): unknown
}

/** The part of the clock that a reader needs. */
export type ReaderClock = Pick<NodeClock, 'now'>

const MAX_TRIES = 64
/** After so many blocks of a chain a reader makes sure that it is still one. */
const CHAIN_CHECK = 32
/** Buckets of one call of `scan`: empty ones take 6 ns each. */
const SCAN_BUCKETS = 65_536
/** Copies of more words than this go through a view. */
const LONG_WORDS = 80
/** A value beyond this is checked once more before memory is taken for it. */
const CAUTIOUS_BYTES = 65_536

export class TableReader {
  /** Filled by `locate`: ms since 1970, 0 for never. */
  expiresAt = 0
  /** Filled by `locate`: the time to live set last, 0 for none. */
  duration = 0
  /** Filled by `locate`: ms since 1970. */
  modifiedAt = 0
  /** Filled by `locate`: bytes of the encoded value. */
  valueLength = 0
  /** Size of the table. */
  readonly capacityBytes: number
  /** How often a read had to be repeated because the version moved. */
  retries = 0
  readonly #decoder: ValueDecoder
  readonly #words: Int32Array
  readonly #bytes: Buffer
  readonly #scratch = new Scratch()
  readonly #geometry: Geometry
  readonly #bucketScale: number
  readonly #firstBlock: number
  readonly #lastBlock: number
  /** Where `#copyValue` has put the value. */
  #copiedAt = 0

  constructor(table: SharedArrayBuffer, decoder: ValueDecoder) {
    this.#decoder = decoder
    this.#words = new Int32Array(table)
    this.#bytes = Buffer.from(table)
    const geometry = this.#geometry = tableGeometry(table)
    this.capacityBytes = geometry.bytes
    this.#bucketScale = geometry.bucketScale
    this.#firstBlock = geometry.firstBlock
    this.#lastBlock = geometry.lastBlock
  }

  get entries(): number {
    return this.#words[ENTRIES_WORD]!
  }

  /** Bytes of the pages in use, the header and the index. */
  get bytesUsed(): number {
    return this.#words[BYTES_USED_WORD]! >>> 0
  }

  /** One of `TABLE_STATE`. */
  get state(): number {
    return stateOf(this.#words)
  }

  /**
   * The value of a key.
   *
   * @param hash the hash that the key was put with
   * @param clock tells whether an entry with an expiry is still there; null: entries that are not swept yet are
   * @returns the decoded value, `MISSING` or `BUSY`
   */
  get(hash: number, key: Buffer, keyStart: number, keyEnd: number, clock: ReaderClock | null): unknown {
    const words = this.#words
    hash |= 0
    const head = headOf(hash, this.#bucketScale)
    const version = versionOf(head)
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const seen = Atomics.load(words, version)
      const block = this.#seek(head, version, seen, hash, key, keyStart, keyEnd)
      if (block === 0) {
        if (isUnmoved(words, version, seen)) return MISSING
      } else if (block > 0) {
        const lens = words[(block >> 2) + LENS]!
        const expired = (lens & HAS_EXPIRY) !== 0 && clock !== null && readTime(words, (block >> 2) + FIXED_WORDS) <= clock.now()
        if (expired) {
          if (isUnmoved(words, version, seen)) return MISSING
        } else if ((lens & LARGE) === 0) {
          const start = block + keyOffset(lens) + keyEnd - keyStart
          const end = start + inlineLengthOf(lens)
          if (this.#decoder.isFlat(this.#bytes[start]!)) {
            const value = this.#decodeFlat(start, end, version, seen)
            if (isUnmoved(words, version, seen)) return value
          } else {
            this.#copyInline(start, end)
            if (isUnmoved(words, version, seen)) return this.#decoder.decodeValue(this.#scratch.bytes, this.#copiedAt, this.#copiedAt + end - start)
          }
        } else {
          const length = this.#copyLarge(block, lens, version, seen)
          if (length >= 0 && isUnmoved(words, version, seen)) return this.#decodeLarge(length)
        }
      }
      this.retries++
    }
    return BUSY
  }

  /** Whether there is an entry of a key. See `get`. */
  has(hash: number, key: Buffer, keyStart: number, keyEnd: number, clock: ReaderClock | null): boolean | typeof BUSY {
    const found = this.locate(hash, key, keyStart, keyEnd, clock)
    return found < 0 ? BUSY : found > 0
  }

  /**
   * Looks an entry up without its value. See `get`.
   *
   * @returns 1 with `expiresAt`, `duration`, `modifiedAt` and `valueLength` filled, 0 if it is missing, -1 for busy
   */
  locate(hash: number, key: Buffer, keyStart: number, keyEnd: number, clock: ReaderClock | null): 1 | 0 | -1 {
    const words = this.#words
    hash |= 0
    const head = headOf(hash, this.#bucketScale)
    const version = versionOf(head)
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const seen = Atomics.load(words, version)
      const block = this.#seek(head, version, seen, hash, key, keyStart, keyEnd)
      if (block > 0) {
        const word = block >> 2
        const lens = words[word + LENS]!
        const hasExpiry = (lens & HAS_EXPIRY) !== 0
        const expires = hasExpiry ? readTime(words, word + FIXED_WORDS) : 0
        const duration = hasExpiry ? readTime(words, word + FIXED_WORDS + 2) : 0
        const modified = (words[word + MODIFIED]! >>> 0) + (words[word + MODIFIED + 1]! & 0xffff) * 4294967296
        const length = (lens & LARGE) === 0 ? inlineLengthOf(lens) : words[largeWord(word, lens)]!
        if (isUnmoved(words, version, seen)) {
          if (hasExpiry && clock !== null && expires <= clock.now()) return 0
          this.expiresAt = expires
          this.duration = duration
          this.modifiedAt = modified
          this.valueLength = length
          return 1
        }
      } else if (block === 0 && isUnmoved(words, version, seen)) return 0
      this.retries++
    }
    return -1
  }

  /**
   * Copies the entries of the next buckets. Each bucket is as it was at one moment; an entry stays in its bucket for life, so
   * a round from cursor 0 to 0 meets every entry that is there throughout exactly once. Expired entries are met too.
   *
   * @param cursor 0 to begin, then what the last call returned
   * @param maxEntries stops after the bucket that brings so many entries, or `into.maxBytes`; after 65,536 buckets in any case
   * @returns the next cursor, 0 at the end; a negative one, with which to go on all the same, after a bucket was busy
   */
  scan(cursor: number, maxEntries: number, into: ScanBatch, withValues: boolean): number {
    into.reset()
    let bucket = cursor < 0 ? ~cursor : cursor
    const { buckets } = this.#geometry
    const last = Math.min(buckets, bucket + SCAN_BUCKETS)
    for (; bucket < last; bucket++) {
      if (into.count >= maxEntries || into.scratch.end >= into.maxBytes) return bucket
      if ((Atomics.load(this.#words, headOfBucket(bucket)) & BLOCK_BITS) !== 0 && !this.#scanBucket(bucket, into, withValues)) return ~bucket
    }
    return bucket < buckets ? bucket : 0
  }

  /**
   * Appends the entry of one key to a batch, as `scan` does it, expired or not.
   *
   * @returns 1, 0 if it is missing, -1 for busy
   */
  pick(hash: number, key: Buffer, keyStart: number, keyEnd: number, into: ScanBatch, withValue: boolean): 1 | 0 | -1 {
    const first = into.count
    if (!this.#scanBucket(bucketOf(hash, this.#bucketScale), into, withValue)) return -1
    let found = first
    while (found < into.count && !into.hasKey(found, key, keyStart, keyEnd)) found++
    if (found === into.count) {
      into.count = first
      return 0
    }
    into.move(found, first)
    into.count = first + 1
    return 1
  }

  #scanBucket(bucket: number, into: ScanBatch, withValues: boolean): boolean {
    const words = this.#words
    const version = versionOf(headOfBucket(bucket))
    const count = into.count
    const end = into.scratch.end
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const seen = Atomics.load(words, version)
      if (this.#copyBucket(bucket, into, withValues, version, seen) && isUnmoved(words, version, seen)) return true
      into.count = count
      into.scratch.end = end
      this.retries++
    }
    return false
  }

  #copyBucket(bucket: number, into: ScanBatch, withValues: boolean, version: number, seen: number): boolean {
    const words = this.#words
    const { scratch } = into
    let block = Atomics.load(words, headOfBucket(bucket)) & BLOCK_BITS
    for (let steps = 1; block !== 0; steps++) {
      if (!this.#isBlock(block) || (steps % CHAIN_CHECK === 0 && !isUnmoved(words, version, seen))) return false
      const word = block >> 2
      const lens = words[word + LENS]!
      if ((lens & NO_ENTRY) !== 0) return false
      const keyStart = block + keyOffset(lens)
      const keyLength = keyLengthOf(lens)
      const index = into.count
      into.keyStarts[index] = this.#copyInto(scratch, keyStart, keyStart + keyLength)
      into.keyEnds[index] = into.keyStarts[index] + keyLength
      const hasExpiry = (lens & HAS_EXPIRY) !== 0
      into.expires[index] = hasExpiry ? readTime(words, word + FIXED_WORDS) : 0
      into.durations[index] = hasExpiry ? readTime(words, word + FIXED_WORDS + 2) : 0
      into.modified[index] = (words[word + MODIFIED]! >>> 0) + (words[word + MODIFIED + 1]! & 0xffff) * 4294967296
      into.valueStarts[index] = into.valueEnds[index] = 0
      if (withValues) {
        if ((lens & LARGE) === 0) {
          const length = inlineLengthOf(lens)
          into.valueStarts[index] = this.#copyInto(scratch, keyStart + keyLength, keyStart + keyLength + length)
          into.valueEnds[index] = into.valueStarts[index] + length
        } else {
          const start = scratch.end
          const length = this.#appendLarge(scratch, block, lens, version, seen)
          if (length < 0) return false
          into.valueStarts[index] = start
          into.valueEnds[index] = start + length
        }
      }
      into.count++
      block = Atomics.load(words, word)
    }
    return true
  }

  /** Walks a chain: the key's block, 0 if it is not there, -1 if the chain is none. What it returns holds for `seen`. */
  #seek(head: number, version: number, seen: number, hash: number, key: Buffer, keyStart: number, keyEnd: number): number {
    const words = this.#words
    let block = Atomics.load(words, head) & BLOCK_BITS
    for (let steps = 1; block !== 0; steps++) {
      if (block < this.#firstBlock || block > this.#lastBlock || (block & 7) !== 0) return -1
      const word = block >> 2
      if (words[word + HASH] === hash) {
        const lens = words[word + LENS]!
        if (lens >= 0 && keyLengthOf(lens) === keyEnd - keyStart && sameBytes(this.#bytes, block + keyOffset(lens), key, keyStart, keyEnd)) return block
      }
      if (steps % CHAIN_CHECK === 0 && !isUnmoved(words, version, seen)) return -1
      block = Atomics.load(words, word)
    }
    return 0
  }

  #isBlock(block: number): boolean {
    return block >= this.#firstBlock && block <= this.#lastBlock && (block & 7) === 0
  }

  /** Decodes in place. What is thrown over bytes that changed meanwhile is not an error of the value. */
  #decodeFlat(start: number, end: number, version: number, seen: number): unknown {
    try {
      return this.#decoder.decodeFlat(this.#bytes, start, end)
    } catch (error) {
      if (isUnmoved(this.#words, version, seen)) throw error
      return undefined
    }
  }

  /** Copies bytes of the table to the front of the scratch buffer, at `#copiedAt`. */
  #copyInline(start: number, end: number): void {
    this.#scratch.end = 0
    this.#copiedAt = this.#copyInto(this.#scratch, start, end)
  }

  /** Appends bytes of the table to a scratch buffer, with the alignment that they have, and returns where they begin. */
  #copyInto(scratch: Scratch, start: number, end: number): number {
    const words = this.#words
    scratch.end = (scratch.end + 3) & ~3
    const first = start >> 2
    const count = ((end + 3) >> 2) - first
    scratch.ensure(count * 4 + 4)
    const to = scratch.end >> 2
    if (count > LONG_WORDS) scratch.words.set(words.subarray(first, first + count), to)
    else for (let index = 0; index < count; index++) scratch.words[to + index] = words[first + index]!
    const at = scratch.end + (start & 3)
    scratch.end = at + end - start
    return at
  }

  /** Copies a large value to the front of the scratch buffer; its length, or -1. */
  #copyLarge(block: number, lens: number, version: number, seen: number): number {
    this.#scratch.end = 0
    return this.#appendLarge(this.#scratch, block, lens, version, seen)
  }

  #appendLarge(scratch: Scratch, block: number, lens: number, version: number, seen: number): number {
    const words = this.#words
    const length = words[largeWord(block >> 2, lens)]!
    if (length < 0 || length > this.#geometry.maxValueBytes) return -1
    if (length > CAUTIOUS_BYTES && !isUnmoved(words, version, seen)) return -1
    scratch.ensure(length)
    let left = length
    let segment = Atomics.load(words, largeWord(block >> 2, lens) + 1)
    for (let steps = 1; segment !== 0; steps++) {
      if (!this.#isBlock(segment)) return -1
      if (steps % CHAIN_CHECK === 0 && !isUnmoved(words, version, seen)) return -1
      const piece = segmentLength(words[(segment >> 2) + LENS]!)
      const start = segment + SEGMENT_BYTES
      if (piece === 0 || piece > left || start + piece > this.capacityBytes) return -1
      scratch.bytes.set(this.#bytes.subarray(start, start + piece), scratch.end)
      scratch.end += piece
      left -= piece
      segment = Atomics.load(words, segment >> 2)
    }
    return left === 0 ? length : -1
  }

  #decodeLarge(length: number): unknown {
    try {
      return this.#decoder.decodeValue(this.#scratch.bytes, 0, length)
    } finally {
      this.#scratch.reset()
    }
  }
}
