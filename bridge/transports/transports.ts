/** Makes the transport and the membership of a bridge, on the thread that holds it. */
import type { Timers } from '../../runtime/clock.js'
import type { DescribedBridge } from '../descriptor.js'
import type { Terms } from '../sessions/hello.js'
import { MemoryMedium } from './memory.js'
import { Membership, type MembershipHandlers } from '../peers/membership.js'
import { MessageTransport } from './message-transport.js'
import { NatsMedium } from './nats.js'
import { realTimers } from '../sessions/real-timers.js'
import { TcpTransport } from './tcp.js'
import type { Transport } from './transport.js'

export function createTransport(name: string, bridge: DescribedBridge, timers: Timers): Transport {
  switch (bridge.transport) {
    case 'tcp': return new TcpTransport(bridge.tcp)
    case 'nats': return new MessageTransport(name, new NatsMedium(name, bridge.nats))
    case 'memory': return new MessageTransport(name, new MemoryMedium(name, bridge.memory, timers))
  }
}

/** What every peer is allowed: requests that are unanswered, and their bytes. */
const MAX_REQUESTS = 4096
const MAX_REQUEST_BYTES = 8 << 20

export interface BridgeMembershipOptions {
  readonly name: string
  readonly failureTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly handlers: MembershipHandlers
}

export function createMembership(bridge: DescribedBridge, { name, failureTimeoutMs, connectTimeoutMs, handlers }: BridgeMembershipOptions): Membership {
  const terms: Terms = { requests: MAX_REQUESTS, bytes: MAX_REQUEST_BYTES, messageBytes: bridge.maxMessageBytes }
  return new Membership({
    name, handlers, terms, failureTimeoutMs, connectTimeoutMs, cluster: bridge.cluster, secret: bridge.secret, peers: bridge.peers,
    transport: createTransport(name, bridge, realTimers), timers: realTimers, random: Math.random, incarnation: firstIncarnation(),
  })
}

/** Microseconds since the Unix epoch: higher than in any earlier life of the node, unless its clock was set back; then its peers tell it a higher one. */
export function firstIncarnation(): number {
  return Math.round(Date.now() * 1000 + Math.random() * 1000)
}
