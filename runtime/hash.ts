/**
 * XXH32 of a range of bytes, and a finaliser that makes independent bits of a hash. The only importer of xxhash-wasm.
 *
 * Nodes, shards and slots are chosen by these numbers: they are the same on every version and platform, and
 * golden vectors in the tests keep them so. Nothing here allocates for short ranges. Not cryptographic: where
 * keys may be hostile, the seed has to be secret.
 */
import xxhash from 'xxhash-wasm'

const wasm = await xxhash()

/** Up to here the loop below is faster than copying the bytes into WebAssembly's memory (measured: 15 ns against 60 for 11 bytes). */
const SHORT_BYTES = 96

const PRIME1 = 0x9e3779b1 | 0
const PRIME2 = 0x85ebca77 | 0
const PRIME3 = 0xc2b2ae3d | 0
const PRIME4 = 0x27d4eb2f | 0
const PRIME5 = 0x165667b1 | 0

/** XXH32 (xxHash by Yann Collet, format specification 0.1.1) of `bytes[start, end)`, as a signed 32-bit integer. */
export function hash32(bytes: Buffer, start: number, end: number, seed: number): number {
  return end - start <= SHORT_BYTES ? hashShort(bytes, start, end, seed) : wasm.h32Raw(bytes.subarray(start, end), seed) | 0
}

/** MurmurHash3's `fmix32` by Austin Appleby: a bijection in which every input bit changes every output bit with odds of a half. */
export function mix32(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

function hashShort(bytes: Buffer, start: number, end: number, seed: number): number {
  let at = start
  let h: number
  if (end - start >= 16) {
    let a = (seed + PRIME1 + PRIME2) | 0
    let b = (seed + PRIME2) | 0
    let c = seed | 0
    let d = (seed - PRIME1) | 0
    do {
      a = round(a, word(bytes, at))
      b = round(b, word(bytes, at + 4))
      c = round(c, word(bytes, at + 8))
      d = round(d, word(bytes, at + 12))
      at += 16
    } while (at + 16 <= end)
    h = (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0
  } else {
    h = (seed + PRIME5) | 0
  }
  h = (h + (end - start)) | 0
  for (; at + 4 <= end; at += 4) h = Math.imul(rotate((h + Math.imul(word(bytes, at), PRIME3)) | 0, 17), PRIME4)
  for (; at < end; at++) h = Math.imul(rotate((h + Math.imul(bytes[at]!, PRIME5)) | 0, 11), PRIME1)
  h = Math.imul(h ^ (h >>> 15), PRIME2)
  h = Math.imul(h ^ (h >>> 13), PRIME3)
  return h ^ (h >>> 16)
}

function round(sum: number, lane: number): number {
  return Math.imul(rotate((sum + Math.imul(lane, PRIME2)) | 0, 13), PRIME1)
}

function rotate(h: number, by: number): number {
  return (h << by) | (h >>> (32 - by))
}

function word(bytes: Buffer, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}
