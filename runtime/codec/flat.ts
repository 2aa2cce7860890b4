/**
 * Flat values: those that are read straight from shared memory, while a writer may be changing it.
 */
import { raw } from './raw-bytes.js'
import { SMALL_INT, TAG, ZERO } from './tags.js'

const float = new Float64Array(1)
const floatBytes = new Uint8Array(float.buffer)

/**
 * The flat value that `bytes[start, end)` encode. The bytes may be shared memory that changes meanwhile: whatever they are, this neither
 * fails nor allocates more than they are long. What it returned counts only if a check afterwards says that they had not changed.
 */
export function decodeFlat(source: Buffer, start: number, limit: number): unknown {
  const tag = source[start]!
  if (tag >= SMALL_INT) return tag - ZERO
  switch (tag) {
    case TAG.latin1Rest: return raw(source).latin1Slice(start + 1, limit)
    case TAG.utf16Rest: return raw(source).ucs2Slice(start + 1, limit)
    case TAG.null: return null
    case TAG.false: return false
    case TAG.true: return true
    case TAG.int16: return ((source[start + 1]! | (source[start + 2]! << 8)) << 16) >> 16
    case TAG.int32: return readInt32(source, start + 1)
    case TAG.double: return readFloat(source, start + 1)
    default: return undefined
  }
}

/** How long flat values are whose length is given by their tag. */
const FLAT_BYTES = new Uint8Array(256).fill(1)
FLAT_BYTES[TAG.int16] = 3
FLAT_BYTES[TAG.int32] = 5
FLAT_BYTES[TAG.double] = 9

/** Whether a flat value with this tag may be so many bytes long. */
export function isFlatLength(tag: number, length: number): boolean {
  return tag === TAG.utf16Rest ? length % 2 === 1 : tag === TAG.latin1Rest || length === FLAT_BYTES[tag]
}

export function readInt32(source: Uint8Array, from: number): number {
  return source[from]! | (source[from + 1]! << 8) | (source[from + 2]! << 16) | (source[from + 3]! << 24)
}

export function readFloat(source: Uint8Array, from: number): number {
  floatBytes[0] = source[from]!
  floatBytes[1] = source[from + 1]!
  floatBytes[2] = source[from + 2]!
  floatBytes[3] = source[from + 3]!
  floatBytes[4] = source[from + 4]!
  floatBytes[5] = source[from + 5]!
  floatBytes[6] = source[from + 6]!
  floatBytes[7] = source[from + 7]!
  return float[0]!
}
