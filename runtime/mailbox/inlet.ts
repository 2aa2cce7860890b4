/**
 * The actor's end of a lane: takes one request after the other, replies, and marks it done.
 *
 * Lives on the actor's thread; one for each client. After `take()` returned true the fields describe the
 * request, and its bytes stay where they are until `finish()`. What a predecessor that died had taken and not
 * done is failed as unknown by `recover()`.
 */
import { Scratch } from '../codec/scratch.js'
import type { Bell } from './bell.js'
import {
  CAPACITY, DONE, DONE_COUNT, FLAG_LARGE, FLAG_NO_DEADLINE, FLAG_TELL, FLAGS, HEADER_BYTES, LANE_STATE, REPLY_CAPACITY,
  REPLYING, REPLY_HEAD, REPLY_HEADER_BYTES, REPLY_RESERVE, REPLY_TAIL, REQUEST_HEADER_BYTES, SLOT_SHIFT, STATE, STATUS, TAIL, TAKEN, align8,
} from './lane.js'

/** One request as its handler sees it: a code and up to three sections of bytes in `bytes`. */
export interface Request {
  readonly code: number
  /** The transaction that it is a part of: its slot, 0 for none. */
  readonly slot: number
  readonly isAsk: boolean
  readonly bytes: Buffer
  /** Sections a, b and c: [start, aEnd), [aEnd, bEnd), [bEnd, cEnd). */
  readonly start: number
  readonly aEnd: number
  readonly bEnd: number
  readonly cEnd: number
  /** When the caller gives up, as a wrapping word (see `deadlineMsWord`); meaningless unless `hasDeadline`. */
  readonly deadline: number
  readonly hasDeadline: boolean
}

export class Inlet implements Request {
  readonly client: number
  code = 0
  slot = 0
  isAsk = false
  bytes: Buffer
  start = 0
  aEnd = 0
  bEnd = 0
  cEnd = 0
  deadline = 0
  hasDeadline = false
  seq = 0
  /** Its client is gone: the host forgets it once it is empty. */
  leaving = false

  /** Bodies that came outside the ring, by their numbers; filled by the host. */
  readonly large = new Map<number, SharedArrayBuffer>()
  /** Called with its number when a large body has been handled. */
  onLargeDone: ((id: number) => void) | undefined

  readonly #words: Int32Array
  readonly #ring: Int32Array
  readonly #ringBytes: Buffer
  readonly #replies: Int32Array
  readonly #replyBytes: Buffer
  readonly #mask: number
  readonly #replyMask: number
  readonly #bell: Bell
  #tail: number
  #done: number
  #taken: number
  #doneCount: number
  #replyTail: number
  #isLarge = false
  #largeId = 0
  /** The rest of a reply that did not fit: sent in pieces as the client makes room. */
  #outbox: Buffer | undefined
  #outboxStatus = 0
  #unrung = false

  constructor(lane: SharedArrayBuffer, client: number, bell: Bell) {
    this.client = client
    this.#bell = bell
    this.#words = new Int32Array(lane, 0, HEADER_BYTES >> 2)
    const capacity = this.#words[CAPACITY]!
    const replyCapacity = this.#words[REPLY_CAPACITY]!
    this.#ring = new Int32Array(lane, HEADER_BYTES, capacity >> 2)
    this.#ringBytes = Buffer.from(lane, HEADER_BYTES, capacity)
    this.#replies = new Int32Array(lane, HEADER_BYTES + capacity, replyCapacity >> 2)
    this.#replyBytes = Buffer.from(lane, HEADER_BYTES + capacity, replyCapacity)
    this.#mask = capacity - 1
    this.#replyMask = replyCapacity - 1
    this.bytes = this.#ringBytes
    this.#tail = this.#done = Atomics.load(this.#words, DONE)
    this.#taken = Atomics.load(this.#words, TAKEN)
    this.#doneCount = this.#words[DONE_COUNT]!
    this.#replyTail = Atomics.load(this.#words, REPLY_TAIL)
  }

  /** Whether a request or the rest of a reply waits. */
  get pending(): boolean {
    return Atomics.load(this.#words, TAIL) !== this.#done || this.#outbox !== undefined
  }

  /** Whether `take` would get on: what is pending may have to wait until the client reads its replies. */
  get ready(): boolean {
    if (this.#outbox !== undefined) return this.clientGone || this.#replyFits(Math.min(this.#outbox.length, this.#pieceBytes))
    return Atomics.load(this.#words, TAIL) !== this.#done && (this.#replyRoom() >= REPLY_RESERVE || this.clientGone)
  }

  /** Where the queue ends now: `reached` tells when everything before it is done. */
  mark(): number {
    return Atomics.load(this.#words, TAIL)
  }

  reached(mark: number): boolean {
    return ((this.#done - mark) | 0) >= 0 && this.#outbox === undefined
  }

  get clientGone(): boolean {
    return Atomics.load(this.#words, STATE) === LANE_STATE.clientGone
  }

  get closed(): boolean {
    return Atomics.load(this.#words, STATE) === LANE_STATE.closed
  }

  /**
   * Fails what a predecessor had taken and not done, with `status`, and publishes nothing else.
   * Call it once, before the first `take`.
   */
  recover(status: number): void {
    if (this.#taken === this.#done) {
      this.#words[REPLYING] = 0
      return
    }
    this.#skipPads()
    this.#tail = this.#taken
    if (this.#taken === this.#done) return
    this.#read()
    this.#doneCount++
    if (!this.isAsk || this.clientGone) return this.#complete()
    // Whatever the predecessor died over, it was not this: it had done it, and held back the rest of the reply.
    if (this.#words[REPLYING] === 1) status = STATUS.crashed
    // The predecessor may have used the room that it had reserved for the reply itself.
    this.#outbox = EMPTY
    this.#outboxStatus = status
    this.#flushOutbox()
  }

  /**
   * Takes the next request. False if there is none, or if the reply ring has no room for another reply.
   * `nowWord` is the monotonic time as a `nowMsWord`: what has expired before is refused and skipped.
   */
  take(nowWord: number): boolean {
    if (this.#outbox !== undefined && !this.#flushOutbox()) return false
    for (;;) {
      if (this.#tail === this.#done) {
        this.#tail = Atomics.load(this.#words, TAIL)
        if (this.#tail === this.#done) return false
      }
      if (this.#replyRoom() < REPLY_RESERVE && !this.clientGone) return false
      this.#skipPads()
      if (this.#tail === this.#done) continue
      const frameBytes = this.#ring[(this.#done & this.#mask) >> 2]!
      this.#taken = (this.#done + frameBytes) | 0
      this.#read()
      if (this.hasDeadline && ((this.deadline - nowWord) | 0) < 0) {
        this.#doneCount++
        if (this.isAsk) this.#publish(STATUS.expired, undefined, 0, 0)
        Atomics.store(this.#words, TAKEN, this.#taken)
        this.#complete()
        continue
      }
      Atomics.store(this.#words, TAKEN, this.#taken)
      return true
    }
  }

  /** Whether the body of the request just taken has not arrived yet. */
  get bodyMissing(): boolean {
    return this.#isLarge && this.bytes === this.#ringBytes
  }

  /** Looks again for the body of a large request. */
  adoptBody(): boolean {
    const body = this.large.get(this.#largeId)
    if (body === undefined) return false
    this.bytes = Buffer.from(body)
    return true
  }

  /** Replies without a payload and marks the request done. */
  finish(status: number): void {
    this.#doneCount++
    if (this.isAsk) this.#publish(status, undefined, 0, 0)
    this.#complete()
  }

  /** Replies with the bytes [start, end) of `payload` and marks the request done, at once or when all of it is out. */
  finishWith(status: number, payload: Buffer, start: number, end: number): void {
    this.#doneCount++
    if (!this.isAsk || this.clientGone) return this.#complete()
    if (this.#replyFits(end - start)) {
      this.#publish(status, payload, start, end)
      return this.#complete()
    }
    this.#words[REPLYING] = 1
    this.#outbox = Buffer.from(payload.subarray(start, end))
    this.#outboxStatus = status
    this.#flushOutbox()
  }

  /** Tells the client that there is something for it, if it may be asleep. */
  ring(): void {
    if (!this.#unrung) return
    this.#unrung = false
    this.#bell.ringIfAsleep()
  }

  #read(): void {
    const at = (this.#done & this.#mask) >> 2
    const ring = this.#ring
    const codeAndFlags = ring[at + 2]!
    const flags = (codeAndFlags >>> 16) & FLAGS
    this.seq = ring[at + 1]!
    this.code = codeAndFlags & 0xffff
    this.slot = codeAndFlags >>> SLOT_SHIFT
    this.isAsk = (flags & FLAG_TELL) === 0
    this.deadline = ring[at + 3]!
    this.hasDeadline = (flags & FLAG_NO_DEADLINE) === 0
    this.#isLarge = (flags & FLAG_LARGE) !== 0
    this.bytes = this.#ringBytes
    let start = (at << 2) + REQUEST_HEADER_BYTES
    if (this.#isLarge) {
      start = 0
      this.#largeId = ring[at + 7]!
      this.adoptBody()
    }
    this.start = start
    this.aEnd = start + ring[at + 4]!
    this.bEnd = this.aEnd + ring[at + 5]!
    this.cEnd = this.bEnd + ring[at + 6]!
  }

  #skipPads(): void {
    const bytes = this.#ring[(this.#done & this.#mask) >> 2]!
    if (bytes >= 0) return
    this.#done = (this.#done - bytes) | 0
    if (this.#taken === ((this.#done + bytes) | 0)) this.#taken = this.#done
    // `taken` first: a restart between the two stores must not find `done` beyond it.
    Atomics.store(this.#words, TAKEN, this.#taken)
    Atomics.store(this.#words, DONE, this.#done)
  }

  #complete(): void {
    this.#done = this.#taken
    Atomics.store(this.#words, DONE, this.#done)
    // After `done`: an actor killed in between has counted one too few, which holds a client back; it never lets one go too far.
    this.#words[DONE_COUNT] = this.#doneCount
    this.#unrung = true
    if (this.#isLarge) {
      this.#isLarge = false
      this.#dropLargeUpTo(this.#largeId)
    }
  }

  /** Bodies come in the order of their numbers. An older one that is still here was done by a predecessor that died before it said so. */
  #dropLargeUpTo(last: number): void {
    for (const id of [...this.large.keys()]) {
      if (((last - id) << 2) < 0) continue
      this.large.delete(id)
      this.onLargeDone?.(id)
    }
  }

  get #pieceBytes(): number {
    return (this.#replyMask + 1) >> 2
  }

  #replyRoom(): number {
    return this.#replyMask + 1 - ((this.#replyTail - Atomics.load(this.#words, REPLY_HEAD)) >>> 0)
  }

  #replyFits(payloadBytes: number): boolean {
    const need = align8(REPLY_HEADER_BYTES + payloadBytes)
    const toEnd = this.#replyMask + 1 - (this.#replyTail & this.#replyMask)
    return this.#replyRoom() >= (need <= toEnd ? need : need + toEnd)
  }

  #publish(status: number, payload: Buffer | undefined, start: number, end: number): void {
    const length = end - start
    const need = align8(REPLY_HEADER_BYTES + length)
    const words = this.#replies
    let offset = this.#replyTail & this.#replyMask
    const toEnd = this.#replyMask + 1 - offset
    if (need > toEnd) {
      words[offset >> 2] = -toEnd
      this.#replyTail = (this.#replyTail + toEnd) | 0
      offset = 0
    }
    const at = offset >> 2
    words[at] = need
    words[at + 1] = this.seq
    words[at + 2] = status
    words[at + 3] = length
    if (length > 0) copyBytes(payload!, start, end, this.#replyBytes, offset + REPLY_HEADER_BYTES)
    this.#replyTail = (this.#replyTail + need) | 0
    Atomics.store(this.#words, REPLY_TAIL, this.#replyTail)
    this.#unrung = true
  }

  /** Sends what fits of a long reply. True when all of it is out and its request is done. */
  #flushOutbox(): boolean {
    let rest = this.#outbox!
    while (!this.clientGone) {
      if (this.#replyFits(rest.length)) {
        this.#publish(this.#outboxStatus, rest, 0, rest.length)
        break
      }
      // A quarter of the ring at a time, so that the client empties one part while the other fills.
      const piece = Math.min(rest.length, this.#pieceBytes)
      if (!this.#replyFits(piece)) {
        this.#outbox = rest
        return false
      }
      this.#publish(STATUS.piece, rest, 0, piece)
      rest = rest.subarray(piece)
    }
    this.#outbox = undefined
    this.#complete()
    this.#words[REPLYING] = 0
    return true
  }
}

const EMPTY = Buffer.alloc(0)

/** Below this many bytes a loop is faster than `set(subarray)`. */
const LOOP_BYTES = 96

export function copyBytes(from: Buffer, start: number, end: number, to: Buffer, at: number): void {
  if (end - start > LOOP_BYTES) {
    to.set(from.subarray(start, end), at)
    return
  }
  for (let index = start; index < end; index++) to[at++] = from[index]!
}

/** The scratch in which a thread encodes replies. */
export const replyScratch = new Scratch()
