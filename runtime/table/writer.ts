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
import { Scratch } from '../codec/scratch.js'
import { copyBytes, readTime, ViewOf } from './bytes.js'
import { Draft, fillExpiry, fillModified } from './draft.js'
import {
  BLOCK_BITS, BYTES_USED_WORD, FIXED_BYTES, FIXED_WORDS, HASH, HAS_EXPIRY, inlineLengthOf, isRemoval, keyLengthOf, keyOffset, LARGE, largeWord,
  LENS, MODIFIED, POLICY_BYTE, SEGMENT_BYTES,
} from './layout.js'
import { segmentLength } from './large.js'
import { finishSlot, takeOutPrepared, undoSlot } from './prepared.js'
import { clearTable, sweepBuckets } from './sweep.js'
import { repairTable } from './repair.js'
import { Room, type FullPolicy } from './room.js'
import { TableStore } from './store.js'
import { verifyTable } from './verify.js'

export class TableWriter {
  /** How many entries `sweep` has removed. */
  swept = 0
  /** The transaction on whose behalf `find`, `put`, `setTimes` and `remove` are called; 0 outside of one. */
  slot = 0
  /** The longest encoded key that this table takes: what fits the largest block even if the value does not. */
  readonly maxKeyBytes: number
  /** The longest encoded value: a quarter of the table. */
  readonly maxValueBytes: number
  readonly #store: TableStore
  readonly #room: Room
  readonly #draft: Draft
  readonly #scratchView = new ViewOf()
  /** A copy of an entry that is prepared anew. */
  readonly #copy = new Scratch()

  private constructor(store: TableStore, policy: FullPolicy) {
    this.#store = store
    this.#room = new Room(store, policy)
    this.#draft = new Draft(store, this.#room)
    this.maxKeyBytes = this.#draft.maxKeyBytes
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

  /** Says which entries are locked, by a signed hash: these are neither evicted nor swept. */
  get isLocked(): ((hash: number) => boolean) | undefined {
    return this.#store.isLocked
  }

  set isLocked(ask: ((hash: number) => boolean) | undefined) {
    this.#store.isLocked = ask
  }

  /** The block of a key, 0 if it is absent; expired entries are found. Under a slot: as its transaction has left the key. */
  find(hash: number, bytes: Buffer, keyStart: number, keyEnd: number): number {
    const store = this.#store
    hash |= 0
    if (this.slot !== 0) {
      const own = store.findPrepared(this.slot, hash, bytes, keyStart, keyEnd)
      if (own !== 0) return isRemoval(store.words[(own >> 2) + LENS]!) ? 0 : own
    }
    return store.find(hash, bytes, keyStart, keyEnd)
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
    hash |= 0
    if (this.slot !== 0) {
      const isNew = this.find(hash, keyBytes, keyStart, keyEnd) === 0
      this.prepare(this.slot, hash, keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd, modifiedMs, expiresMs, durationMs)
      return isNew
    }
    const store = this.#store
    const { words, order } = store
    const draft = this.#draft
    draft.set(0, hash, keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd, modifiedMs, expiresMs, durationMs)
    const block = draft.take(true)
    const old = store.find(hash, keyBytes, keyStart, keyEnd)
    const reference = store.reference
    if (old === 0) {
      draft.fill(block, words[reference]! & BLOCK_BITS, 0)
      order.prepareNewest(block)
    } else {
      draft.fill(block, words[old >> 2]!, this.policyByte(old))
      order.prepareInstead(block, old)
    }
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
    if (this.slot !== 0) return this.#prepareTimes(block, modifiedMs, expiresMs, durationMs)
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
    fillModified(words, word, modifiedMs, this.policyByte(old))
    if (expiresMs > 0) fillExpiry(words, word, expiresMs, durationMs)
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
    if (this.slot === 0) return this.#store.remove(block)
    const copy = this.#copy
    copy.reset()
    this.copyKey(block, copy)
    this.prepareRemoval(this.slot, this.#store.hashOf(block), copy.bytes, 0, copy.end)
  }

  /**
   * Prepares an entry for the transaction in a slot: readers see it once that is committed. What the transaction prepared for
   * the key before is replaced. The key has to be locked from before this until after `finish` or `undo`. See `put`.
   *
   * @param valueBytes at least one byte of value
   * @returns the block
   * @throws `ERR_TOO_LARGE`, and `ERR_FULL` also where `put` would find room: the old entry keeps its own. Nothing has changed then
   */
  prepare(slot: number, hash: number, keyBytes: Buffer, keyStart: number, keyEnd: number, valueBytes: Buffer, valueStart: number, valueEnd: number, modifiedMs: number, expiresMs: number, durationMs: number): number {
    const store = this.#store
    const draft = this.#draft
    hash |= 0
    draft.set(slot, hash, keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd, modifiedMs, expiresMs, durationMs)
    const block = draft.take(false)
    const before = store.findPrepared(slot, hash, keyBytes, keyStart, keyEnd)
    if (before !== 0) {
      draft.fill(block, store.words[before >> 2]!, 0)
    } else {
      // In front of the entry that it replaces, which is what `reference` refers to, or of the whole chain.
      store.find(hash, keyBytes, keyStart, keyEnd)
      draft.fill(block, store.words[store.reference]! & BLOCK_BITS, 0)
    }
    store.publish(store.reference, block, hash)
    store.prepared.add(slot, block)
    if (before !== 0) {
      store.prepared.delete(slot, before)
      store.free(before)
    }
    return block
  }

  /** Prepares the removal of a key: once the transaction is committed, it is missing. See `prepare`. */
  prepareRemoval(slot: number, hash: number, keyBytes: Buffer, keyStart: number, keyEnd: number): void {
    const store = this.#store
    hash |= 0
    if (store.find(hash, keyBytes, keyStart, keyEnd) !== 0) {
      this.prepare(slot, hash, keyBytes, keyStart, keyEnd, keyBytes, keyEnd, keyEnd, 0, 0, 0)
      return
    }
    const before = store.findPrepared(slot, hash, keyBytes, keyStart, keyEnd)
    if (before !== 0) takeOutPrepared(store, slot, before)
  }

  /** The block that a slot's transaction has prepared for a key, also to remove it; 0 if there is none. */
  prepared(slot: number, hash: number, keyBytes: Buffer, keyStart: number, keyEnd: number): number {
    return this.#store.findPrepared(slot, hash | 0, keyBytes, keyStart, keyEnd)
  }

  /** Slots that have prepared blocks in this table. Of those that `open` finds, each has to be finished or undone. */
  preparedSlots(): number[] {
    return this.#store.prepared.slots
  }

  /**
   * Makes entries of what a transaction has prepared, in the places of those that they replace, and removes what it removes.
   * The slot has to be committed: readers see no difference. After it, no block carries the slot. May be done again.
   */
  finish(slot: number): void {
    finishSlot(this.#store, slot)
  }

  /** Takes out what a transaction has prepared. The slot must not be committed. After it, no block carries it. May be done again. */
  undo(slot: number): void {
    undoSlot(this.#store, slot)
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

  /** Copies the entry: its own block may move, and its segments stay its own, while room is made for the prepared one. */
  #prepareTimes(block: number, modifiedMs: number, expiresMs: number, durationMs: number): number {
    const copy = this.#copy
    copy.reset()
    this.copyKey(block, copy)
    const keyEnd = copy.end
    this.copyValue(block, copy)
    return this.prepare(this.slot, this.#store.hashOf(block), copy.bytes, 0, keyEnd, copy.bytes, keyEnd, copy.end, modifiedMs, expiresMs, durationMs)
  }

  #append(into: Scratch, from: number, length: number): void {
    into.ensure(length)
    copyBytes(into.bytes, this.#scratchView.of(into.bytes), into.end, this.#store.bytes, this.#store.view, from, from + length)
    into.end += length
  }
}
