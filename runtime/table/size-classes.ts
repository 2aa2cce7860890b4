/**
 * Which sizes blocks have. Pages are cut evenly, so every size is a page's share rounded down to 8 bytes:
 *
 *   32, 40, … 256            multiples of 8
 *   then steps of ⅛          at most 12.5% of a block is unused
 *   then ⅕ and ¼ of a page   at most 20%; pages under 4 KB are also halved, for the sake of longer keys
 *   the whole page           for segments of large values
 */
import { maxBlockBytesOf, MIN_BLOCK_BYTES } from './layout.js'

export interface SizeClasses {
  /** Bytes of a block, by class. Class 0 is no class: a free page. */
  readonly sizes: Int32Array
  /** Blocks in a page, by class. */
  readonly slots: Int32Array
  /** The class of a size, by units of 8 bytes rounded up. */
  readonly ofUnits: Uint8Array
  /** The largest block short of a whole page. */
  readonly maxBlockBytes: number
  /** The class of whole pages: the last one. */
  readonly wholePage: number
}

export function sizeClassesOf(pageBytes: number): SizeClasses {
  const largest = maxBlockBytesOf(pageBytes)
  const share = (parts: number): number => Math.min(largest, (pageBytes / parts) & ~7)
  const sizes = [0]
  for (let size = 0, wanted = MIN_BLOCK_BYTES; size < largest;) {
    const parts = Math.floor(pageBytes / wanted)
    size = share(parts) > wanted && share(parts + 1) > size ? share(parts + 1) : share(parts)
    sizes.push(size)
    wanted = size < 256 ? size + 8 : Math.min(largest, (size + (size >> 3)) & ~7)
  }
  sizes.push(pageBytes)
  const ofUnits = new Uint8Array(largest / 8 + 1)
  for (let units = 0, size = 1; units < ofUnits.length; units++) {
    if (units * 8 > sizes[size]!) size++
    ofUnits[units] = size
  }
  return {
    sizes: Int32Array.from(sizes),
    slots: Int32Array.from(sizes, (size) => (size === 0 ? 0 : Math.floor(pageBytes / size))),
    ofUnits, maxBlockBytes: largest, wholePage: sizes.length - 1,
  }
}
