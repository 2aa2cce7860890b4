/** The actor's end of a lane's reply ring: it only writes. `lane.ts` draws the bytes. */
import { CAPACITY, HEADER_BYTES, REPLY_CAPACITY, REPLY_HEAD, REPLY_HEADER_BYTES, REPLY_TAIL, STATUS, align8 } from './lane.js'

/** A reply, or what is left of one, that waits until the client has made room. */
export class HeldReply {
  readonly seq: number
  readonly status: number
  rest: Buffer

  constructor(seq: number, status: number, rest: Buffer) {
    this.seq = seq
    this.status = status
    this.rest = rest
  }
}

export class ReplyRing {
  readonly #words: Int32Array
  readonly #ring: Int32Array
  readonly #ringBytes: Buffer
  readonly #mask: number
  #tail: number

  constructor(lane: SharedArrayBuffer) {
    this.#words = new Int32Array(lane, 0, HEADER_BYTES >> 2)
    const from = HEADER_BYTES + this.#words[CAPACITY]!
    const capacity = this.#words[REPLY_CAPACITY]!
    this.#ring = new Int32Array(lane, from, capacity >> 2)
    this.#ringBytes = Buffer.from(lane, from, capacity)
    this.#mask = capacity - 1
    this.#tail = Atomics.load(this.#words, REPLY_TAIL)
  }

  /** Free bytes. */
  get room(): number {
    return this.#mask + 1 - ((this.#tail - Atomics.load(this.#words, REPLY_HEAD)) >>> 0)
  }

  /** Whether a whole reply fits and leaves `spare` bytes free. */
  fits(payloadBytes: number, spare: number): boolean {
    const need = align8(REPLY_HEADER_BYTES + payloadBytes)
    const toEnd = this.#mask + 1 - (this.#tail & this.#mask)
    return this.room - spare >= (need <= toEnd ? need : need + toEnd)
  }

  /** Whether some of a reply could be sent. */
  hasRoomFor({ rest }: HeldReply, spare: number): boolean {
    return this.fits(Math.min(rest.length, this.#pieceBytes), spare)
  }

  /** Publishes a reply that fits. */
  publish(seq: number, status: number, payload: Buffer, start: number, end: number): void {
    const length = end - start
    const need = align8(REPLY_HEADER_BYTES + length)
    const words = this.#ring
    let offset = this.#tail & this.#mask
    const toEnd = this.#mask + 1 - offset
    if (need > toEnd) {
      words[offset >> 2] = -toEnd
      this.#tail = (this.#tail + toEnd) | 0
      offset = 0
    }
    const at = offset >> 2
    words[at] = need
    words[at + 1] = seq
    words[at + 2] = status
    words[at + 3] = length
    if (length > 0) copyBytes(payload, start, end, this.#ringBytes, offset + REPLY_HEADER_BYTES)
    this.#tail = (this.#tail + need) | 0
    Atomics.store(this.#words, REPLY_TAIL, this.#tail)
  }

  /** Sends what fits of a held reply, in pieces if it has to, and leaves `spare` bytes free. True when all of it is out. */
  send(held: HeldReply, spare: number): boolean {
    const { seq, status } = held
    for (;;) {
      const { rest } = held
      if (this.fits(rest.length, spare)) {
        this.publish(seq, status, rest, 0, rest.length)
        return true
      }
      // A quarter of the ring at a time, so that the client empties one part while the other fills.
      const piece = Math.min(rest.length, this.#pieceBytes)
      if (!this.fits(piece, spare)) return false
      this.publish(seq, STATUS.piece, rest, 0, piece)
      held.rest = rest.subarray(piece)
    }
  }

  get #pieceBytes(): number {
    return (this.#mask + 1) >> 2
  }
}

/** Below this many bytes a loop is faster than `set(subarray)`. */
const LOOP_BYTES = 96

function copyBytes(from: Buffer, start: number, end: number, to: Buffer, at: number): void {
  if (end - start > LOOP_BYTES) {
    to.set(from.subarray(start, end), at)
    return
  }
  for (let index = start; index < end; index++) to[at++] = from[index]!
}
