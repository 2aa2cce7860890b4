/**
 * A connection and its frames: the handshake over it, and then the session's. Owns the counters, the seals and the limits, and
 * ends the connection at the first thing that is wrong.
 */
import type { Timers } from '../../runtime/clock.js'
import { CacheError } from '../../runtime/errors.js'
import { closeFrame, FRAME_HEAD_BYTES, FRAME_TYPE, FrameReader, makeFrame, MAX_FRAME_BYTES, type FrameType } from './frame.js'
import { Handshake, type Agreement, type HandshakeSetting } from './handshake.js'
import { VERDICT, type Proof, type Refusal, type Verdict } from './hello.js'
import type { FrameSink } from './outbox.js'
import { checksum, macSeal, type Seal } from './seal.js'
import type { Connection } from '../transports/transport.js'

/** A handshake has no more bytes than this in one direction. */
const MAX_HANDSHAKE_BYTES = 1 << 13

export interface LinkHandlers {
  /** A responder's: the initiator has proved who it is. `judge` has to follow, at once or before the time is up. */
  claimed(link: Link, peer: string, claim: Proof): void
  /** An initiator's: the peer has judged. A responder is not told of its own judgement. */
  agreed(link: Link, agreement: Agreement): void
  /** The handshake came to nothing: once, and never after `agreed`. */
  failed(link: Link, error: Error): void
}

/** A session's end of a link. */
export interface LinkUser {
  frame(bytes: Buffer, start: number, end: number): void
  drain(): void
  /** The connection has ended, or what came over it was wrong. Once. */
  closed(error: Error): void
}

export class Link implements FrameSink {
  readonly connection: Connection
  /** `undefined` while the handshake lasts. */
  user: LinkUser | undefined
  maxBodyBytes = 0
  readonly #handshake: Handshake
  readonly #handlers: LinkHandlers
  readonly #reader: FrameReader
  #handshakeBytes = 0
  #counter = 0
  #seal: Seal = checksum
  #cancelTimer: () => void
  #closed = false

  constructor(connection: Connection, setting: HandshakeSetting, limitMs: number, timers: Timers, handlers: LinkHandlers) {
    this.connection = connection
    this.#handlers = handlers
    this.#handshake = new Handshake(setting)
    this.#reader = new FrameReader({ messages: connection.messages, onFrame: (type, bytes, start, end) => this.#frame(type, bytes, start, end) })
    this.#cancelTimer = timers.after(limitMs, () => this.fail(new CacheError('ERR_UNAUTHENTICATED', `${connection.remote} did not finish the handshake within ${limitMs} ms`)))
    connection.open({ data: (bytes) => this.#data(bytes), drain: () => this.user?.drain(), closed: (error) => this.#connectionClosed(error) })
    if (setting.role !== 'responder') this.#sendNow(FRAME_TYPE.hello, this.#handshake.hello())
  }

  /** Frames that were dropped because nobody who is known wrote them, or because they came twice. */
  get dropped(): number {
    return this.#reader.dropped
  }

  /** A responder's, once claimed: the other only wants to look. */
  get isObserved(): boolean {
    return this.#handshake.isObserved
  }

  /** A responder's judgement of the claim. Only an accepted one leaves the link open. */
  judge(verdict: Verdict, incarnation: number): Agreement {
    this.#sendNow(FRAME_TYPE.proof, this.#handshake.judge(verdict, incarnation))
    const agreement = this.#finish()
    if (verdict !== VERDICT.accepted) this.close()
    return agreement
  }

  send(frame: Buffer, end: number, release: () => void): boolean {
    const length = closeFrame(frame, end, FRAME_TYPE.data, this.#counter++, this.#seal)
    return this.connection.write(frame.subarray(0, length), release)
  }

  /** A responder's answer to a claim that it cannot even judge. */
  refuse(reason: Refusal): void {
    this.#sendNow(FRAME_TYPE.refuse, Buffer.of(reason))
    this.close()
  }

  /** Ends the handshake with an error. */
  fail(error: Error): void {
    if (this.#closed) return
    const { refusal } = this.#handshake
    if (refusal !== undefined && this.user === undefined) this.#sendNow(FRAME_TYPE.refuse, Buffer.of(refusal))
    this.#end(error, refusal !== undefined)
  }

  /** Sends what was written and ends the connection. Nobody hears of this link any more. */
  close(): void {
    if (this.#closed) return
    this.#forget()
    this.connection.close()
  }

  /** Ends the connection at once. Nobody hears of this link any more. */
  destroy(): void {
    if (this.#closed) return
    this.#forget()
    this.connection.destroy()
  }

  #sendNow(type: FrameType, body: Buffer): void {
    this.connection.write(makeFrame(type, body, this.#counter++, checksum), () => undefined)
  }

  #data(bytes: Buffer): void {
    if (this.#closed) return
    try {
      if (this.#handshake.agreement === undefined && (this.#handshakeBytes += bytes.length) > MAX_HANDSHAKE_BYTES) {
        throw new CacheError('ERR_UNAUTHENTICATED', `${this.connection.remote} sent more than ${MAX_HANDSHAKE_BYTES} bytes before it had proved who it is`)
      }
      this.#reader.push(bytes)
    } catch (error) {
      this.fail(error as Error)
    }
  }

  #frame(type: FrameType, bytes: Buffer, start: number, end: number): void {
    if (this.#handshake.agreement === undefined) return this.#handshakeFrame(type, bytes.subarray(start, end))
    if (type !== FRAME_TYPE.data) throw new CacheError('ERR_FRAME', 'the peer sent a part of a handshake in a session')
    this.user?.frame(bytes, start, end)
  }

  #handshakeFrame(type: FrameType, body: Buffer): void {
    const answer = this.#handshake.receive(type, body)
    if (answer !== undefined) this.#sendNow(...answer)
    const { agreement, claim, peer } = this.#handshake
    if (agreement !== undefined) this.#handlers.agreed(this, this.#finish())
    else if (claim !== undefined) this.#handlers.claimed(this, peer, claim)
  }

  /** From now on frames are the session's. */
  #finish(): Agreement {
    const agreement = this.#handshake.agreement!
    this.#cancelTimer()
    if (agreement.keys !== undefined) {
      this.#seal = macSeal(agreement.keys.send)
      this.#reader.seal = macSeal(agreement.keys.receive)
    }
    this.#reader.limitBytes = MAX_FRAME_BYTES
    this.maxBodyBytes = Math.min(MAX_FRAME_BYTES, this.connection.maxFrameBytes) - FRAME_HEAD_BYTES - this.#seal.bytes
    return agreement
  }

  #connectionClosed(error: Error | undefined): void {
    if (!this.#closed) this.#end(error ?? new CacheError('ERR_NODE_UNREACHABLE', `the connection to ${this.connection.remote} was closed`), false)
  }

  #end(error: Error, politely: boolean): void {
    const { user } = this
    this.#forget()
    if (politely) this.connection.close()
    else this.connection.destroy()
    if (user !== undefined) user.closed(error)
    else this.#handlers.failed(this, error)
  }

  #forget(): void {
    this.#closed = true
    this.user = undefined
    this.#cancelTimer()
    this.#reader.close()
  }
}
