/** The producer's end of a lane's request ring: whether a frame has room, and writing it. On the client's thread. */
import type { Bell } from './bell.js'
import {
  CAPACITY, DONE, DONE_COUNT, FLAG_LARGE, HEADER_BYTES, LANE_STATE, MAX_BYTES, MAX_MESSAGES, REQUEST_HEADER_BYTES, STATE,
  TAIL, TAKEN, align8, countUnfinished, largestFrame,
} from './lane.js'

/** The sequence number of what is not answered. */
export const NO_SEQ = -1

/** What stands in the ring for a body that was handed over: its number. */
export const LARGE_ID_BYTES = 4

export class RequestRing {
  /** The largest body that a frame takes, in bytes. */
  readonly largestBody: number
  readonly #words: Int32Array
  readonly #ring: Int32Array
  readonly #bytes: Buffer
  readonly #bell: Bell
  readonly #mask: number
  readonly #maxBytes: number
  readonly #maxMessages: number
  #tail: number
  /** Since the lane was opened. Unlike positions it does not wrap: an ask may be unanswered while the ring goes round. */
  #bytesWritten = 0
  /** As last seen; the truth is further on. */
  #done: number
  #doneCount: number
  #sentCount: number

  constructor(lane: SharedArrayBuffer, bell: Bell) {
    const words = this.#words = new Int32Array(lane, 0, HEADER_BYTES >> 2)
    const capacity = words[CAPACITY]!
    this.#ring = new Int32Array(lane, HEADER_BYTES, capacity >> 2)
    this.#bytes = Buffer.from(lane, HEADER_BYTES, capacity)
    this.#bell = bell
    this.#mask = capacity - 1
    this.#maxMessages = words[MAX_MESSAGES]!
    this.#maxBytes = Math.min(words[MAX_BYTES]!, capacity)
    this.largestBody = (largestFrame(capacity, this.#maxBytes) & ~7) - REQUEST_HEADER_BYTES
    this.#tail = Atomics.load(words, TAIL)
    this.#done = Atomics.load(words, DONE)
    this.#doneCount = words[DONE_COUNT]!
    this.#sentCount = (this.#doneCount + countUnfinished(lane)) | 0
  }

  /** How many messages were written, mod 2^32. */
  get sentCount(): number {
    return this.#sentCount
  }

  get isClosed(): boolean {
    return Atomics.load(this.#words, STATE) === LANE_STATE.closed
  }

  /** As `isClosed`, by a plain access, for each send: it may be late to see it. */
  get seemsClosed(): boolean {
    return this.#words[STATE] === LANE_STATE.closed
  }

  /** Whether everything written has been done. */
  get isEmpty(): boolean {
    return Atomics.load(this.#words, DONE) === this.#tail
  }

  /** Whether as many messages have been done as had been written when `sentCount` was this. */
  hasDone(sentCount: number): boolean {
    return ((this.#words[DONE_COUNT]! - sentCount) | 0) >= 0
  }

  /** A position on the lane, no further back than the ring is long, in bytes written. */
  bytesUpTo(position: number): number {
    return this.#bytesWritten - ((this.#tail - position) >>> 0)
  }

  /** Where the message ends that the actor has begun with last, in bytes written. */
  get bytesTaken(): number {
    return this.bytesUpTo(Atomics.load(this.#words, TAKEN))
  }

  /** Whether a frame with a body of so many bytes may be written now. One of more than `largestBody` never may. */
  fits(bodyBytes: number): boolean {
    if (bodyBytes > this.largestBody) return false
    const need = align8(REQUEST_HEADER_BYTES + bodyBytes)
    const toEnd = this.#mask + 1 - (this.#tail & this.#mask)
    const total = need <= toEnd ? need : need + toEnd
    if (((this.#tail - this.#done) >>> 0) + total <= this.#maxBytes && ((this.#sentCount - this.#doneCount) | 0) < this.#maxMessages) return true
    this.#done = Atomics.load(this.#words, DONE)
    this.#doneCount = this.#words[DONE_COUNT]!
    const used = (this.#tail - this.#done) >>> 0
    // An actor that died between finishing a message and counting it has counted one too few.
    if (used === 0) this.#sentCount = this.#doneCount
    // An empty ring takes any frame up to the largest, the pad before it included.
    return used + total <= (used === 0 ? this.#mask + 1 : this.#maxBytes) && ((this.#sentCount - this.#doneCount) | 0) < this.#maxMessages
  }

  /**
   * Writes a frame that fits, publishes it and rings. Its body stands in `bytes` from 0; in `words` too, if they are given:
   * short bodies are copied faster that way. Returns the bytes written to the lane up to the end of the frame.
   */
  write(seq: number, code: number, flags: number, deadline: number, bytes: Buffer, words: Int32Array | undefined, a: number, b: number, c: number): number {
    const body = (flags & FLAG_LARGE) === 0 ? a + b + c : LARGE_ID_BYTES
    const need = align8(REQUEST_HEADER_BYTES + body)
    const ring = this.#ring
    let offset = this.#tail & this.#mask
    const toEnd = this.#mask + 1 - offset
    if (need > toEnd) {
      ring[offset >> 2] = -toEnd
      this.#tail = (this.#tail + toEnd) | 0
      this.#bytesWritten += toEnd
      offset = 0
    }
    const at = offset >> 2
    ring[at] = need
    ring[at + 1] = seq
    ring[at + 2] = code | (flags << 16)
    ring[at + 3] = deadline
    ring[at + 4] = a
    ring[at + 5] = b
    ring[at + 6] = c
    if (body > 0) {
      if (words !== undefined && body <= 512) {
        const end = at + 7 + ((body + 3) >> 2)
        for (let to = at + 7, from = 0; to < end; to++, from++) ring[to] = words[from]!
      } else {
        this.#bytes.set(bytes.subarray(0, body), offset + REQUEST_HEADER_BYTES)
      }
    }
    this.#tail = (this.#tail + need) | 0
    this.#bytesWritten += need
    this.#sentCount = (this.#sentCount + 1) | 0
    Atomics.store(this.#words, TAIL, this.#tail)
    this.#bell.ringIfAsleep()
    return this.#bytesWritten
  }

  /** For an actor that may hold the rest of a long reply back until there is room. */
  wakeConsumer(): void {
    this.#bell.ringIfAsleep()
  }
}
