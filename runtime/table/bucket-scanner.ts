/**
 * Copies whole buckets of a table, for walks over everything that is in it. The part of `TableReader` that `scan` and `pick` are.
 *
 * A bucket is copied as it was at one moment, also where transactions have prepared something in it: a block that counts is
 * met before the entry that it replaces, and one that did not count must not do so at the end.
 */
import { sameBytes, readTime } from './bytes.js'
import type { BlockCopier } from './block-copier.js'
import {
  BLOCK_BITS, bucketOf, FIXED_WORDS, HAS_EXPIRY, headOfBucket, inlineLengthOf, isRemoval, keyLengthOf, keyOffset, LARGE, LENS, modifiedAt, NO_ENTRY, TAGGED,
  tagWord, versionOf, type Geometry,
} from './layout.js'
import type { ScanBatch } from './scan-batch.js'
import { SLOT_STATE, stateOfSlot } from './transactions.js'
import { CHAIN_CHECK, isUnmoved, MAX_TRIES } from './version.js'

/** Buckets of one call of `scan`: empty ones take 6 ns each. */
const SCAN_BUCKETS = 65_536

export class BucketScanner {
  readonly #words: Int32Array
  readonly #bytes: Buffer
  readonly #geometry: Geometry
  readonly #slots: Int32Array
  readonly #copier: BlockCopier
  /** In the bucket that is being copied: prepared blocks that count, and slots that were not committed. */
  readonly #replacing: number[] = []
  readonly #undecided: number[] = []

  constructor(words: Int32Array, bytes: Buffer, geometry: Geometry, slots: Int32Array, copier: BlockCopier) {
    this.#words = words
    this.#bytes = bytes
    this.#geometry = geometry
    this.#slots = slots
    this.#copier = copier
  }

  /** See `TableReader.scan`. */
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

  /** See `TableReader.pick`. */
  pick(hash: number, key: Buffer, keyStart: number, keyEnd: number, into: ScanBatch, withValue: boolean): 1 | 0 | -1 {
    const first = into.count
    if (!this.#scanBucket(bucketOf(hash, this.#geometry.bucketScale), into, withValue)) return -1
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
    }
    return false
  }

  #copyBucket(bucket: number, into: ScanBatch, withValues: boolean, version: number, seen: number): boolean {
    const words = this.#words
    const { scratch } = into
    this.#replacing.length = this.#undecided.length = 0
    let block = Atomics.load(words, headOfBucket(bucket)) & BLOCK_BITS
    for (let steps = 1; block !== 0; steps++, block = Atomics.load(words, block >> 2)) {
      if (!this.#copier.isBlock(block) || (steps % CHAIN_CHECK === 0 && !isUnmoved(words, version, seen))) return false
      const word = block >> 2
      const lens = words[word + LENS]!
      if ((lens & NO_ENTRY) !== 0) return false
      if (((lens & TAGGED) !== 0 || this.#replacing.length > 0) && !this.#counts(block, lens)) continue
      const keyStart = block + keyOffset(lens)
      const keyLength = keyLengthOf(lens)
      const index = into.count
      into.keyStarts[index] = this.#copier.copy(scratch, keyStart, keyStart + keyLength)
      into.keyEnds[index] = into.keyStarts[index] + keyLength
      const hasExpiry = (lens & HAS_EXPIRY) !== 0
      into.expires[index] = hasExpiry ? readTime(words, word + FIXED_WORDS) : 0
      into.durations[index] = hasExpiry ? readTime(words, word + FIXED_WORDS + 2) : 0
      const modified = modifiedAt(words, block)
      into.modified[index] = Math.floor(modified)
      into.fractions[index] = modified - into.modified[index]
      into.valueStarts[index] = into.valueEnds[index] = 0
      if (withValues) {
        if ((lens & LARGE) === 0) {
          const length = inlineLengthOf(lens)
          into.valueStarts[index] = this.#copier.copy(scratch, keyStart + keyLength, keyStart + keyLength + length)
          into.valueEnds[index] = into.valueStarts[index] + length
        } else {
          const start = scratch.end
          const length = this.#copier.copyLarge(scratch, block, lens, version, seen)
          if (length < 0) return false
          into.valueStarts[index] = start
          into.valueEnds[index] = start + length
        }
      }
      into.count++
    }
    // What was not committed when it was met has to be so still, or the bucket would hold a part of a transaction.
    return this.#undecided.every((slot) => stateOfSlot(this.#slots, slot) !== SLOT_STATE.committed)
  }

  /** In a bucket that is being copied, blocks one after the other: whether a block is what its key holds. */
  #counts(block: number, lens: number): boolean {
    const words = this.#words
    const slot = (lens & TAGGED) === 0 ? 0 : words[tagWord(block >> 2, lens)] ?? 0
    if (slot === 0) return !this.#replacing.some((prepared) => this.#hasSameKey(prepared, block, lens))
    if (stateOfSlot(this.#slots, slot) !== SLOT_STATE.committed) {
      this.#undecided.push(slot)
      return false
    }
    this.#replacing.push(block)
    return !isRemoval(lens)
  }

  #hasSameKey(other: number, block: number, lens: number): boolean {
    const otherLens = this.#words[(other >> 2) + LENS]!
    const keyStart = block + keyOffset(lens)
    return keyLengthOf(otherLens) === keyLengthOf(lens) && sameBytes(this.#bytes, other + keyOffset(otherLens), this.#bytes, keyStart, keyStart + keyLengthOf(lens))
  }
}
