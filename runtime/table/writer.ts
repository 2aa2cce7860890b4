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
import { copyBytes } from './bytes.js'
import { Draft, fillExpiry, fillModified } from './draft.js'
import { EntryReader } from './entry-reader.js'
import {
  BLOCK_BITS, BYTES_USED_WORD, FIXED_BYTES, HASH, HAS_EXPIRY, inlineLengthOf, isRemoval, keyLengthOf, keyOffset, LENS, modifiedAt, READ_NOTES_WORD,
} from './layout.js'
import { finishSlot, takeOutPrepared, undoSlot } from './prepared.js'
import { clearTable, removeOldFromBuckets, sweepBuckets, type OldEntries } from './sweep.js'
import { repairTable } from './repair.js'
import { createPolicy, type PolicyName } from './policies/policy-names.js'
import { leftAfter, Room, type EvictionReason } from './room.js'
import { TableStore } from './store.js'
import { verifyTable } from './verify.js'

/** How long finishing a transaction evicts what it has inserted too many, in milliseconds; the rest is for `trim`. */
const FINISH_TRIM_MS = 2

/** What bounds a table besides its bytes, and what a full one does. */
export interface WriterOptions {
  /** What goes when the table is full. Default `'fifo'`. */
  policy?: PolicyName
  /** The most entries. Default no bound. */
  maxEntries?: number
  /** How much of `maxEntries` is evicted beyond what has to be, 0 to 1. Default 0. */
  reclaim?: number
  /** Whether `maxEntries` holds at every insertion, or when `trim` is called. Default true. */
  checksInsertions?: boolean
}

export class TableWriter extends EntryReader {
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
  /** A copy of an entry that is prepared anew. */
  readonly #copy = new Scratch()

  private constructor(store: TableStore, room: Room) {
    super(store)
    this.#store = store
    this.#room = room
    this.#draft = new Draft(store, room)
    this.maxKeyBytes = store.geometry.maxKeyBytes
    this.maxValueBytes = store.geometry.maxValueBytes
  }

  /**
   * Takes up a table, new or left by a writer that is gone, and repairs what that one left unfinished: nothing that a reader
   * may have seen is undone. Takes time in proportion to the entries.
   *
   * @throws an `Error` that says what is wrong, if the table is damaged beyond that; `formatTable` then empties it
   */
  static open(table: SharedArrayBuffer, options: WriterOptions = {}): TableWriter {
    const { policy = 'fifo', maxEntries = Infinity, reclaim = 0, checksInsertions = true } = options
    const store = new TableStore(table)
    repairTable(store)
    store.policy = createPolicy(policy, store, maxEntries)
    store.words[READ_NOTES_WORD] = store.policy.readNotes
    store.order.mergeFrom(store.policy.lists)
    const keptEntries = maxEntries === Infinity ? Infinity : leftAfter(maxEntries, reclaim)
    return new TableWriter(store, new Room(store, { refuses: policy === 'none', maxEntries, keptEntries, checksInsertions }))
  }

  /** Called with each entry that is about to be evicted for room; it must not change the table. */
  get onEvict(): ((block: number, reason: EvictionReason) => void) | undefined {
    return this.#room.onEvict
  }

  set onEvict(hear: ((block: number, reason: EvictionReason) => void) | undefined) {
    this.#room.onEvict = hear
  }

  get entries(): number {
    return this.#store.entries
  }

  /** Bytes of the pages in use, the header and the index. */
  get bytesUsed(): number {
    return this.#store.words[BYTES_USED_WORD]! >>> 0
  }

  /** An entry with which a walk through all begins, 0 if there is none: the oldest in the policy's order. */
  get oldest(): number {
    return this.#store.order.oldest
  }

  /** The next one, 0 if this was the last. */
  after(block: number): number {
    return this.#store.order.after(block)
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

  /**
   * Stores an entry. The bytes may lie anywhere, in private or shared memory, but not in this table.
   *
   * @param hash 32 bits of hash of the key, the same for every call with that key
   * @param modifiedMs ms since 1970, below 2^48; larger ones are cut to that. Of its fraction, 12 bits are kept: they put writes
   *   of one millisecond in order
   * @param expiresMs ms since 1970, 0 for never
   * @param durationMs the time to live that `expiresMs` came from, 0 for none
   * @returns true if it was inserted, false if an entry of that key was overwritten
   * @throws `ERR_TOO_LARGE` for a key beyond a block (16 KB, less in tables under 32 MB) or a value beyond a quarter of the
   *   table; `ERR_FULL` with policy `'none'`, and where every entry is locked. Nothing has changed then
   */
  put(hash: number, keyBytes: Buffer, keyStart: number, keyEnd: number, valueBytes: Buffer, valueStart: number, valueEnd: number, modifiedMs: number, expiresMs: number, durationMs: number): boolean {
    const old = this.#put(hash, keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd, modifiedMs, expiresMs, durationMs)
    if (old !== 0 && this.slot === 0) this.#store.policy.written(old)
    return old === 0
  }

  /**
   * Stores a value over an entry whose times stay; see `put`.
   *
   * @param block the entry of that key
   */
  replaceValue(block: number, hash: number, keyBytes: Buffer, keyStart: number, keyEnd: number, valueBytes: Buffer, valueStart: number, valueEnd: number): void {
    const replaced = this.#put(hash, keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd, modifiedAt(this.#store.words, block), this.expiresAt(block), this.duration(block))
    if (this.slot === 0) this.#store.policy.used(replaced)
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
    let moved = pages.take(sizeClass, this.#room.refuses ? 1 : 0)
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
    fillModified(words, word, modifiedMs)
    if (expiresMs > 0) fillExpiry(words, word, expiresMs, durationMs)
    copyBytes(bytes, store.view, moved + to, bytes, store.view, old + from, old + from + length)
    order.prepareInstead(moved, old)

    store.publish(store.referenceTo(old), moved, hash)
    order.join(moved)
    // The segments of a large value have moved over to the new block.
    pages.free(old)
    store.policy.written(moved)
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
    // With those that are prepared, which may be new entries as well. What evicts does so when they are finished.
    if (this.#room.refuses && this.#room.isFullWith(store.prepared.count) && this.#isNew(slot)) this.#room.makeWay()
    const block = draft.take(false)
    const before = store.findPrepared(slot, hash, keyBytes, keyStart, keyEnd)
    if (before !== 0) {
      draft.fill(block, store.words[before >> 2]!)
    } else {
      // In front of the entry that it replaces, which is what `reference` refers to, or of the whole chain.
      store.find(hash, keyBytes, keyStart, keyEnd)
      draft.fill(block, store.words[store.reference]! & BLOCK_BITS)
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
    if (this.#room.isFull) this.#room.trim(FINISH_TRIM_MS)
  }

  /** Takes out what a transaction has prepared. The slot must not be committed. After it, no block carries it. May be done again. */
  undo(slot: number): void {
    undoSlot(this.#store, slot)
  }

  /** Removes everything; returns how many entries there were. Readers may see a part of it while it runs. */
  clear(): number {
    const count = clearTable(this.#store)
    this.#store.policy.cleared()
    return count
  }

  /** For a read that did not go by a `TableReader`: the policy has to know of it too. */
  noteRead(block: number): void {
    // What a transaction reads may be a block of its own, which is no entry yet.
    if (this.slot === 0) this.#store.policy.used(block)
  }

  /**
   * Evicts what is beyond `maxEntries`, if anything is, for about so many milliseconds. True while there is more to do, also
   * of what an insertion has left over.
   */
  trim(ms: number): boolean {
    return this.#room.trim(ms)
  }

  /** Whether an insertion or `trim` has left something over. */
  get isTrimming(): boolean {
    return this.#room.isTrimming
  }

  /** Between two batches of work: lets the policy hear of what other threads have read. */
  catchUp(): void {
    this.#room.catchUp()
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

  /**
   * Removes entries of the next buckets that were modified before a time, see `OldEntries`. Counts in `old` what it has removed.
   *
   * @returns the next cursor, 0 when the round is through
   */
  removeOld(cursor: number, old: OldEntries, maxSteps: number): number {
    return removeOldFromBuckets(this.#store, cursor, old, maxSteps)
  }

  /** For tests: checks everything that is in the table and in the books, and throws what is wrong. */
  verify(): void {
    verifyTable(this.#store)
  }

  /** Stores an entry, outside or under a slot. Its new block, if it replaces one; 0 if it is new. */
  #put(hash: number, keyBytes: Buffer, keyStart: number, keyEnd: number, valueBytes: Buffer, valueStart: number, valueEnd: number, modifiedMs: number, expiresMs: number, durationMs: number): number {
    hash |= 0
    if (this.slot !== 0) {
      const replaces = this.find(hash, keyBytes, keyStart, keyEnd) !== 0
      const block = this.prepare(this.slot, hash, keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd, modifiedMs, expiresMs, durationMs)
      return replaces ? block : 0
    }
    const store = this.#store
    const { words, order } = store
    const draft = this.#draft
    draft.set(0, hash, keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd, modifiedMs, expiresMs, durationMs)
    if (this.#room.isFull && this.#isNew(0)) this.#room.makeWay()
    const block = draft.take(true)
    const old = store.find(hash, keyBytes, keyStart, keyEnd)
    const reference = store.reference
    if (old === 0) {
      draft.fill(block, words[reference]! & BLOCK_BITS)
      order.prepareNewest(block, store.policy.listFor(block))
    } else {
      draft.fill(block, words[old >> 2]!)
      order.prepareInstead(block, old)
    }
    store.publish(reference, block, hash)
    order.join(block)
    if (old === 0) {
      store.entries++
      return 0
    }
    store.free(old)
    return block
  }

  /** Whether the draft is of a key that has no entry, and no block prepared for a slot. */
  #isNew(slot: number): boolean {
    const { hash, key, keyStart, keyEnd } = this.#draft
    if (slot !== 0 && this.#store.findPrepared(slot, hash, key, keyStart, keyEnd) !== 0) return false
    return this.#store.find(hash, key, keyStart, keyEnd) === 0
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
}
