/**
 * What closes a frame, so that a damaged or forged one is noticed: a checksum where nobody else can write, and a message
 * authentication code under the session's key where the transport is shared or not encrypted end to end.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { hash32 } from '../../runtime/hash.js'

export interface Seal {
  /** Length of the trailer. */
  readonly bytes: number
  /** Whether it proves who wrote the frame. Two ends that disagree about it refuse each other's frames. */
  readonly proves: boolean
  /** Writes the trailer of `frame[start, end)` behind it. */
  put(frame: Buffer, start: number, end: number): void
  /** Whether the trailer behind `frame[start, end)` is that of these bytes. */
  holds(frame: Buffer, start: number, end: number): boolean
}

const CHECKSUM_SEED = 0x5ca77e4d
const MAC_BYTES = 16

/** XXH32: against accidents, not against anybody. */
export const checksum: Seal = {
  bytes: 4,
  proves: false,
  put(frame, start, end) {
    frame.writeInt32LE(hash32(frame, start, end, CHECKSUM_SEED), end)
  },
  holds(frame, start, end) {
    return frame.readInt32LE(end) === hash32(frame, start, end, CHECKSUM_SEED)
  },
}

/** HMAC-SHA-256 cut to 128 bits. The frame's counter is part of what it covers, and each direction has a key of its own. */
export function macSeal(key: Buffer): Seal {
  const mac = (frame: Buffer, start: number, end: number): Buffer => createHmac('sha256', key).update(frame.subarray(start, end)).digest().subarray(0, MAC_BYTES)
  return {
    bytes: MAC_BYTES,
    proves: true,
    put: (frame, start, end) => frame.set(mac(frame, start, end), end),
    holds: (frame, start, end) => timingSafeEqual(mac(frame, start, end), frame.subarray(end, end + MAC_BYTES)),
  }
}
