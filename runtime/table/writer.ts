/**
 * The one writer of a table.
 *
 * Every change is the same four steps: fill a block that no reader can reach; publish it with one atomic store into the
 * word that referred to the old one; bump the version of its buckets; free the old block. Readers never wait, and a writer
 * that dies between any two steps leaves a table that is whole for readers; `TableWriter.open` mends the books.
 *
 * May be relied on: whatever `put`, `setTimes` and `remove` returned for is visible to every reader that starts later. A
 * block is valid until the next change. Not: calls from more than one thread.
 */
import type { Scratch } from '../codec/scratch.js'
import { CacheError } from '../errors.js'
import { MAX_TIME_MS } from '../clock.js'
import { copyBytes, readTime, ViewOf, writeTime } from './bytes.js'
import {
  BLOCK_BITS, BYTES_USED_WORD, FIXED_BYTES, FIXED_WORDS, HASH, HAS_EXPIRY, inlineLengthOf, keyLengthOf, keyOffset, LARGE, LARGE_BYTES, largeWord,
  LENS, MAX_KEY_BYTES, MAX_MODIFIED_MS, MODIFIED, OPTIONAL_BYTES, POLICY_BYTE, SEGMENT_BYTES,
} from './layout.js'
import { segmentLength, unpinSegments, writeSegments } from './large.js'
import { clearTable, sweepBuckets } from './sweep.js'
import { repairTable } from './repair.js'
import { Room, type FullPolicy } from './room.js'
import { TableStore } from './store.js'
import { verifyTable } from './verify.js'

export class TableWriter {
  /** How many entries `sweep` has removed. */
  swept = 0
  /** The longest encoded key that this table takes: what fits the largest block even if the value does not. */
  readonly maxKeyBytes: number
  /** The longest encoded value: a quarter of the table. */
  readonly maxValueBytes: number
  readonly #store: TableStore
  readonly #room: Room
  readonly #keyView = new ViewOf()
  readonly #valueView = new ViewOf()

  private constructor(store: TableStore, policy: FullPolicy) {
    this.#store = store
    this.#room = new Room(store, policy)
    this.maxKeyBytes = Math.min(MAX_KEY_BYTES, store.classes.maxBlockBytes - FIXED_BYTES - OPTIONAL_BYTES - LARGE_BYTES)
    this.maxValueBytes = store.geometry.maxValueBytes
  }

  /**
   * Takes up a table, new or left by a writer that is gone, and repairs what that one left unfinished: nothing that a reader
   * may have seen is undone. Takes time in proportion to the entries.
   *
   * @param options.policy what a full table does. Default `'fifo'`
   * @throws an `Error` that says what is wrong, if the table is damaged beyond that; `formatTable` then empties it
   */
  static open(table: SharedArrayBuffer, options: { policy?: FullPolicy } = {}): TableWriter {
    const store = new TableStore(table)
    repairTable(store)
    return new TableWriter(store, options.policy ?? 'fifo')
  }

  /** Called with each entry that is about to be evicted for room; it must not change the table. */
  get onEvict(): ((block: number) => void) | undefined {
    return this.#room.onEvict
  }

  set onEvict(hear: ((block: number) => void) | undefined) {
    this.#room.onEvict = hear
  }

  get entries(): number {
    return this.#store.entries
  }

  /** Bytes of the pages in use, the header and the index. */
  get bytesUsed(): number {
    return this.#store.words[BYTES_USED_WORD]! >>> 0
  }

  /** The entry inserted first, 0 if there is none. */
  get oldest(): number {
    return this.#store.order.oldest
  }

  /** The entry inserted after this one, 0 if it is the newest. */
  newerThan(block: number): number {
    return this.#store.order.newerThan(block)
  }

  /** The block of a key, 0 if it is absent; expired entries are found. */
  find(hash: number, bytes: Buffer, keyStart: number, keyEnd: number): number {
    return this.#store.find(hash, bytes, keyStart, keyEnd)
  }

  /** When the entry expires in ms since 1970, 0 for never. */
  expiresAt(block: number): number {
    const word = block >> 2
    return (this.#store.words[word + LENS]! & HAS_EXPIRY) === 0 ? 0 : readTime(this.#store.words, word + FIXED_WORDS)
  }

  /** The time to live that was set last, in ms, 0 for none. */
  duration(block: number): number {
    const word = block >> 2
    return (this.#store.words[word + LENS]! & HAS_EXPIRY) === 0 ? 0 : readTime(this.#store.words, word + FIXED_WORDS + 2)
  }

  /** When the entry was modified, in ms since 1970. */
  modifiedAt(block: number): number {
    const word = (block >> 2) + MODIFIED
    return (this.#store.words[word]! >>> 0) + (this.#store.words[word + 1]! & 0xffff) * 4294967296
  }

  /** Bytes of the encoded value. */
  valueLength(block: number): number {
    const lens = this.#store.words[(block >> 2) + LENS]!
    return (lens & LARGE) === 0 ? inlineLengthOf(lens) : this.#store.words[largeWord(block >> 2, lens)]!
  }

  /** Whether the entry's time has come at `nowMs`. */
  isExpired(block: number, nowMs: number): boolean {
    const expiresMs = this.expiresAt(block)
    return expiresMs !== 0 && expiresMs <= nowMs
  }

  /** A byte of the entry that the eviction policy has for itself; 0 for a new entry, kept when it is overwritten. */
  policyByte(block: number): number {
    return this.#store.bytes[block + POLICY_BYTE]!
  }

  setPolicyByte(block: number, value: number): void {
    this.#store.bytes[block + POLICY_BYTE] = value
  }

  /** Appends the encoded key at `into.end`. */
  copyKey(block: number, into: Scratch): void {
    const lens = this.#store.words[(block >> 2) + LENS]!
    this.#append(into, block + keyOffset(lens), keyLengthOf(lens))
  }

  /** Appends the encoded value at `into.end`. */
  copyValue(block: number, into: Scratch): void {
    const { words } = this.#store
    const lens = words[(block >> 2) + LENS]!
    if ((lens & LARGE) === 0) {
      this.#append(into, block + keyOffset(lens) + keyLengthOf(lens), inlineLengthOf(lens))
      return
    }
    const word = largeWord(block >> 2, lens)
    into.ensure(words[word]!)
    for (let segment = words[word + 1]!; segment !== 0; segment = words[segment >> 2]!) {
      this.#append(into, segment + SEGMENT_BYTES, segmentLength(words[(segment >> 2) + LENS]!))
    }
  }

  /**
   * Stores an entry. Overwriting keeps the entry's place in the order of insertion and its policy byte. The bytes may lie
   * anywhere, in private or shared memory, but not in this table.
   *
   * @param hash 32 bits of hash of the key, the same for every call with that key
   * @param modifiedMs ms since 1970, below 2^48; larger ones are cut to that
   * @param expiresMs ms since 1970, 0 for never
   * @param durationMs the time to live that `expiresMs` came from, 0 for none
   * @returns true if it was inserted, false if an entry of that key was overwritten
   * @throws `ERR_TOO_LARGE` for a key beyond a block (16 KB, less in tables under 32 MB) or a value beyond a quarter of the
   *   table; `ERR_FULL` with policy `'none'`. Nothing has changed then
   */
  put(hash: number, keyBytes: Buffer, keyStart: number, keyEnd: number, valueBytes: Buffer, valueStart: number, valueEnd: number, modifiedMs: number, expiresMs: number, durationMs: number): boolean {
    const store = this.#store
    const { words, pages, classes, order } = store
    const keyLength = keyEnd - keyStart
    const valueLength = valueEnd - valueStart
    let flags = expiresMs > 0 ? HAS_EXPIRY : 0
    let size = FIXED_BYTES + (flags >>> 24) + keyLength + valueLength
    let segments = 0
    hash |= 0
    this.#checkLengths(keyLength, valueLength)
    // Whether a value is large must not depend on what can be added to the block later: `setTimes` copies the block as it is.
    if (FIXED_BYTES + OPTIONAL_BYTES + keyLength + valueLength > classes.maxBlockBytes) {
      flags |= LARGE
      size = FIXED_BYTES + ((flags >>> 24) & 16) + LARGE_BYTES + keyLength
      store.kept = store.find(hash, keyBytes, keyStart, keyEnd)
      try {
        segments = writeSegments(store, this.#room, hash, valueBytes, this.#valueView.of(valueBytes), valueStart, valueEnd)
      } finally {
        store.kept = 0
      }
    }
    const sizeClass = classes.ofUnits[(size + 7) >> 3]!
    let block = pages.take(sizeClass, this.#room.policy === 'none' ? 1 : 0)
    if (block === 0) block = this.#takeForPut(sizeClass, hash, keyBytes, keyStart, keyEnd, segments)

    const old = store.find(hash, keyBytes, keyStart, keyEnd)
    const reference = store.reference
    const word = block >> 2
    const lens = flags | keyLength | ((flags & LARGE) === 0 ? valueLength << 14 : 0)
    words[word] = old === 0 ? words[reference]! & BLOCK_BITS : words[old >> 2]!
    words[word + HASH] = hash
    words[word + LENS] = lens
    this.#fillModified(word, modifiedMs, old === 0 ? 0 : this.policyByte(old))
    if (expiresMs > 0) this.#fillExpiry(word, expiresMs, durationMs)
    const keyAt = block + keyOffset(lens)
    const { bytes, view } = store
    for (let from = keyStart, to = keyAt; from < keyEnd; from++, to++) bytes[to] = keyBytes[from]!
    if ((flags & LARGE) === 0) {
      copyBytes(bytes, view, keyAt + keyLength, valueBytes, this.#valueView.of(valueBytes), valueStart, valueEnd)
    } else {
      words[largeWord(word, lens)] = valueLength
      words[largeWord(word, lens) + 1] = segments
      unpinSegments(store, segments)
    }
    if (old === 0) order.prepareNewest(block)
    else order.prepareInstead(block, old)

    store.publish(reference, block, hash)
    order.join(block)
    if (old === 0) store.entries++
    else store.free(old)
    return old === 0
  }

  /**
   * Changes the times of an entry; key, value and place in the order stay. See `put` for the times.
   *
   * @returns the entry's new block
   * @throws `ERR_FULL` with policy `'none'`, if an expiry does not fit beside it. Nothing has changed then
   */
  setTimes(block: number, modifiedMs: number, expiresMs: number, durationMs: number): number {
    const store = this.#store
    const { words, bytes, pages, classes, order } = store
    const oldLens = words[(block >> 2) + LENS]!
    const lens = (oldLens & ~HAS_EXPIRY) | (expiresMs > 0 ? HAS_EXPIRY : 0)
    const from = FIXED_BYTES + ((oldLens >>> 24) & 16)
    const to = FIXED_BYTES + ((lens >>> 24) & 16)
    const length = keyOffset(lens) - to + keyLengthOf(lens) + inlineLengthOf(lens)
    const sizeClass = classes.ofUnits[(to + length + 7) >> 3]!
    let moved = pages.take(sizeClass, this.#room.policy === 'none' ? 1 : 0)
    let old = block
    if (moved === 0) {
      store.kept = block
      try {
        moved = this.#room.take(sizeClass, sizeClass === pages.classOf[block >>> store.geometry.pageShift])
        old = store.kept
      } finally {
        store.kept = 0
      }
    }
    const word = moved >> 2
    const hash = words[(old >> 2) + HASH]!
    words[word] = words[old >> 2]!
    words[word + HASH] = hash
    words[word + LENS] = lens
    this.#fillModified(word, modifiedMs, this.policyByte(old))
    if (expiresMs > 0) this.#fillExpiry(word, expiresMs, durationMs)
    copyBytes(bytes, store.view, moved + to, bytes, store.view, old + from, old + from + length)
    order.prepareInstead(moved, old)

    store.publish(store.referenceTo(old), moved, hash)
    order.join(moved)
    // The segments of a large value have moved over to the new block.
    pages.free(old)
    return moved
  }

  /** Removes an entry. */
  remove(block: number): void {
    this.#store.remove(block)
  }

  /** Removes everything; returns how many entries there were. Readers may see a part of it while it runs. */
  clear(): number {
    return clearTable(this.#store)
  }

  /**
   * Removes expired entries of the next buckets, a step each; entries of a bucket stay in it for life, so a round from cursor
   * 0 to 0 meets every entry that is there throughout.
   *
   * @param onExpired called with each block before it is removed; it must not change the table
   * @returns the next cursor, 0 when the round is through. `swept` has counted what was removed
   */
  sweep(cursor: number, nowMs: number, maxSteps: number, onExpired?: (block: number) => void): number {
    const before = this.#store.entries
    const next = sweepBuckets(this.#store, cursor, nowMs, maxSteps, onExpired)
    this.swept += before - this.#store.entries
    return next
  }

  /** For tests: checks everything that is in the table and in the books, and throws what is wrong. */
  verify(): void {
    verifyTable(this.#store)
  }

  #takeForPut(sizeClass: number, hash: number, key: Buffer, keyStart: number, keyEnd: number, segments: number): number {
    const store = this.#store
    const old = store.find(hash, key, keyStart, keyEnd)
    store.kept = old
    try {
      return this.#room.take(sizeClass, old !== 0 && store.pages.classOf[old >>> store.geometry.pageShift] === sizeClass)
    } catch (error) {
      unpinSegments(store, segments)
      store.freeSegments(segments)
      throw error
    } finally {
      store.kept = 0
    }
  }

  #checkLengths(keyLength: number, valueLength: number): void {
    const { maxValueBytes } = this.#store.geometry
    if (keyLength > this.maxKeyBytes) {
      throw new CacheError('ERR_TOO_LARGE', `a key of ${keyLength} encoded bytes; this table takes ${this.maxKeyBytes}`,
        { bytes: keyLength, limit: this.maxKeyBytes })
    }
    if (valueLength > maxValueBytes) {
      throw new CacheError('ERR_TOO_LARGE', `a value of ${valueLength} encoded bytes; this table takes ${maxValueBytes}, a quarter of its memory`,
        { bytes: valueLength, limit: maxValueBytes })
    }
  }

  #fillModified(word: number, ms: number, policy: number): void {
    const { words } = this.#store
    const time = ms > MAX_MODIFIED_MS ? MAX_MODIFIED_MS : ms > 0 ? ms : 0
    words[word + MODIFIED] = time | 0
    words[word + MODIFIED + 1] = (time / 4294967296) | (policy << 16)
  }

  #fillExpiry(word: number, expiresMs: number, durationMs: number): void {
    writeTime(this.#store.words, word + FIXED_WORDS, Math.min(expiresMs, MAX_TIME_MS))
    writeTime(this.#store.words, word + FIXED_WORDS + 2, Math.min(Math.max(0, durationMs), MAX_TIME_MS))
  }

  #append(into: Scratch, from: number, length: number): void {
    into.ensure(length)
    copyBytes(into.bytes, this.#keyView.of(into.bytes), into.end, this.#store.bytes, this.#store.view, from, from + length)
    into.end += length
  }
}
