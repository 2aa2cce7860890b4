/**
 * One other node, as this node sees it: whether it is up, the session with it, and the requests that wait for one.
 *
 *     down ──session──▶ up ──connection lost──▶ lost ──session of the same incarnation──▶ up
 *       ▲                │                        │
 *       └────────────────┴── silent, stopped, refused, or lost for the failure timeout; or a higher incarnation came
 *
 * A node that was declared down comes back as a new incarnation, and so does this node for it: both must know that the other has
 * drawn conclusions. While a peer is lost, requests wait; when it is down they fail at once.
 */
import type { Timers } from '../../runtime/clock.js'
import { CacheError } from '../../runtime/errors.js'
import { GOODBYE, type Failure } from '../sessions/envelope.js'
import type { Agreement, Incarnations } from '../sessions/handshake.js'
import type { Terms } from '../sessions/hello.js'
import type { Link } from '../sessions/link.js'
import { Session, TICKS_OF_SILENCE, type SessionEnd } from '../sessions/session.js'
import { settleWith, type Settle } from '../sessions/settle.js'
import { WaitingRequests } from '../sessions/waiting-requests.js'

export type PeerState = 'up' | 'lost' | 'down'

/** Why a node was declared down. */
export type DownReason =
  /** It said that it stops. */
  | 'stopped'
  /** It gave no sign of life for the failure timeout. */
  | 'silent'
  /** Nobody listens at its address any more. */
  | 'refused'
  /** The connection was lost, and did not come back within the failure timeout. */
  | 'unreachable'
  /** It came back as a new incarnation: it had been restarted. */
  | 'restarted'
  /** It has declared this node down. */
  | 'gave up on us'
  /** This node stops. */
  | 'stopping'

export interface PeerSetting {
  readonly own: Terms
  readonly failureTimeoutMs: number
  readonly timers: Timers
  /** This node's incarnation for peers that have not declared it down. */
  readonly incarnation: number
}

export interface PeerHandlers {
  up(peer: Peer): void
  down(peer: Peer, reason: DownReason): void
  /** `ticket` is for `reply` and `refuse`. The bytes are the receiver's until it returns. */
  request(peer: Peer, ticket: number, timeMs: number, bytes: Buffer, start: number, end: number): void
  note(peer: Peer, bytes: Buffer, start: number, end: number): void
  /** There is no session: connect. */
  unconnected(peer: Peer): void
}

/** How often deadlines are looked at. */
const SWEEP_MS = 20

/** A ticket is the number of its request, and above that the number of its session. */
const SESSION_FACTOR = 2 ** 32
const MAX_SESSIONS = 2 ** 20

export class Peer {
  readonly name: string
  /** The last that had a session. */
  incarnation = 0
  /** When its session began, among everything that this node's membership did; for telling what came before. */
  sessionSince = 0
  /** How often it was up. */
  sessions = 0
  readonly #setting: PeerSetting
  readonly #handlers: PeerHandlers
  readonly #waiting: WaitingRequests
  #state: PeerState = 'down'
  #session: Session | undefined
  #ownIncarnation: number
  #dead = 0
  #cancelTick = (): void => undefined
  #cancelGrace = (): void => undefined
  #sweeping = false

  constructor(name: string, setting: PeerSetting, handlers: PeerHandlers) {
    this.name = name
    this.#setting = setting
    this.#handlers = handlers
    this.#ownIncarnation = setting.incarnation
    this.#waiting = new WaitingRequests(name)
  }

  get state(): PeerState {
    return this.#state
  }

  get session(): Session | undefined {
    return this.#session
  }

  /** What a handshake says about the two. */
  get incarnations(): Incarnations {
    return { own: this.#ownIncarnation, dead: this.#dead }
  }

  /**
   * Sends a request; `settle` is called once, never before this returns: with the reply, or with `ERR_NODE_DOWN`, `ERR_TIMEOUT`, `ERR_TOO_LARGE`
   * or `ERR_MAILBOX_FULL`, whose `outcome` says whether it can have run. `bytes` may be used again when this returns.
   */
  send(bytes: Uint8Array, start: number, end: number, timeoutMs: number, settle: Settle): void {
    try {
      if (this.#state === 'down') throw this.#downError()
      if (!this.#waiting.isEmpty || this.#session?.request(bytes, start, end, timeoutMs, settle) !== true) {
        this.#waiting.add(bytes, start, end, this.#setting.timers.now() + timeoutMs, settle)
      }
      this.#sweepLater()
    } catch (error) {
      if (!(error instanceof CacheError)) throw error
      setImmediate(() => settleWith(settle, error))
    }
  }

  /** As `send`, with a promise; the reply is a copy. */
  request(bytes: Uint8Array, timeoutMs: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.send(bytes, 0, bytes.length, timeoutMs, (error, reply, start, end) => {
        if (error === undefined) resolve(Buffer.from(reply.subarray(start, end)))
        else reject(error)
      })
    })
  }

  /** Sends what needs no reply. False if it cannot be sent now: the peer is not up, or has not taken enough of what came before. */
  notify(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
    return this.#session?.note(bytes, start, end) ?? false
  }

  /** Answers a request. False if nobody waits for it: the session is another one, or its deadline has long passed. */
  reply(ticket: number, bytes: Uint8Array, start = 0, end = bytes.length): boolean {
    return this.#isOfSession(ticket) && this.#session!.reply(ticket % SESSION_FACTOR, bytes, start, end)
  }

  /** Says that there will be no reply. */
  refuse(ticket: number, why?: Failure): void {
    if (this.#isOfSession(ticket)) this.#session!.refuse(ticket % SESSION_FACTOR, why)
  }

  /** A session has been agreed on. One that there was ends; with a higher incarnation the peer was down in between. */
  adopt(link: Link, { incarnation, ownIncarnation, terms }: Agreement, since: number): void {
    this.#endSession()
    if (this.#state !== 'down' && incarnation !== this.incarnation) this.declareDown('restarted')
    this.#cancelGrace()
    this.incarnation = incarnation
    this.#ownIncarnation = ownIncarnation
    this.sessionSince = since
    const number = ++this.sessions % MAX_SESSIONS
    const ticketBase = number * SESSION_FACTOR
    const session = new Session(this.name, link, this.#setting.own, terms, this.#setting.timers, {
      request: (id, timeMs, bytes, start, end) => this.#handlers.request(this, ticketBase + id, timeMs, bytes, start, end),
      note: (bytes, start, end) => this.#handlers.note(this, bytes, start, end),
      credit: () => {
        if (!this.#waiting.isEmpty) this.#pump()
      },
      ended: (end) => this.#sessionEnded(session, end),
    })
    this.#session = session
    this.#tickLater()
    const wasUp = this.#state !== 'down'
    this.#state = 'up'
    if (!wasUp) this.#handlers.up(this)
    this.#pump()
  }

  /** The peer has declared this node down. */
  givenUpOn(dead: number): void {
    this.#ownIncarnation = Math.max(this.#ownIncarnation, dead + 1)
    if (this.#state !== 'down') this.declareDown('gave up on us')
  }

  /** Ends the session, if there is one, and fails what waits. */
  declareDown(reason: DownReason): void {
    this.#endSession(reason === 'stopping' ? GOODBYE.stopping : undefined)
    this.#cancelGrace()
    if (this.#state === 'down') return
    this.#state = 'down'
    this.#dead = this.incarnation
    this.#handlers.down(this, reason)
    this.#waiting.fail(this.#downError())
  }

  #sessionEnded(session: Session, end: SessionEnd): void {
    if (this.#session !== session) return
    this.#session = undefined
    this.#cancelTick()
    if (end.reason === 'silent') this.declareDown('silent')
    else if (end.reason === 'goodbye' && end.goodbye === GOODBYE.stopping) this.declareDown('stopped')
    else this.#lost()
    this.#handlers.unconnected(this)
  }

  #lost(): void {
    this.#state = 'lost'
    this.#cancelGrace = this.#setting.timers.after(this.#setting.failureTimeoutMs, () => this.declareDown('unreachable'))
  }

  #endSession(goodbye: typeof GOODBYE[keyof typeof GOODBYE] = GOODBYE.duplicate): void {
    const session = this.#session
    this.#session = undefined
    this.#cancelTick()
    session?.end(goodbye)
  }

  #tickLater(): void {
    const { timers, failureTimeoutMs } = this.#setting
    this.#cancelTick = timers.after(failureTimeoutMs / TICKS_OF_SILENCE, () => {
      const session = this.#session
      session?.tick()
      if (session !== undefined && session === this.#session) this.#tickLater()
    })
  }

  #sweepLater(): void {
    if (this.#sweeping) return
    this.#sweeping = true
    this.#setting.timers.after(SWEEP_MS, () => {
      this.#sweeping = false
      this.#session?.sweep()
      this.#waiting.sweep(this.#setting.timers.now())
      if (!this.#waiting.isEmpty || (this.#session?.outstanding ?? 0) > 0) this.#sweepLater()
    })
  }

  #pump(): void {
    const nowMs = this.#setting.timers.now()
    this.#waiting.send(nowMs, (bytes, deadlineMs, settle) => this.#session?.request(bytes, 0, bytes.length, deadlineMs - nowMs, settle) ?? false)
  }

  #isOfSession(ticket: number): boolean {
    return this.#session !== undefined && Math.floor(ticket / SESSION_FACTOR) === this.sessions % MAX_SESSIONS
  }

  #downError(): CacheError {
    return new CacheError('ERR_NODE_DOWN', `node '${this.name}' is down; nothing was sent to it`, { node: this.name })
  }
}
