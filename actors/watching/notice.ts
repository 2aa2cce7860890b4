/**
 * What the hooks of a cache are told: the message of an action and its result, both encoded, as they were on the thread where they came up.
 * On the lane the code says what it is about, and three sections hold message, result and time.
 */
import type { Request } from '../../runtime/mailbox/inlet.js'
import type { Scratch } from '../../runtime/codec/scratch.js'

/** The number of what it is about is in the low bits of the code. */
const NUMBER_MASK = 63
/** It is about to happen: there is no result. */
export const BEFORE_BIT = 64

/** Codes of the other messages that the hooks' actor takes. */
export const TO_HOOKS = {
  /** The keys of expired entries that a sweep, or `purge`, removed. The result is whether it was a sweep. */
  swept: 128,
  /** `[names]`, or nothing for all: start again from the first state. */
  reset: 129,
  /** How the hooks are doing. */
  inspect: 130,
} as const

export interface Notice {
  readonly number: number
  readonly isBefore: boolean
  /** The encoded message: an array that begins with a name. */
  readonly message: Buffer
  /** The encoded result. */
  readonly result: Buffer
  /** When, in milliseconds since 1970. */
  readonly at: number
}

/** Writes a notice into a scratch, from 0. Returns the lengths of its first two sections; the third has 8 bytes. */
export function writeNotice(message: Uint8Array, result: Uint8Array, at: number, into: Scratch): [number, number] {
  into.reset()
  into.ensure(message.length + result.length + 8)
  into.bytes.set(message, 0)
  into.bytes.set(result, message.length)
  into.end = into.bytes.writeDoubleLE(at, message.length + result.length)
  return [message.length, result.length]
}

/** A copy of the notice that was taken from a lane. */
export function readNotice({ code, bytes, start, aEnd, bEnd }: Request): Notice {
  return {
    number: code & NUMBER_MASK,
    isBefore: (code & BEFORE_BIT) !== 0,
    message: Buffer.from(bytes.subarray(start, aEnd)),
    result: Buffer.from(bytes.subarray(aEnd, bEnd)),
    at: bytes.readDoubleLE(bEnd),
  }
}
