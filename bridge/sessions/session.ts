/**
 * A session with a peer, from the end of the handshake to the end of the connection: requests and their replies, notes, credit,
 * signs of life. What requests mean it does not know.
 *
 * Credit: of each direction's requests and notes only so many, and so many bytes, may be unanswered, as the other end said in the
 * handshake; who sends more, ends the session. Replies and control need no credit and go before requests. Requests of a peer that
 * does not take its replies are held back, and if it takes none for the failure timeout the session ends. How long replies will be nobody knows
 * beforehand: of many requests that come together only some are begun in one turn, and when far too much of replies waits further ones are dropped,
 * and the peer is told. So nothing here grows without bound, whatever the other end does.
 *
 * Every request is answered once: by a reply, by the peer's word that there will be none, or by the end of the session. One that
 * was given up here at its deadline keeps its credit until then. So a reply that nobody waits for is a lie.
 */
import type { Timers } from '../../runtime/clock.js'
import { CacheError } from '../../runtime/errors.js'
import { ENVELOPE, ENVELOPE_HEAD_BYTES, FAILURE, GOODBYE, readWord, REQUEST_HEAD_BYTES, type Failure, type Goodbye } from './envelope.js'
import type { Terms } from './hello.js'
import { Inbound } from './inbound.js'
import type { Link } from './link.js'
import { Outbox } from './outbox.js'
import { Outstanding } from './outstanding.js'
import { Parts } from './parts.js'
import { warnOfThrown, type Settle } from './settle.js'

/** While more bytes of replies than this wait to be sent, requests of the peer are held back. */
const MAX_WAITING_REPLY_BYTES = 4 << 20

/** More than so many of the longest messages, or than so many bytes if that is more, and one reply never waits. */
const MAX_REPLIES = 4
const MIN_REPLY_BYTES = 64 << 20

/** So many requests at most are begun, and not answered at once, in one turn of the event loop: the replies to some are there before others are begun. */
const MAX_BEGUN = 256

/** Ticks without a frame after which a peer counts as dead; a tick is that part of the failure timeout. */
export const TICKS_OF_SILENCE = 5

export interface SessionHandlers {
  /** A request: `bytes[start, end)` are the receiver's until it returns. `reply` or `refuse` with its id has to follow. */
  request(id: number, timeMs: number, bytes: Buffer, start: number, end: number): void
  note(bytes: Buffer, start: number, end: number): void
  /** There may be credit again. */
  credit(): void
  /** The session has ended, other than by `end`; its requests have been settled. Once. */
  ended(end: SessionEnd): void
}

export type SessionEnd =
  /** The connection broke, the peer broke the protocol, or frames were lost. */
  | { readonly reason: 'lost'; readonly error: Error }
  /** Nothing came for the failure timeout, or nothing could be sent. */
  | { readonly reason: 'silent'; readonly error: Error }
  | { readonly reason: 'goodbye'; readonly goodbye: Goodbye }

export class Session {
  readonly link: Link
  readonly #peer: string
  readonly #timers: Timers
  readonly #handlers: SessionHandlers
  readonly #outbox: Outbox
  readonly #outstanding: Outstanding
  readonly #inbound: Inbound
  readonly #ordinaryParts: Parts
  readonly #urgentParts: Parts
  readonly #maxReplyBytes: number
  #ended = false
  #notesTaken = 0
  /** Requests that were begun in this turn, and not answered at once. */
  #begun = 0
  #framesAtTick = 0
  #releasedAtTick = 0
  #silentTicks = 0
  #stuckTicks = 0

  /**
   * @param peer its name
   * @param own what this node allows the peer
   * @param theirs what the peer allows
   */
  constructor(peer: string, link: Link, own: Terms, theirs: Terms, timers: Timers, handlers: SessionHandlers) {
    this.#peer = peer
    this.link = link
    this.#timers = timers
    this.#handlers = handlers
    this.#outbox = new Outbox(link, () => this.#giveCredit())
    this.#outstanding = new Outstanding(peer, theirs)
    this.#inbound = new Inbound(own)
    this.#ordinaryParts = new Parts(own.messageBytes)
    this.#urgentParts = new Parts(own.messageBytes)
    this.#maxReplyBytes = Math.max(MIN_REPLY_BYTES, MAX_REPLIES * own.messageBytes)
    link.user = {
      frame: (bytes, start, end) => this.#frame(bytes, start, end),
      drain: () => this.#drain(),
      closed: (error) => this.#end({ reason: 'lost', error }),
    }
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Requests whose reply has not come, those included that were given up. */
  get outstanding(): number {
    return this.#outstanding.count
  }

  /** Requests of the peer that were not answered. */
  get inbound(): number {
    return this.#inbound.count
  }

  /**
   * Sends a request, or returns false if the credit does not suffice now. `settle` is called once, never before this returns.
   *
   * @throws `ERR_TOO_LARGE` if the peer does not take that many bytes
   */
  request(bytes: Uint8Array, start: number, end: number, timeoutMs: number, settle: Settle): boolean {
    if (this.#ended) return false
    const id = this.#outstanding.open(end - start, this.#timers.now() + timeoutMs, settle)
    if (id < 0) return false
    this.#outbox.putRequest(id, Math.min(Math.max(0, Math.ceil(timeoutMs)), 0xffff_ffff), bytes, start, end, this.#outstanding.order)
    return true
  }

  /** Sends a note, or returns false if the credit does not suffice now. Throws as `request`. */
  note(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#ended || !this.#outstanding.openNote(end - start)) return false
    this.#outbox.putNote(bytes, start, end)
    return true
  }

  /** Answers a request. False if nobody waits for it any more. */
  reply(id: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#ended || !this.#inbound.close(id)) return false
    if (end - start > this.#outstanding.messageBytes) this.#outbox.putWord(ENVELOPE.failed, id, FAILURE.replyTooLarge)
    else if (this.#outbox.urgentBytes > this.#maxReplyBytes) this.#outbox.putWord(ENVELOPE.failed, id, FAILURE.dropped)
    else this.#outbox.putReply(id, bytes, start, end)
    return true
  }

  /** Says that there will be no reply to a request. */
  refuse(id: number, why: Failure = FAILURE.refused): void {
    if (!this.#ended && this.#inbound.close(id)) this.#outbox.putWord(ENVELOPE.failed, id, why)
  }

  /** Gives up what is past its deadline. To be called every few milliseconds. */
  sweep(): void {
    this.#outstanding.sweep(this.#timers.now())
  }

  /** Counts the time without a sign of the peer, and gives one. To be called `TICKS_OF_SILENCE` times in the failure timeout. */
  tick(): void {
    if (this.#ended) return
    if (++this.#silentTicks >= TICKS_OF_SILENCE) return this.#end({ reason: 'silent', error: new CacheError('ERR_NODE_DOWN', `node '${this.#peer}' gave no sign of life`, { node: this.#peer }) })
    // A slow connection is not a dead one.
    if (this.#outbox.writable || this.#outbox.released !== this.#releasedAtTick) this.#stuckTicks = 0
    else if (++this.#stuckTicks >= TICKS_OF_SILENCE) return this.#end({ reason: 'silent', error: new CacheError('ERR_NODE_DOWN', `node '${this.#peer}' took nothing that was sent to it`, { node: this.#peer }) })
    if (this.#outbox.frames === this.#framesAtTick) this.#outbox.beat()
    this.#framesAtTick = this.#outbox.frames
    this.#releasedAtTick = this.#outbox.released
    // Somewhat later than the deadline, because the reply that would have met it may still have been made in time.
    this.#inbound.lapse(this.#timers.now(), (id) => this.refuse(id, FAILURE.unanswered))
  }

  /** Says why, sends what was put, and ends the session from this side. Requests are settled; nobody is told otherwise. */
  end(goodbye: Goodbye): void {
    if (this.#ended) return
    // A goodbye is urgent, and would go before the rest.
    this.#outbox.flush()
    this.#outbox.putWord(ENVELOPE.goodbye, goodbye)
    this.#outbox.flush()
    const link = this.link
    this.#finish(new CacheError('ERR_NODE_DOWN', `the session with node '${this.#peer}' has ended`, { node: this.#peer }))
    link.close()
  }

  #end(end: SessionEnd): void {
    if (this.#ended) return
    const cause = end.reason === 'goodbye' ? undefined : end.error
    this.#finish(new CacheError('ERR_NODE_DOWN', `the connection to node '${this.#peer}' was lost`, { node: this.#peer, cause }))
    this.link.destroy()
    this.#handlers.ended(end)
  }

  #finish(error: CacheError): void {
    this.#ended = true
    const { sentOrder } = this.#outbox
    this.#outbox.close()
    this.#inbound.clear()
    this.#outstanding.fail(error, sentOrder)
  }

  #frame(bytes: Buffer, start: number, end: number): void {
    this.#silentTicks = 0
    let at = start
    while (at < end && !this.#ended) {
      if (end - at < ENVELOPE_HEAD_BYTES) bad('bytes behind the last envelope')
      const kind = bytes[at]!
      const length = bytes[at + 1]! | (bytes[at + 2]! << 8) | (bytes[at + 3]! << 16)
      const id = readWord(bytes, at + 4)
      const from = at + (kind === ENVELOPE.request ? REQUEST_HEAD_BYTES : ENVELOPE_HEAD_BYTES)
      at = from + length
      if (at > end) bad('an envelope that is longer than its frame')
      this.#envelope(kind, id, bytes, from, at)
    }
  }

  #envelope(kind: number, id: number, bytes: Buffer, start: number, end: number): void {
    switch (kind) {
      case ENVELOPE.request: {
        const whole = this.#ordinaryParts.end(ENVELOPE.requestPart, id, bytes, start, end)
        if (whole === undefined) this.#request(id, readWord(bytes, start - 4), bytes, start, end)
        else this.#request(id, readWord(bytes, start - 4), whole, 0, whole.length)
        return
      }
      case ENVELOPE.reply: {
        const whole = this.#urgentParts.end(ENVELOPE.replyPart, id, bytes, start, end)
        if (whole === undefined) this.#outstanding.reply(id, bytes, start, end)
        else this.#outstanding.reply(id, whole, 0, whole.length)
        return this.#handlers.credit()
      }
      case ENVELOPE.note: {
        const whole = this.#ordinaryParts.end(ENVELOPE.notePart, id, bytes, start, end) ?? bytes
        const from = whole === bytes ? start : 0
        this.#notesTaken++
        this.#outbox.wake()
        return this.#note(whole, from, whole === bytes ? end : whole.length)
      }
      case ENVELOPE.requestPart: case ENVELOPE.notePart: return this.#ordinaryParts.add(kind, id, bytes, start, end)
      case ENVELOPE.replyPart:
        if (!this.#outstanding.has(id)) bad('a part of a reply to nothing')
        return this.#urgentParts.add(kind, id, bytes, start, end)
      case ENVELOPE.failed:
        if (end - start !== 1 || bytes[start]! < FAILURE.lapsed || bytes[start]! > FAILURE.dropped) bad('an unknown failure')
        this.#outstanding.failed(id, bytes[start] as Failure) // checked
        return this.#handlers.credit()
      case ENVELOPE.credit:
        if (end !== start) bad('a credit with content')
        this.#outstanding.credit(id)
        return this.#handlers.credit()
      case ENVELOPE.goodbye:
        if (end !== start || id < GOODBYE.stopping || id > GOODBYE.duplicate) bad('an unknown goodbye')
        return this.#end({ reason: 'goodbye', goodbye: id as Goodbye }) // checked
      default: bad(`an envelope of the unknown kind ${kind}`)
    }
  }

  #request(id: number, timeMs: number, bytes: Buffer, start: number, end: number): void {
    this.#inbound.open(id, end - start, this.#timers.now() + timeMs)
    if (this.#inbound.holds || !this.#begins) this.#inbound.hold(id, bytes, start, end)
    else this.#hand(id, timeMs, bytes, start, end)
  }

  /** Whether a request may be begun now. */
  get #begins(): boolean {
    return this.#begun < MAX_BEGUN && this.#outbox.urgentBytes <= MAX_WAITING_REPLY_BYTES
  }

  /** What the receiver throws is its own fault, and costs that request only. */
  #hand(id: number, timeMs: number, bytes: Buffer, start: number, end: number): void {
    const unanswered = this.#inbound.count
    try {
      this.#handlers.request(id, timeMs, bytes, start, end)
    } catch (error) {
      warnOfThrown(error)
      this.refuse(id)
    }
    if (this.#inbound.count < unanswered || this.#begun++ > 0) return
    setImmediate(() => {
      this.#begun = 0
      this.#beginHeld()
    })
  }

  #note(bytes: Buffer, start: number, end: number): void {
    try {
      this.#handlers.note(bytes, start, end)
    } catch (error) {
      warnOfThrown(error)
    }
  }

  #drain(): void {
    this.#outbox.drained()
    this.#beginHeld()
  }

  #beginHeld(): void {
    while (this.#inbound.holds && this.#begins && !this.#ended) {
      const { id, bytes, deadlineMs } = this.#inbound.release()
      const leftMs = deadlineMs - this.#timers.now()
      if (leftMs > 0) this.#hand(id, leftMs, bytes, 0, bytes.length)
      else this.refuse(id, FAILURE.lapsed)
    }
  }

  #giveCredit(): void {
    const taken = this.#notesTaken
    if (taken === 0) return
    this.#notesTaken = 0
    this.#outbox.putWord(ENVELOPE.credit, taken)
  }
}

function bad(what: string): never {
  throw new CacheError('ERR_FRAME', `the peer sent ${what}`)
}
