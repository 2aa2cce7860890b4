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
import { BlockCopier } from './block-copier.js'
import { BucketScanner } from './bucket-scanner.js'
import { readTime, sameBytes } from './bytes.js'
import {
  BLOCK_BITS, BYTES_USED_WORD, countRead, ENTRIES_WORD, FIXED_WORDS, HASH, HAS_EXPIRY, headOf, inlineLengthOf, isRemoval, keyLengthOf, keyOffset, LARGE, largeWord,
  LENS, MODIFIED, READ_NOTES_WORD, stateOf, tableGeometry, TAGGED, tagWord, versionOf,
} from './layout.js'
import { READ_NOTES } from './policies/policy.js'
import { ReadLogStrip } from './read-log.js'
import type { ScanBatch } from './scan-batch.js'
import { SLOT_STATE, stateOfSlot } from './transactions.js'
import { CHAIN_CHECK, isUnmoved, MAX_TRIES } from './version.js'

export { ScanBatch } from './scan-batch.js'

/** No entry of that key, or one whose time has come. */
export const MISSING: unique symbol = Symbol('missing')
/** No consistent look at the entry in `MAX_TRIES` tries. */
export const BUSY: unique symbol = Symbol('busy')

/** What `#valueAt` returns if the version moved. */
const MOVED: unique symbol = Symbol('moved')

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

const NO_SLOTS = new Int32Array(0)

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
  /** Filled by `look`: the block that it found, 0 for none, and the version under which it did. */
  seenBlock = 0
  seenVersion = 0
  /** How often a read of one key had to be repeated because the version moved. */
  retries = 0
  readonly #decoder: ValueDecoder
  readonly #words: Int32Array
  readonly #bytes: Buffer
  readonly #scratch = new Scratch()
  readonly #bucketScale: number
  readonly #firstBlock: number
  readonly #lastBlock: number
  readonly #slots: Int32Array
  readonly #copier: BlockCopier
  readonly #scanner: BucketScanner
  readonly #log: ReadLogStrip
  /** Where `#copyValue` has put the value. */
  #copiedAt = 0

  /**
   * @param transactions the cache's table of transactions (`transactions.ts`), without which nothing that is prepared counts
   */
  constructor(table: SharedArrayBuffer, decoder: ValueDecoder, transactions?: SharedArrayBuffer) {
    this.#decoder = decoder
    this.#words = new Int32Array(table)
    this.#bytes = Buffer.from(table)
    const geometry = tableGeometry(table)
    this.capacityBytes = geometry.bytes
    this.#bucketScale = geometry.bucketScale
    this.#firstBlock = geometry.firstBlock
    this.#lastBlock = geometry.lastBlock
    this.#slots = transactions === undefined ? NO_SLOTS : new Int32Array(transactions)
    this.#copier = new BlockCopier(this.#words, this.#bytes, geometry)
    this.#scanner = new BucketScanner(this.#words, this.#bytes, geometry, this.#slots, this.#copier)
    this.#log = new ReadLogStrip(this.#words, geometry)
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
        } else {
          const value = this.#valueAt(block, lens, keyEnd - keyStart, version, seen)
          if (value !== MOVED) {
            this.#note(head, hash)
            return value
          }
        }
      }
      this.retries++
    }
    return BUSY
  }

  /**
   * As `get` without a clock, and notes what is needed to tell later whether that still holds: `seenBlock`, `seenVersion` and
   * `expiresAt`, 0 for never.
   */
  look(hash: number, key: Buffer, keyStart: number, keyEnd: number): unknown {
    const words = this.#words
    hash |= 0
    const head = headOf(hash, this.#bucketScale)
    const version = versionOf(head)
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const seen = this.seenVersion = Atomics.load(words, version)
      const block = this.seenBlock = this.#seek(head, version, seen, hash, key, keyStart, keyEnd)
      if (block === 0) {
        if (isUnmoved(words, version, seen)) return MISSING
      } else if (block > 0) {
        const lens = words[(block >> 2) + LENS]!
        this.expiresAt = (lens & HAS_EXPIRY) === 0 ? 0 : readTime(words, (block >> 2) + FIXED_WORDS)
        const value = this.#valueAt(block, lens, keyEnd - keyStart, version, seen)
        if (value !== MOVED) return value
      }
      this.retries++
    }
    return BUSY
  }

  /**
   * Whether a key holds what `look` found, and has held it all the time since.
   *
   * The version alone does not tell: a writer publishes first, which others may have seen and acted upon, and moves the version
   * then. So the chain is walked again. Between two stores that change what a key holds the version moves, so at most one of them
   * has gone unnoticed, and that one shows in the chain.
   */
  holds(hash: number, key: Buffer, keyStart: number, keyEnd: number, block: number, seen: number): boolean {
    hash |= 0
    const head = headOf(hash, this.#bucketScale)
    const version = versionOf(head)
    return Atomics.load(this.#words, version) === seen && this.#seek(head, version, seen, hash, key, keyStart, keyEnd) === block
      && isUnmoved(this.#words, version, seen)
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
    return this.#scanner.scan(cursor, maxEntries, into, withValues)
  }

  /**
   * Appends the entry of one key to a batch, as `scan` does it, expired or not.
   *
   * @returns 1, 0 if it is missing, -1 for busy
   */
  pick(hash: number, key: Buffer, keyStart: number, keyEnd: number, into: ScanBatch, withValue: boolean): 1 | 0 | -1 {
    return this.#scanner.pick(hash, key, keyStart, keyEnd, into, withValue)
  }

  /** The value of a block, or `MOVED`. */
  #valueAt(block: number, lens: number, keyLength: number, version: number, seen: number): unknown {
    const words = this.#words
    if ((lens & LARGE) === 0) {
      const start = block + keyOffset(lens) + keyLength
      const end = start + inlineLengthOf(lens)
      if (this.#decoder.isFlat(this.#bytes[start]!)) {
        const value = this.#decodeFlat(start, end, version, seen)
        return isUnmoved(words, version, seen) ? value : MOVED
      }
      this.#copyInline(start, end)
      return isUnmoved(words, version, seen) ? this.#decoder.decodeValue(this.#scratch.bytes, this.#copiedAt, this.#copiedAt + end - start) : MOVED
    }
    const length = this.#copyLarge(block, lens, version, seen)
    return length >= 0 && isUnmoved(words, version, seen) ? this.#decodeLarge(length) : MOVED
  }

  /**
   * Walks a chain: the block that a key holds, 0 if it holds none, -1 if the chain is none. What it returns holds for `seen`.
   *
   * The entry comes last: a prepared block before it takes its place once it is committed, and is passed over until then.
   */
  #seek(head: number, version: number, seen: number, hash: number, key: Buffer, keyStart: number, keyEnd: number): number {
    const words = this.#words
    let block = Atomics.load(words, head) & BLOCK_BITS
    for (let steps = 1; block !== 0; steps++) {
      if (block < this.#firstBlock || block > this.#lastBlock || (block & 7) !== 0) return -1
      const word = block >> 2
      if (words[word + HASH] === hash) {
        const lens = words[word + LENS]!
        if (lens >= 0 && keyLengthOf(lens) === keyEnd - keyStart && sameBytes(this.#bytes, block + keyOffset(lens), key, keyStart, keyEnd)) {
          if (lens < TAGGED) return block
          const slot = words[tagWord(word, lens)] ?? 0
          if (slot === 0) return block
          if (stateOfSlot(this.#slots, slot) === SLOT_STATE.committed) return isRemoval(lens) ? 0 : block
        }
      }
      if (steps % CHAIN_CHECK === 0 && !isUnmoved(words, version, seen)) return -1
      block = Atomics.load(words, word)
    }
    return 0
  }

  /** Leaves a note of a read for the policy, if it wants any. */
  #note(head: number, hash: number): void {
    const notes = this.#words[READ_NOTES_WORD]!
    if (notes === READ_NOTES.bits) countRead(this.#words, head)
    else if (notes === READ_NOTES.hashes) this.#log.note(hash)
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
    this.#copiedAt = this.#copier.copy(this.#scratch, start, end)
  }

  /** Copies a large value to the front of the scratch buffer; its length, or -1. */
  #copyLarge(block: number, lens: number, version: number, seen: number): number {
    this.#scratch.end = 0
    return this.#copier.copyLarge(this.#scratch, block, lens, version, seen)
  }

  #decodeLarge(length: number): unknown {
    try {
      return this.#decoder.decodeValue(this.#scratch.bytes, 0, length)
    } finally {
      this.#scratch.reset()
    }
  }
}
