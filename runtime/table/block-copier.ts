/**
 * Copies what lies in blocks out of a table that may change meanwhile. What is copied means something only if the version
 * has not moved when it is looked at afterwards: until then no number that was read is trusted, and none leads out of the table.
 */
import type { Scratch } from '../codec/scratch.js'
import { largeWord, LENS, SEGMENT_BYTES, type Geometry } from './layout.js'
import { segmentLength } from './large.js'
import { CHAIN_CHECK, isUnmoved } from './version.js'

/** Copies of more words than this go through a view. */
const LONG_WORDS = 80
/** A value beyond this is checked once more before memory is taken for it. */
const CAUTIOUS_BYTES = 65_536

export class BlockCopier {
  readonly #words: Int32Array
  readonly #bytes: Buffer
  readonly #geometry: Geometry

  constructor(words: Int32Array, bytes: Buffer, geometry: Geometry) {
    this.#words = words
    this.#bytes = bytes
    this.#geometry = geometry
  }

  /** Whether a block could be there. */
  isBlock(block: number): boolean {
    return block >= this.#geometry.firstBlock && block <= this.#geometry.lastBlock && (block & 7) === 0
  }

  /** Appends bytes of the table to a scratch buffer, with the alignment that they have, and returns where they begin. */
  copy(scratch: Scratch, start: number, end: number): number {
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

  /** Appends a large value to a scratch buffer; its length, or -1 if it is none. */
  copyLarge(scratch: Scratch, block: number, lens: number, version: number, seen: number): number {
    const words = this.#words
    const length = words[largeWord(block >> 2, lens)]!
    if (length < 0 || length > this.#geometry.maxValueBytes) return -1
    if (length > CAUTIOUS_BYTES && !isUnmoved(words, version, seen)) return -1
    scratch.ensure(length)
    let left = length
    let segment = Atomics.load(words, largeWord(block >> 2, lens) + 1)
    for (let steps = 1; segment !== 0; steps++) {
      if (!this.isBlock(segment)) return -1
      if (steps % CHAIN_CHECK === 0 && !isUnmoved(words, version, seen)) return -1
      const piece = segmentLength(words[(segment >> 2) + LENS]!)
      const start = segment + SEGMENT_BYTES
      if (piece === 0 || piece > left || start + piece > this.#geometry.bytes) return -1
      scratch.bytes.set(this.#bytes.subarray(start, start + piece), scratch.end)
      scratch.end += piece
      left -= piece
      segment = Atomics.load(words, segment >> 2)
    }
    return left === 0 ? length : -1
  }
}
