/**
 * What an entry says, by its block: for the writer's thread, which need not fear that it changes meanwhile. A block is valid
 * until the next change.
 */
import type { Scratch } from '../codec/scratch.js'
import { copyBytes, readTime, ViewOf } from './bytes.js'
import {
  FIXED_WORDS, HAS_EXPIRY, inlineLengthOf, keyLengthOf, keyOffset, LARGE, largeWord, LENS, modifiedAt, SEGMENT_BYTES,
} from './layout.js'
import { segmentLength } from './large.js'
import type { TableStore } from './store.js'

export class EntryReader {
  readonly #store: TableStore
  readonly #scratchView = new ViewOf()

  constructor(store: TableStore) {
    this.#store = store
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

  /** When the entry was modified, in ms since 1970, whole. */
  modifiedAt(block: number): number {
    return Math.floor(modifiedAt(this.#store.words, block))
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

  #append(into: Scratch, from: number, length: number): void {
    into.ensure(length)
    copyBytes(into.bytes, this.#scratchView.of(into.bytes), into.end, this.#store.bytes, this.#store.view, from, from + length)
    into.end += length
  }
}
