/**
 * Envelopes: what the body of a data frame is made of. Little-endian, packed, whole.
 *
 *    0  u8   kind
 *    1  u24  length     of what follows the head
 *    4  u32  id         of a request: slot │ generation << 16; of a credit: how many notes were taken; of a goodbye: the reason
 *    8  u32  timeMs     requests only: the time that it has left
 *    …  bytes
 *
 * A message that does not fit into one frame travels in parts: `…Part` envelopes and an ordinary one with the rest. Parts of
 * one message follow each other; what is urgent (replies, credit, goodbyes) may come between parts of what is not.
 */

export const ENVELOPE = {
  request: 1, requestPart: 2,
  reply: 3, replyPart: 4,
  note: 5, notePart: 6,
  /** No reply will come: the byte that follows says why. */
  failed: 7,
  credit: 8,
  goodbye: 9,
} as const
export type EnvelopeKind = (typeof ENVELOPE)[keyof typeof ENVELOPE]

export const ENVELOPE_HEAD_BYTES = 8
export const REQUEST_HEAD_BYTES = 12

/** Why a request gets no reply. */
export const FAILURE = {
  /** Its deadline has passed and nobody has worked on it. */
  lapsed: 1,
  /** It was worked on, but no reply came before its deadline. */
  unanswered: 2,
  /** The reply is longer than the peer takes. */
  replyTooLarge: 3,
  /** The peer has nobody to take requests, or whoever it was threw. */
  refused: 4,
  /** Too much of earlier replies waits to be taken by the peer. */
  dropped: 5,
} as const
export type Failure = (typeof FAILURE)[keyof typeof FAILURE]

/** Why a session ends. */
export const GOODBYE = {
  /** The node stops. */
  stopping: 1,
  /** A second connection of the same two nodes. */
  duplicate: 2,
} as const
export type Goodbye = (typeof GOODBYE)[keyof typeof GOODBYE]

/** Writes a head at `at`. Returns the position behind it. */
export function writeHead(bytes: Buffer, at: number, kind: EnvelopeKind, length: number, id: number): number {
  bytes[at] = kind
  bytes[at + 1] = length
  bytes[at + 2] = length >>> 8
  bytes[at + 3] = length >>> 16
  return writeWord(bytes, at + 4, id)
}

export function writeWord(bytes: Buffer, at: number, word: number): number {
  bytes[at] = word
  bytes[at + 1] = word >>> 8
  bytes[at + 2] = word >>> 16
  bytes[at + 3] = word >>> 24
  return at + 4
}

export function readWord(bytes: Buffer, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}
