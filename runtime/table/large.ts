/**
 * Values that do not fit a block: a chain of segments behind the entry's block. What is left over from whole pages comes
 * first, in small blocks, so that a segment that has to move is found near its owner; then whole pages.
 */
import { copyBytes } from './bytes.js'
import { HASH, LENS, NO_ENTRY, SEGMENT_BYTES } from './layout.js'
import type { Room } from './room.js'
import type { TableStore } from './store.js'

/** Bits 0–17 of a segment's `lens`. */
export function segmentLength(lens: number): number {
  return lens & 0x3_ffff
}

/**
 * Writes a value into new segments, which nothing refers to yet, and pins them until `unpinSegments`.
 *
 * @returns the first segment
 * @throws `ERR_FULL`, with everything given back
 */
export function writeSegments(store: TableStore, room: Room, hash: number, value: Buffer, valueView: DataView, start: number, end: number): number {
  const { words, pages, classes, geometry } = store
  const pagePayload = geometry.pageBytes - SEGMENT_BYTES
  const blockPayload = classes.maxBlockBytes - SEGMENT_BYTES
  let next = 0
  let rest = end
  try {
    while (rest > start) {
      const left = rest - start
      // From the back: whole pages while they are mostly filled, then the largest blocks, then what is left.
      const length = left >= pagePayload - (pagePayload >> 3) ? Math.min(left, pagePayload) : Math.min(left, blockPayload)
      const sizeClass = length > blockPayload ? classes.wholePage : classes.ofUnits[(length + SEGMENT_BYTES + 7) >> 3]!
      const segment = room.take(sizeClass, false)
      const word = segment >> 2
      words[word] = next
      words[word + HASH] = hash
      words[word + LENS] = NO_ENTRY | length
      copyBytes(store.bytes, store.view, segment + SEGMENT_BYTES, value, valueView, rest - length, rest)
      pages.pins[segment >>> geometry.pageShift]!++
      next = segment
      rest -= length
    }
  } catch (error) {
    unpinSegments(store, next)
    store.freeSegments(next)
    throw error
  }
  return next
}

/** Lets new segments move again, once something refers to them. */
export function unpinSegments(store: TableStore, first: number): void {
  for (let segment = first; segment !== 0; segment = store.words[segment >> 2]!) store.pages.pins[segment >>> store.geometry.pageShift]!--
}
