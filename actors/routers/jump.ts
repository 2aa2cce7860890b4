/**
 * `jump`: jump consistent hash, by John Lamping and Eric Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm" (2014).
 *
 * As even as `mod`, no memory, and when the last node of the order is added or taken away only the keys move that have to:
 * one in n. A node that is taken out of the middle of the order moves more, because those behind it close up.
 */
import { mix32 } from '../../runtime/hash.js'
import { inOrder, type Router, type RouterSetting } from './router.js'

export function jumpRouter({ nodes }: RouterSetting): Router {
  const sorted = inOrder(nodes)
  // The algorithm wants 64 bits. Those of the other half follow from the first: a million keys need no more to be spread.
  return { nodes: sorted, owner: ({ hash }) => sorted[jump(mix32(hash ^ OTHER_HALF), hash, sorted.length)] }
}

const OTHER_HALF = 0x13198a2e

/** The multiplier of the generator, 2862933555777941757, in two halves; the lower one in 16-bit limbs. */
const HIGH = 0x27bb2ee6
const LOW = 0x87b0b0fd
const LOW_UPPER = LOW >>> 16
const LOW_LOWER = LOW & 0xffff

/**
 * The bucket of the 64-bit key `high · 2^32 + low` among `buckets` (at least 1; −1 for none). The generator's 64-bit product is made of
 * 32-bit ones: BigInts would take a hundred times as long.
 */
export function jump(high: number, low: number, buckets: number): number {
  let bucket = -1
  let next = 0
  while (next < buckets) {
    bucket = next
    // key = key × 2862933555777941757 + 1, modulo 2^64
    const lowUpper = low >>> 16
    const lowLower = low & 0xffff
    const bottom = lowLower * LOW_LOWER + 1
    const middle = lowUpper * LOW_LOWER + (bottom - (bottom & 0xffff)) / 0x10000
    const other = lowLower * LOW_UPPER + (middle & 0xffff)
    const carry = lowUpper * LOW_UPPER + Math.floor(middle / 0x10000) + Math.floor(other / 0x10000)
    high = (Math.imul(high, LOW) + Math.imul(low, HIGH) + carry) | 0
    low = (((other & 0xffff) << 16) | (bottom & 0xffff)) | 0
    next = Math.floor((bucket + 1) * (0x8000_0000 / ((high >>> 1) + 1)))
  }
  return bucket
}
