/**
 * All other nodes, as this node sees them: connects to those that are wanted, takes connections, judges them, and tells who is up
 * and down. One object for each node, on the thread that holds the bridge.
 *
 * Two nodes that connect to each other at the same moment end up with one connection: that of the node whose name comes first. Its
 * node lets the other's wait until its own has come to something.
 */
import type { Timers } from '../../runtime/clock.js'
import { CacheError } from '../../runtime/errors.js'
import type { Agreement, HandshakeSetting } from '../sessions/handshake.js'
import { MAX_NAME_LENGTH, REFUSAL, VERDICT, type Proof, type Terms } from '../sessions/hello.js'
import { Link } from '../sessions/link.js'
import { Observers, type Observed } from './observers.js'
import { Peer, type DownReason, type PeerState } from './peer.js'
import { warnOfThrown } from '../sessions/settle.js'
import type { Connection, Transport } from '../transports/transport.js'

export interface MembershipSetting {
  readonly name: string
  readonly cluster: string
  readonly secret: Uint8Array | undefined
  readonly transport: Transport
  /** Nodes to stay connected to; `want` adds others. This node itself is passed over. */
  readonly peers: readonly string[]
  /** What every peer is allowed. */
  readonly terms: Terms
  readonly failureTimeoutMs: number
  /** How long another node's connection has for its handshake; also this node's own, if the failure timeout is not shorter. */
  readonly connectTimeoutMs: number
  readonly timers: Timers
  /** From 0 below 1: spreads attempts to connect. */
  readonly random: () => number
  /** This node's first incarnation: higher than that of any earlier life. */
  readonly incarnation: number
  readonly handlers: MembershipHandlers
}

export interface MembershipHandlers {
  /** Answer with `peer.reply(ticket, …)` or `peer.refuse(ticket)`. The bytes are the receiver's until it returns. */
  request(peer: Peer, ticket: number, timeMs: number, bytes: Buffer, start: number, end: number): void
  note(peer: Peer, bytes: Buffer, start: number, end: number): void
  event(event: MembershipEvent): void
  /** Somebody who is no peer asks how this node is doing. Default: gets no answer. */
  observed?: Observed
}

export type MembershipEvent =
  | { readonly type: 'up'; readonly node: string; readonly incarnation: number }
  | { readonly type: 'down'; readonly node: string; readonly incarnation: number; readonly reason: DownReason }

/** What is known of a peer, for people. */
export interface PeerInfo {
  readonly node: string
  readonly state: PeerState
  /** 0 if it was never up. */
  readonly incarnation: number
  /** Sessions that there were. */
  readonly sessions: number
  /** Why the last attempt to connect failed, if it did. */
  readonly error: Error | undefined
}

/** Connections that have not proved who they are; beyond it the oldest is ended. */
export const MAX_UNPROVED = 128

/** Names that peers may come under. */
const MAX_PEERS = 1024

const FIRST_DELAY_MS = 20
const MAX_DELAY_MS = 1000
/** Nor is a delay longer than this part of the failure timeout. */
const DELAYS_PER_FAILURE = 5

/** What goes on with a peer beside its session. */
interface Effort {
  readonly peer: Peer
  wanted: boolean
  /** The attempt to connect that is under way. */
  attempt: Attempt | undefined
  cancelRetry: () => void
  failures: number
  error: Error | undefined
  /** A connection of the peer's that waits for the outcome of this node's own. */
  held: { link: Link; claim: Proof } | undefined
}

interface Attempt {
  readonly abort: AbortController
  link: Link | undefined
}

export class Membership {
  readonly #setting: MembershipSetting
  readonly #efforts = new Map<string, Effort>()
  /** Links that have not proved who they are, oldest first, and when each was accepted. */
  readonly #unproved = new Map<Link, number>()
  readonly #observers: Observers
  /** Those who wait for a node to be up. */
  readonly #reachers = new Set<() => void>()
  #steps = 0
  #stopping = false
  #stopped: Promise<void> | undefined

  constructor(setting: MembershipSetting) {
    this.#setting = setting
    this.#observers = new Observers(setting, (name, timeMs, answer) => setting.handlers.observed?.(name, timeMs, answer))
  }

  /** Listens, and begins to connect. Rejects if it cannot listen; nothing is left behind then. */
  async start(): Promise<void> {
    const { transport, peers } = this.#setting
    await transport.listen((connection) => this.#accept(connection))
    for (const name of peers) this.want(name)
  }

  /** Where this node listens, for people; `undefined` if it does not. */
  get address(): string | undefined {
    return this.#setting.transport.address
  }

  /** That of this node for peers that have not declared it down. */
  get incarnation(): number {
    return this.#setting.incarnation
  }

  /** The peer of that name. It may be one that nobody has heard of: then it is down. Throws beyond the bound of names. */
  peer(name: string): Peer {
    return this.#effortFor(name).peer
  }

  /** Stays connected to that node from now on, if the transport reaches it. */
  want(name: string): void {
    if (name === this.#setting.name) return
    const effort = this.#effortFor(name)
    if (effort.wanted) return
    effort.wanted = true
    this.#attempt(effort)
  }

  /** Stays connected to that node, and resolves when it is up. Rejects with `ERR_NODE_UNREACHABLE` if it is not within the time. */
  reach(name: string, withinMs: number): Promise<Peer> {
    this.want(name)
    const effort = this.#effortFor(name)
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if (effort.peer.state === 'down' && !this.#stopping) return
        cancelTimer()
        this.#reachers.delete(check)
        if (effort.peer.state === 'down') reject(new CacheError('ERR_STOPPED', `node '${this.#setting.name}' has stopped`))
        else resolve(effort.peer)
      }
      const cancelTimer = this.#setting.timers.after(withinMs, () => {
        this.#reachers.delete(check)
        reject(new CacheError('ERR_NODE_UNREACHABLE', `node '${name}' could not be reached within ${Math.round(withinMs)} ms${effort.error === undefined ? '' : `: ${effort.error.message}`}`, { node: name, cause: effort.error }))
      })
      this.#reachers.add(check)
      check()
    })
  }

  /** Names of the peers that are not down, in ascending order: the connection to one may be lost for the moment. */
  up(): string[] {
    return [...this.#efforts.values()].filter(({ peer }) => peer.state !== 'down').map(({ peer }) => peer.name).sort()
  }

  peers(): PeerInfo[] {
    return [...this.#efforts.values()].map(({ peer, error }) => ({ node: peer.name, state: peer.state, incarnation: peer.incarnation, sessions: peer.sessions, error }))
  }

  /** Says goodbye to everybody, and gives back everything. May be called twice. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#stopping = true
    for (const link of [...this.#unproved.keys()]) link.destroy()
    this.#unproved.clear()
    this.#observers.stop()
    for (const effort of this.#efforts.values()) {
      this.#cancelAttempt(effort)
      effort.cancelRetry()
      effort.held?.link.destroy()
      effort.peer.declareDown('stopping')
    }
    this.#tellReachers()
    await this.#setting.transport.close()
  }

  #tellReachers(): void {
    for (const check of [...this.#reachers]) check()
  }

  #effortFor(name: string): Effort {
    const known = this.#efforts.get(name)
    if (known !== undefined) return known
    if (this.#efforts.size >= MAX_PEERS) throw new CacheError('ERR_NODE_UNREACHABLE', `node '${name}' is one too many: a node has at most ${MAX_PEERS} peers`, { node: name })
    if (name === '' || name.length > MAX_NAME_LENGTH) throw new CacheError('ERR_NODE_UNREACHABLE', 'that is no name of a node', { node: name })
    const { terms: own, failureTimeoutMs, timers, incarnation } = this.#setting
    const { handlers } = this.#setting
    const peer = new Peer(name, { own, failureTimeoutMs, timers, incarnation }, {
      request: (from, ticket, timeMs, bytes, start, end) => handlers.request(from, ticket, timeMs, bytes, start, end),
      note: (from, bytes, start, end) => handlers.note(from, bytes, start, end),
      up: ({ incarnation }) => this.#tell({ type: 'up', node: name, incarnation }),
      down: ({ incarnation }, reason) => this.#tell({ type: 'down', node: name, incarnation, reason }),
      unconnected: () => this.#attempt(effort),
    })
    const effort: Effort = { peer, wanted: false, attempt: undefined, cancelRetry: () => undefined, failures: 0, error: undefined, held: undefined }
    this.#efforts.set(name, effort)
    return effort
  }

  #tell(event: MembershipEvent): void {
    this.#tellReachers()
    if (this.#stopping) return
    try {
      this.#setting.handlers.event(event)
    } catch (error) {
      warnOfThrown(error)
    }
  }

  // ── connections of others ─────────────────────────────────────────────────────────────────────────────────────

  #accept(connection: Connection): void {
    if (this.#stopping) return connection.destroy()
    const link = new Link(connection, this.#handshake(connection, 'responder'), this.#setting.connectTimeoutMs, this.#setting.timers, {
      claimed: (link, name, claim) => this.#claimed(link, name, claim),
      agreed: () => undefined,
      failed: (link) => this.#dropped(link),
    })
    this.#unproved.set(link, ++this.#steps)
    if (this.#unproved.size > MAX_UNPROVED) {
      const oldest = this.#unproved.keys().next().value!
      this.#unproved.delete(oldest)
      oldest.destroy()
    }
  }

  #handshake(connection: Connection, role: HandshakeSetting['role'], peer?: string): HandshakeSetting {
    const { name, cluster, secret, terms } = this.#setting
    return {
      role, name, cluster, secret, terms, protection: connection.protection, ...peer !== undefined && { peer },
      incarnations: (other) => this.#efforts.get(other)?.peer.incarnations ?? { own: this.#setting.incarnation, dead: 0 },
      verifyName: (other) => connection.verifyName(other),
    }
  }

  #dropped(link: Link): void {
    this.#unproved.delete(link)
    for (const effort of this.#efforts.values()) if (effort.held?.link === link) effort.held = undefined
  }

  #claimed(link: Link, name: string, claim: Proof): void {
    const since = this.#unproved.get(link) ?? 0
    this.#unproved.delete(link)
    if (link.isObserved) return this.#observers.take(link, name)
    let effort: Effort
    try {
      effort = this.#effortFor(name)
    } catch {
      return link.refuse(REFUSAL.busy)
    }
    this.#judge(effort, link, claim, since)
  }

  /** @param since when the link was accepted */
  #judge(effort: Effort, link: Link, claim: Proof, since: number): void {
    const { peer } = effort
    // The peer has declared this node down: what it knows of it is over, here too.
    if (claim.dead >= peer.incarnations.own) peer.givenUpOn(claim.dead)
    const { own, dead } = peer.incarnations
    if (this.#stopping) return void link.judge(VERDICT.stopping, own)
    if (claim.incarnation <= dead) return void link.judge(VERDICT.stale, own)
    if (peer.session !== undefined && claim.incarnation <= peer.incarnation && since < peer.sessionSince) return void link.judge(VERDICT.duplicate, own)
    if (peer.session === undefined && effort.attempt?.link !== undefined && this.#setting.name < peer.name) {
      if (effort.held !== undefined) effort.held.link.judge(VERDICT.duplicate, own)
      effort.held = { link, claim }
      return
    }
    this.#cancelAttempt(effort)
    this.#adopt(effort, link, link.judge(VERDICT.accepted, own))
  }

  #adopt(effort: Effort, link: Link, agreement: Agreement): void {
    effort.cancelRetry()
    effort.failures = 0
    effort.error = undefined
    effort.peer.adopt(link, agreement, ++this.#steps)
  }

  // ── connections of this node's own ────────────────────────────────────────────────────────────────────────────

  #attempt(effort: Effort): void {
    const { peer } = effort
    const { transport, timers } = this.#setting
    effort.cancelRetry()
    if (this.#stopping || !effort.wanted || !transport.reaches(peer.name) || effort.attempt !== undefined || peer.session !== undefined) return
    const attempt: Attempt = { abort: new AbortController(), link: undefined }
    effort.attempt = attempt
    const limitMs = this.#attemptMs
    const untilMs = timers.now() + limitMs
    const cancelTimer = timers.after(limitMs, () => attempt.abort.abort(new Error(`no answer within ${limitMs} ms`)))
    transport.connect(peer.name, attempt.abort.signal).then((connection) => {
      cancelTimer()
      if (effort.attempt !== attempt) return connection.destroy()
      attempt.link = new Link(connection, this.#handshake(connection, 'initiator', peer.name), untilMs - timers.now(), timers, {
        claimed: () => undefined,
        agreed: (link, agreement) => this.#agreed(effort, attempt, link, agreement),
        failed: (_, error) => this.#failed(effort, attempt, error),
      })
    }).catch((error: unknown) => {
      cancelTimer()
      this.#failed(effort, attempt, error as Error)
    })
  }

  #agreed(effort: Effort, attempt: Attempt, link: Link, agreement: Agreement): void {
    if (effort.attempt !== attempt) return link.destroy()
    const { peer } = effort
    const { verdict, dead, incarnation } = agreement
    if (verdict === VERDICT.accepted && incarnation > peer.incarnations.dead) {
      effort.attempt = undefined
      effort.held?.link.judge(VERDICT.duplicate, peer.incarnations.own)
      effort.held = undefined
      return this.#adopt(effort, link, agreement)
    }
    link.destroy()
    if (verdict === VERDICT.stale) {
      // It is there, and will take the next incarnation.
      peer.givenUpOn(dead)
      effort.failures = 0
    } else if (verdict === VERDICT.stopping && peer.state !== 'down') peer.declareDown('stopped')
    this.#failed(effort, attempt, new CacheError('ERR_NODE_UNREACHABLE', `node '${peer.name}' took no session: ${VERDICT_WORDS[verdict]}`, { node: peer.name }))
  }

  #failed(effort: Effort, attempt: Attempt, error: Error): void {
    if (effort.attempt !== attempt) return
    effort.attempt = undefined
    effort.error = error
    if (error instanceof CacheError && error['refused'] === true && effort.peer.state === 'lost') effort.peer.declareDown('refused')
    this.#retryLater(effort)
    const { held } = effort
    effort.held = undefined
    if (held !== undefined) this.#judge(effort, held.link, held.claim, ++this.#steps)
  }

  #cancelAttempt(effort: Effort): void {
    const { attempt } = effort
    effort.attempt = undefined
    attempt?.abort.abort(new Error('it is not needed any more'))
    attempt?.link?.destroy()
  }

  /**
   * For connecting and the handshake together. An attempt that the network swallowed is repeated by TCP at intervals that double; one that begins
   * after the network is whole again is through at once. So none lasts longer than silence would be borne.
   */
  get #attemptMs(): number {
    return Math.min(this.#setting.connectTimeoutMs, this.#setting.failureTimeoutMs)
  }

  /** Doubling delays with jitter, so that nodes that start together do not keep meeting. */
  #retryLater(effort: Effort): void {
    const { timers, random, failureTimeoutMs } = this.#setting
    const fullMs = Math.min(MAX_DELAY_MS, failureTimeoutMs / DELAYS_PER_FAILURE, FIRST_DELAY_MS * 2 ** Math.min(effort.failures++, 10))
    effort.cancelRetry = timers.after(fullMs * (0.5 + random() / 2), () => this.#attempt(effort))
  }
}

const VERDICT_WORDS = {
  [VERDICT.accepted]: 'it answered as an incarnation that was declared down',
  [VERDICT.duplicate]: 'it has one already',
  [VERDICT.stale]: 'it had declared this node down',
  [VERDICT.stopping]: 'it stops',
} as const
