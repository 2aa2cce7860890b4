/**
 * The entry that the writer is about to store: what it was handed, what room that takes, and the block that it fills with it.
 * One for each writer, filled anew for each entry, so that storing makes no garbage.
 */
import { MAX_TIME_MS } from '../clock.js'
import { CacheError } from '../errors.js'
import { copyBytes, ViewOf, writeTime } from './bytes.js'
import { unpinSegments, writeSegments } from './large.js'
import {
  FIXED_BYTES, FIXED_WORDS, FRACTIONS, FRACTION_SHIFT, HASH, HAS_EXPIRY, keyOffset, LARGE, largeWord, LENS, MAX_MODIFIED_MS, MODIFIED,
  OPTIONAL_BYTES, TAGGED, tagWord,
} from './layout.js'
import type { Room } from './room.js'
import type { TableStore } from './store.js'

export class Draft {
  hash = 0
  key: Buffer = EMPTY
  keyStart = 0
  keyEnd = 0
  /** The class of the block that it needs. */
  sizeClass = 0
  readonly #store: TableStore
  readonly #room: Room
  readonly #valueView = new ViewOf()
  #slot = 0
  #value: Buffer = EMPTY
  #valueStart = 0
  #valueEnd = 0
  #modifiedMs = 0
  #expiresMs = 0
  #durationMs = 0
  #flags = 0
  #segments = 0

  constructor(store: TableStore, room: Room) {
    this.#store = store
    this.#room = room
  }

  /**
   * What is to be stored; see `TableWriter.put`.
   *
   * @param slot the transaction that it is prepared for, or 0
   * @throws `ERR_TOO_LARGE`
   */
  set(slot: number, hash: number, key: Buffer, keyStart: number, keyEnd: number, value: Buffer, valueStart: number, valueEnd: number, modifiedMs: number, expiresMs: number, durationMs: number): void {
    const { classes } = this.#store
    const keyLength = keyEnd - keyStart
    const valueLength = valueEnd - valueStart
    this.#checkLengths(keyLength, valueLength)
    let flags = (expiresMs > 0 ? HAS_EXPIRY : 0) | (slot !== 0 ? TAGGED : 0)
    let inlineLength = valueLength
    // Whether a value is large must not depend on what can be added to the block later: `setTimes` copies the block as it is.
    if (FIXED_BYTES + OPTIONAL_BYTES + keyLength + valueLength > classes.maxBlockBytes) {
      flags |= LARGE
      inlineLength = 0
    }
    this.#flags = flags
    this.sizeClass = classes.ofUnits[(keyOffset(flags) + keyLength + inlineLength + 7) >> 3]!
    this.#slot = slot
    this.hash = hash
    this.key = key
    this.keyStart = keyStart
    this.keyEnd = keyEnd
    this.#value = value
    this.#valueStart = valueStart
    this.#valueEnd = valueEnd
    this.#modifiedMs = modifiedMs
    this.#expiresMs = expiresMs
    this.#durationMs = durationMs
  }

  /**
   * Takes the block that it needs, and writes the segments of a large value. The entry of its key is not evicted for it; it
   * may move, as any other.
   *
   * @param replaces whether that entry's block is given back right after
   * @throws `ERR_FULL`, with everything given back
   */
  take(replaces: boolean): number {
    const { pages } = this.#store
    if ((this.#flags & LARGE) !== 0) this.#writeSegments()
    const block = pages.take(this.sizeClass, this.#room.refuses ? 1 : 0)
    return block !== 0 ? block : this.#makeRoom(replaces)
  }

  /** Fills a block that nothing refers to, but for its place in the order. */
  fill(block: number, next: number): void {
    const { words, bytes, view } = this.#store
    const { key, keyStart, keyEnd } = this
    const flags = this.#flags
    const keyLength = keyEnd - keyStart
    const valueLength = this.#valueEnd - this.#valueStart
    const word = block >> 2
    const lens = flags | keyLength | ((flags & LARGE) === 0 ? valueLength << 14 : 0)
    const keyAt = block + keyOffset(lens)
    words[word] = next
    words[word + HASH] = this.hash
    words[word + LENS] = lens
    fillModified(words, word, this.#modifiedMs)
    if ((flags & HAS_EXPIRY) !== 0) fillExpiry(words, word, this.#expiresMs, this.#durationMs)
    if ((flags & TAGGED) !== 0) words[tagWord(word, lens)] = this.#slot
    for (let from = keyStart, to = keyAt; from < keyEnd; from++, to++) bytes[to] = key[from]!
    if ((flags & LARGE) === 0) {
      copyBytes(bytes, view, keyAt + keyLength, this.#value, this.#valueView.of(this.#value), this.#valueStart, this.#valueEnd)
    } else {
      words[largeWord(word, lens)] = valueLength
      words[largeWord(word, lens) + 1] = this.#segments
      unpinSegments(this.#store, this.#segments)
    }
  }

  #writeSegments(): void {
    const store = this.#store
    store.kept = store.find(this.hash, this.key, this.keyStart, this.keyEnd)
    try {
      this.#segments = writeSegments(store, this.#room, this.hash, this.#value, this.#valueView.of(this.#value), this.#valueStart, this.#valueEnd)
    } finally {
      store.kept = 0
    }
  }

  #makeRoom(replaces: boolean): number {
    const store = this.#store
    const old = store.find(this.hash, this.key, this.keyStart, this.keyEnd)
    store.kept = old
    try {
      return this.#room.take(this.sizeClass, replaces && old !== 0 && store.pages.classOf[old >>> store.geometry.pageShift] === this.sizeClass)
    } catch (error) {
      if ((this.#flags & LARGE) !== 0) {
        unpinSegments(store, this.#segments)
        store.freeSegments(this.#segments)
      }
      throw error
    } finally {
      store.kept = 0
    }
  }

  #checkLengths(keyLength: number, valueLength: number): void {
    const { maxKeyBytes, maxValueBytes } = this.#store.geometry
    if (keyLength > maxKeyBytes) {
      throw new CacheError('ERR_TOO_LARGE', `a key of ${keyLength} encoded bytes; this table takes ${maxKeyBytes}`,
        { bytes: keyLength, limit: maxKeyBytes })
    }
    if (valueLength > maxValueBytes) {
      throw new CacheError('ERR_TOO_LARGE', `a value of ${valueLength} encoded bytes; this table takes ${maxValueBytes}, a quarter of its memory`,
        { bytes: valueLength, limit: maxValueBytes })
    }
  }
}

const EMPTY = Buffer.alloc(0)

/** Writes when a block was modified. The number of its list, beside it, is 0 then. */
export function fillModified(words: Int32Array, word: number, ms: number): void {
  const time = ms > MAX_MODIFIED_MS ? MAX_MODIFIED_MS : ms > 0 ? ms : 0
  words[word + MODIFIED] = time | 0
  words[word + MODIFIED + 1] = (time / 4294967296) | ((time - Math.floor(time)) * FRACTIONS << FRACTION_SHIFT)
}

/** Writes when a block expires, and the time to live that this came from. */
export function fillExpiry(words: Int32Array, word: number, expiresMs: number, durationMs: number): void {
  writeTime(words, word + FIXED_WORDS, Math.min(expiresMs, MAX_TIME_MS))
  writeTime(words, word + FIXED_WORDS + 2, Math.min(Math.max(0, durationMs), MAX_TIME_MS))
}
