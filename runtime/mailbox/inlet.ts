/**
 * The actor's end of a lane: takes one request after the other, replies, and marks it done.
 *
 * Lives on the actor's thread; one for each client. After `take()` returned true the fields describe the
 * request, and its bytes stay where they are until `finish()` or `defer()`. A request that is deferred is done, and the
 * next one can be taken; its reply comes later, out of order. What a predecessor that died had taken and not
 * done is failed as unknown by `recover()`, and so is what it had deferred and not answered.
 */
import { Scratch } from '../codec/scratch.js'
import type { Bell } from './bell.js'
import { Deferral, type DeferredReplies, type Replier } from './deferral.js'
import {
  CAPACITY, DEFERS, DONE, DONE_COUNT, FLAG_LARGE, FLAG_NO_DEADLINE, FLAG_TELL, FLAGS, GENERATION_SHIFT, HEADER_BYTES, LANE_STATE,
  MAX_CODE, MAX_GENERATION, REPLYING, REPLY_RESERVE, REQUEST_HEADER_BYTES, SLOT_SHIFT, STATE, STATUS, TAIL, TAKEN,
} from './lane.js'
import { HeldReply, ReplyRing } from './reply-ring.js'

/** One request as its handler sees it: a code and up to three sections of bytes in `bytes`. */
export interface Request {
  readonly code: number
  /** The transaction that it is a part of: its slot, 0 for none, and the low bits of the slot's generation. */
  readonly slot: number
  readonly generation: number
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

export class Inlet implements Request, Replier, DeferredReplies {
  readonly client: number
  code = 0
  slot = 0
  generation = 0
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
  readonly #mask: number
  readonly #replies: ReplyRing
  readonly #bell: Bell
  #tail: number
  #done: number
  #taken: number
  #doneCount: number
  #isLarge = false
  #largeId = 0
  /** The reply to the current request, if it did not fit. Its request is done when all of it is out. */
  #outbox: HeldReply | undefined
  /** Replies to deferred requests that did not fit, in the order in which they were given. */
  readonly #held: HeldReply[] = []
  /** Deferrals that have not been answered. */
  #unanswered = 0
  #unrung = false

  constructor(lane: SharedArrayBuffer, client: number, bell: Bell) {
    this.client = client
    this.#bell = bell
    this.#words = new Int32Array(lane, 0, HEADER_BYTES >> 2)
    const capacity = this.#words[CAPACITY]!
    this.#ring = new Int32Array(lane, HEADER_BYTES, capacity >> 2)
    this.#ringBytes = Buffer.from(lane, HEADER_BYTES, capacity)
    this.#mask = capacity - 1
    this.#replies = new ReplyRing(lane)
    this.bytes = this.#ringBytes
    this.#tail = this.#done = Atomics.load(this.#words, DONE)
    this.#taken = Atomics.load(this.#words, TAKEN)
    this.#doneCount = this.#words[DONE_COUNT]!
  }

  /** Whether a request or the rest of a reply waits. */
  get pending(): boolean {
    return Atomics.load(this.#words, TAIL) !== this.#done || this.holdsReplies
  }

  /** Whether replies wait until the client has made room for them. */
  get holdsReplies(): boolean {
    return this.#outbox !== undefined || this.#held.length > 0
  }

  /** Whether `take` would get on: what is pending may have to wait until the client reads its replies. */
  get ready(): boolean {
    if (this.#outbox !== undefined) return this.clientGone || this.#replies.hasRoomFor(this.#outbox, 0)
    if (this.#held.length > 0) return this.clientGone || this.#replies.hasRoomFor(this.#held[0]!, REPLY_RESERVE)
    return Atomics.load(this.#words, TAIL) !== this.#done && (this.#replies.room >= REPLY_RESERVE || this.clientGone)
  }

  /** Where the queue ends now: `reached` tells when everything before it is done and answered. */
  mark(): number {
    return Atomics.load(this.#words, TAIL)
  }

  reached(mark: number): boolean {
    return ((this.#done - mark) | 0) >= 0 && !this.holdsReplies && this.#unanswered === 0
  }

  /** Whether nothing will be written into the lane any more, once its client is gone and nothing is pending. */
  get isQuiet(): boolean {
    return this.#unanswered === 0
  }

  get clientGone(): boolean {
    return Atomics.load(this.#words, STATE) === LANE_STATE.clientGone
  }

  get closed(): boolean {
    return Atomics.load(this.#words, STATE) === LANE_STATE.closed
  }

  /**
   * Fails what a predecessor had taken and not done, with `status`; and, unless this actor keeps its deferrals where it finds
   * them again, what its predecessor had deferred and not answered. Publishes nothing else. Call it once, before the first `take`.
   */
  recover(status: number, keepsDeferrals: boolean): void {
    const lostUpTo = this.#done
    this.#recoverCurrent(status)
    if (this.#words[DEFERS] === 0) return
    this.#held.push(new HeldReply(lostUpTo, keepsDeferrals ? STATUS.again : STATUS.lost, EMPTY))
    this.flush()
  }

  #recoverCurrent(status: number): void {
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
    this.#outbox = new HeldReply(this.seq, status, EMPTY)
    this.#flushOutbox()
  }

  /**
   * Takes the next request. False if there is none, or if the reply ring has no room for another reply.
   * `nowWord` is the monotonic time as a `nowMsWord`: what has expired before is refused and skipped.
   */
  take(nowWord: number): boolean {
    if (this.holdsReplies && !this.flush()) return false
    for (;;) {
      if (this.#tail === this.#done) {
        this.#tail = Atomics.load(this.#words, TAIL)
        if (this.#tail === this.#done) return false
      }
      if (this.#replies.room < REPLY_RESERVE && !this.clientGone) return false
      this.#skipPads()
      if (this.#tail === this.#done) continue
      const frameBytes = this.#ring[(this.#done & this.#mask) >> 2]!
      this.#taken = (this.#done + frameBytes) | 0
      this.#read()
      if (this.hasDeadline && ((this.deadline - nowWord) | 0) < 0) {
        this.#doneCount++
        if (this.isAsk) this.#replies.publish(this.seq, STATUS.expired, EMPTY, 0, 0)
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
    if (this.isAsk) this.#replies.publish(this.seq, status, EMPTY, 0, 0)
    this.#complete()
  }

  /** Replies with the bytes [start, end) of `payload` and marks the request done, at once or when all of it is out. */
  finishWith(status: number, payload: Buffer, start: number, end: number): void {
    this.#doneCount++
    if (!this.isAsk || this.clientGone) return this.#complete()
    if (this.#replies.fits(end - start, 0)) {
      this.#replies.publish(this.seq, status, payload, start, end)
      return this.#complete()
    }
    this.#words[REPLYING] = 1
    this.#outbox = new HeldReply(this.seq, status, Buffer.from(payload.subarray(start, end)))
    this.#flushOutbox()
  }

  /**
   * Marks the request done without a reply, which whoever holds the deferral gives later. The request's bytes may be overwritten
   * from now on.
   */
  defer(): Deferral {
    // Before `done`: the next incarnation must not take it for answered.
    this.#words[DEFERS] = 1
    this.#doneCount++
    this.#unanswered++
    this.#complete()
    return new Deferral(this, this.seq, this.isAsk)
  }

  /** For an actor that keeps its deferrals: the deferral of a request again that was deferred here, or adopted. */
  deferral(seq: number, isAsk: boolean): Deferral {
    return new Deferral(this, seq, isAsk)
  }

  /** For such an actor: a request that a predecessor had deferred and not answered waits for its answer from this one. */
  adoptDeferred(): void {
    this.#unanswered++
  }

  /** The reply to a request that was deferred; for its deferral. */
  answer({ seq, isAsk }: Deferral, status: number, payload: Buffer, start: number, end: number): void {
    this.#unanswered--
    if (!isAsk || this.clientGone) return
    // The room that the current request reserved for its own reply stays free.
    if (!this.holdsReplies && this.#replies.fits(end - start, REPLY_RESERVE)) this.#replies.publish(seq, status, payload, start, end)
    else this.#held.push(new HeldReply(seq, status, Buffer.from(payload.subarray(start, end))))
    this.#bell.ringIfAsleep()
  }

  /** Sends what was held back, as far as there is room. True when all of it is out. */
  flush(): boolean {
    if (this.#outbox !== undefined && !this.#flushOutbox()) return false
    let sent = 0
    while (sent < this.#held.length && (this.clientGone || this.#replies.send(this.#held[sent]!, REPLY_RESERVE))) sent++
    this.#held.splice(0, sent)
    this.#unrung = true
    return this.#held.length === 0
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
    this.code = codeAndFlags & MAX_CODE
    this.generation = (codeAndFlags >>> GENERATION_SHIFT) & MAX_GENERATION
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

  /** Sends what fits of the current request's reply. True when all of it is out and its request is done. */
  #flushOutbox(): boolean {
    this.#unrung = true
    if (!this.clientGone && !this.#replies.send(this.#outbox!, 0)) return false
    this.#outbox = undefined
    this.#complete()
    this.#words[REPLYING] = 0
    return true
  }
}

const EMPTY = Buffer.alloc(0)

/** The scratch in which a thread encodes replies. */
export const replyScratch = new Scratch()
