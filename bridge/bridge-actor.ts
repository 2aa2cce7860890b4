/**
 * The bridge of a node, as an actor on a thread of its own: what the other threads ask of other nodes goes out through it, and what other
 * nodes ask comes in. Nothing of the application's runs on its thread.
 *
 * It is a client of the node's shards like any other, so a node answers its peers while its main thread is blocked. If it dies, what was on
 * its way is unknown, and another one begins with a new incarnation.
 */
import type { MessagePort } from 'node:worker_threads'
import { TO_BRIDGE, type BridgeArguments } from '../actors/cluster/bridge-address.js'
import type { ListenFrom, NodePeer } from '../actors/cluster/bridge-client.js'
import { ANSWER } from '../actors/cluster/wire.js'
import { DEADLINELESS_MS, defineRawActor, type ActorContext } from '../runtime/actor.js'
import { monotonicMs, nowMsWord } from '../runtime/clock.js'
import { keepForeignClasses } from '../runtime/codec/classes.js'
import { decodeValue } from '../runtime/codec/value.js'
import type { HostContext } from '../runtime/host/host.js'
import { fail, reply } from '../runtime/host/hosted-actor.js'
import type { Deferral } from '../runtime/mailbox/deferral.js'
import type { Inlet } from '../runtime/mailbox/inlet.js'
import { STATUS } from '../runtime/mailbox/lane.js'
import { CacheChecks } from './caches/cache-checks.js'
import type { DescribedBridge } from './descriptor.js'
import { FollowedCaches } from './caches/followed-caches.js'
import { LentFunctions } from './caches/lent-functions.js'
import type { Membership, MembershipEvent } from './peers/membership.js'
import { PeerRequests } from './caches/peer-requests.js'
import { warnOfThrown } from './sessions/settle.js'
import { createMembership } from './transports/transports.js'
import { NodeReport } from './peers/node-report.js'

const RECENT_EVENTS = 256

class Bridge {
  readonly #membership: Membership
  readonly #requests: PeerRequests
  readonly #checks: CacheChecks
  readonly #followed: FollowedCaches
  readonly #lent = new LentFunctions()
  readonly #report: NodeReport
  readonly #listeners = new Set<MessagePort>()
  /** The last events, for those who began to listen before they were known here. */
  #recent: { readonly event: MembershipEvent; readonly atMs: number }[] = []

  constructor(context: ActorContext & HostContext, { settings, connectTimeoutMs, failureTimeoutMs }: BridgeArguments) {
    const bridge = settings as DescribedBridge // what the descriptor of this module's folder gave
    const { client } = context.host
    // Values only pass through.
    keepForeignClasses()
    const membership = this.#membership = createMembership(bridge, {
      name: context.node, connectTimeoutMs, failureTimeoutMs,
      handlers: {
        request: (peer, ticket, timeMs, bytes, start, end) => this.#requests.receive(peer, ticket, timeMs, bytes, start, end),
        note: () => undefined,
        event: (event) => this.#hear(event),
        observed: (_, timeMs, answer) => this.#report.answer(timeMs, answer),
      },
    })
    this.#checks = new CacheChecks(membership)
    this.#requests = new PeerRequests(client, bridge.allow, this.#checks, this.#lent)
    this.#report = new NodeReport({ client, membership, bridge, caches: () => this.#requests.caches(), known: () => this.#requests.known })
    const followed = this.#followed = new FollowedCaches(context.node, membership, this.#checks, context.buffers['view']!)
    this.#requests.onHeard = (cache, node, fingerprint) => followed.heard(cache, node, fingerprint)
  }

  async start(): Promise<void> {
    await this.#membership.start()
    // Those that another bridge before it has followed.
    for (const cache of await this.#requests.caches()) this.#followed.follow(cache).catch(warnOfThrown)
  }

  stop(): Promise<void> {
    this.#followed.stop()
    for (const listener of this.#listeners) listener.close()
    return this.#membership.stop()
  }

  receive(inlet: Inlet): void {
    try {
      switch (inlet.code) {
        case TO_BRIDGE.request: return this.#pass(inlet)
        case TO_BRIDGE.check: return this.#check(inlet)
        case TO_BRIDGE.peers: return reply(inlet, this.#membership.peers() satisfies NodePeer[])
        default: return inlet.finish(STATUS.undefined)
      }
    } catch (error) {
      fail(inlet, error)
    }
  }

  /** Somebody listens to nodes coming and going, from the time on that comes first through the port. */
  connect(port: MessagePort): void {
    port.on('message', ({ sinceMs }: ListenFrom) => {
      this.#listeners.add(port)
      for (const { event, atMs } of this.#recent) if (atMs >= sinceMs) port.postMessage(event)
    })
    port.on('close', () => this.#listeners.delete(port))
    port.unref()
  }

  /** Sends a request of a thread of this node to another node, and its answer back. */
  #pass(inlet: Inlet): void {
    const { bytes, start, aEnd, bEnd, cEnd } = inlet
    const lent = cEnd === bEnd ? undefined : this.#lent.lend(...decodeValue(bytes, bEnd, cEnd) as [cache: string, name: string])
    const node = bytes.toString('utf8', start, aEnd)
    const answered: { by?: Deferral } = {}
    this.#membership.want(node)
    // It is settled in a later turn, when there is a deferral: before that the bytes are needed.
    this.#membership.peer(node).send(bytes, aEnd, bEnd, timeLeft(inlet), (error, answer, from, to) => {
      lent?.()
      if (error !== undefined) fail(answered.by!, error)
      else answered.by!.finishWith(answer[from] === ANSWER.value ? STATUS.value : STATUS.error, answer, from + 1, to)
    })
    answered.by = inlet.defer()
  }

  #check(inlet: Inlet): void {
    const [cache, withinMs] = decodeValue(inlet.bytes, inlet.start, inlet.aEnd) as [string, number]
    const deferral = inlet.defer()
    this.#requests.cacheNamed(cache, true)
      .then(async (handle) => {
        await this.#checks.check(handle, withinMs)
        await this.#followed.follow(handle)
      })
      .then(() => reply(deferral, undefined), (error: unknown) => fail(deferral, error))
  }

  #hear(event: MembershipEvent): void {
    if (event.type === 'up') this.#followed.up(event.node)
    else this.#followed.down(event.node)
    this.#recent = [...this.#recent.slice(1 - RECENT_EVENTS), { event, atMs: monotonicMs() }]
    for (const listener of this.#listeners) listener.postMessage(event)
  }
}

/** How long the caller still waits, in milliseconds. */
function timeLeft({ hasDeadline, deadline }: Inlet): number {
  return hasDeadline ? Math.max(0, (deadline - nowMsWord(monotonicMs())) | 0) : DEADLINELESS_MS
}

defineRawActor<Bridge>('bridge', import.meta.url, {
  async init(context, args) {
    const bridge = new Bridge(context as ActorContext & HostContext, args as BridgeArguments)
    await bridge.start()
    return bridge
  },
  receive: (bridge, inlet) => bridge.receive(inlet),
  connect: (bridge, port) => bridge.connect(port),
  stop: (bridge) => bridge.stop(),
})
