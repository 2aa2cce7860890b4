/**
 * The bytes of a lane: one client thread's way into one actor's mailbox, in a shared buffer of its own.
 *
 * A lane is two single-producer single-consumer rings: requests from the client to the actor, replies back.
 * Positions are byte counts that wrap at 2^32; a position's place in the ring is `position & (capacity − 1)`.
 * A frame never wraps: where the rest of the ring is too short, a pad frame (negative length) fills it.
 *
 *   words of the header, a cache line for each side       written by   with            read by, and why that is enough
 *   0   tail        requests are published up to here     client       Atomics.store   actor: Atomics.load, before it reads a frame
 *   1   replyHead   replies are consumed up to here       client       Atomics.store   actor: Atomics.load, before it reuses their room
 *   16  taken       the message being handled ends here   actor        Atomics.store   the next incarnation; the client, for `outcome`
 *   17  done        handled, its reply published          actor        Atomics.store   client: Atomics.load, before it reuses the room
 *   18  doneCount   messages done, mod 2^32               actor        plain           client; it may lag behind `done`, and only holds back
 *   19  replyTail   replies are published up to here      actor        Atomics.store   client: Atomics.load, before it reads a frame
 *   20  replying    1 while a reply is held back          actor        plain           the next incarnation: what it had taken is carried out
 *   21  defers      1 after the first deferral            actor        plain           the next incarnation: replies may have been lost
 *   32  state       LANE_STATE                            system       Atomics.store   client and actor: Atomics.load
 *   33  capacity, 34 replyCapacity, 35 maxMessages        creator      once            everyone
 *   36  maxBytes    bound of the bytes in use             creator      once            client
 *
 * Frame words are plain accesses: they are read only behind an atomic load of a position that the writer
 * stored, atomically, after it had written them.
 *
 *   request   0 bytes of the frame, a multiple of 8; negative: a pad
 *             1 sequence number     2 code | generation << 8 | flags << 16 | slot << 19     3 deadline (monotonic ms, wrapping int32)
 *             4 5 6 lengths of the three sections            7… sections, without gaps
 *   reply     0 bytes of the frame, a multiple of 8; negative: a pad
 *             1 sequence number     2 status                 3 length of the payload     4… payload
 *
 * A request may be done before it is answered (deferred); its reply then comes in any order. What an actor had deferred dies with
 * it: the next incarnation says with one `lost` frame, which carries a position where others have their sequence number, that no
 * reply will come any more to what lies before it. If it kept it elsewhere it says with an `again` frame that it will reply anew.
 *
 * On a restart, what lies between `done` and `taken` was being worked on: it fails as unknown. What lies
 * behind `taken` runs. A reply that was published before its `done` is followed by a second one for the same
 * number, which the client drops.
 */

export const TAIL = 0
export const REPLY_HEAD = 1
export const TAKEN = 16
export const DONE = 17
export const DONE_COUNT = 18
export const REPLY_TAIL = 19
export const REPLYING = 20
export const DEFERS = 21
export const STATE = 32
export const CAPACITY = 33
export const REPLY_CAPACITY = 34
export const MAX_MESSAGES = 35
export const MAX_BYTES = 36

export const HEADER_BYTES = 192
export const REQUEST_HEADER_BYTES = 28
export const REPLY_HEADER_BYTES = 16

/** Free bytes of the reply ring without which no request is taken: every short reply fits, pads included. */
export const REPLY_RESERVE = 128

export const LANE_STATE = { open: 0, closed: 1, clientGone: 2 } as const

/** Flags of a request. */
export const FLAG_TELL = 1
export const FLAG_NO_DEADLINE = 2
export const FLAG_LARGE = 4
export const FLAGS = 7

/** Codes of requests. */
export const MAX_CODE = 0xff

/**
 * A request that is a part of a transaction: its slot, up to 8,191, and the low bits of the slot's generation, so that what is left of a
 * transaction that has ended is not taken for a part of the next one. Whoever asks adds both to the code.
 */
export const GENERATION_SHIFT = 8
export const MAX_GENERATION = 0xff
export const SLOT_SHIFT = 19

/** Status of a reply. */
export const STATUS = {
  /** The payload is an encoded value. */
  value: 0,
  true: 1,
  false: 2,
  undefined: 3,
  /** The payload is an encoded error description. */
  error: 4,
  /** A piece of a reply; more follow under the same number. */
  piece: 5,
  /** The actor died while it handled this: unknown whether it happened. */
  crashed: 6,
  /** Its deadline had passed before it was taken: it was not run. */
  expired: 7,
  /** The function that it ran was killed for its time limit: unknown whether it happened. */
  functionTimeout: 8,
  /** Not a reply: no request that ends at or before this position, and has none yet, will get one. */
  lost: 9,
  /** Not a reply: those that were begun before, in pieces, begin again. */
  again: 10,
} as const

/** Bounds of one lane. */
export interface MailboxBounds {
  /** Unfinished messages of one client thread. Default 65,536. */
  messages: number
  /** Bytes of unfinished messages of one client thread. Default 4 MiB. */
  bytes: number
  /** What a full lane does. Default `'wait'`. */
  overflow: 'wait' | 'reject' | 'drop'
  /** How many sends of one client thread may wait for room. Default 262,144. */
  waiting: number
}

export const DEFAULT_BOUNDS: MailboxBounds = { messages: 65_536, bytes: 4 << 20, overflow: 'wait', waiting: 262_144 }

/** Bytes of a lane. */
export function laneBytes(bounds: MailboxBounds): number {
  return HEADER_BYTES + ringCapacity(bounds.bytes) * 2
}

/** A new lane, in a buffer of `laneBytes` that may have been another one. */
export function createLane(bounds: MailboxBounds, buffer = new SharedArrayBuffer(laneBytes(bounds))): SharedArrayBuffer {
  const capacity = ringCapacity(bounds.bytes)
  const words = new Int32Array(buffer, 0, HEADER_BYTES >> 2).fill(0)
  words[CAPACITY] = capacity
  words[REPLY_CAPACITY] = capacity
  words[MAX_MESSAGES] = bounds.messages
  words[MAX_BYTES] = bounds.bytes
  return buffer
}

/** The largest request frame that a ring takes; larger ones travel in a buffer of their own. */
export function largestFrame(capacity: number, maxBytes: number): number {
  return Math.min(capacity >> 1, maxBytes)
}

/** The power of two that holds `bytes`, at least 1 KiB. */
function ringCapacity(bytes: number): number {
  return 2 ** Math.max(10, Math.ceil(Math.log2(bytes)))
}

/** Messages that are in the lane and not done. Exact while one side or the other stands still. */
export function countUnfinished(lane: SharedArrayBuffer): number {
  const words = new Int32Array(lane, 0, HEADER_BYTES >> 2)
  const ring = new Int32Array(lane, HEADER_BYTES, words[CAPACITY]! >> 2)
  const mask = words[CAPACITY]! - 1
  let position = Atomics.load(words, DONE)
  const tail = Atomics.load(words, TAIL)
  let count = 0
  while (((tail - position) | 0) > 0) {
    const frameBytes = ring[(position & mask) >> 2]!
    if (frameBytes === 0) break
    position = (position + Math.abs(frameBytes)) | 0
    if (frameBytes > 0) count++
  }
  return count
}

/** Bytes of messages that are in the lane and not done. */
export function bytesUnfinished(lane: SharedArrayBuffer): number {
  const words = new Int32Array(lane, 0, HEADER_BYTES >> 2)
  const done = Atomics.load(words, DONE)
  return Math.max(0, (Atomics.load(words, TAIL) - done) | 0)
}

export function align8(bytes: number): number {
  return (bytes + 7) & ~7
}
