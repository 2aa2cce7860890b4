/** Nodes for tests: on one thread, over a memory network with its faults, in time that stands still. */
import { localCarrier, MemoryMedium, type Carrier } from '../../bridge/transports/memory.js'
import { memoryNetwork, type MemoryNetworkOptions } from '../../bridge/transports/memory-network.js'
import { Membership, type MembershipEvent, type MembershipSetting } from '../../bridge/peers/membership.js'
import { MessageTransport } from '../../bridge/transports/message-transport.js'
import type { Peer } from '../../bridge/peers/peer.js'
import { writeResult } from '../../actors/cluster/wire.js'
import type { NodeStatus } from '../../bridge/peers/node-report.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import type { CacheError } from '../../runtime/errors.js'
import { FakeTimers, settle } from './fake-timers.js'
import { SECRET, TERMS } from './sessions/sessions.js'

export class TestNode {
  readonly name: string
  readonly membership: Membership
  readonly events: string[] = []
  readonly incarnations: Record<string, number> = {}
  readonly requests: string[] = []
  readonly notes: string[] = []
  /** What it tells observers; `undefined`: nothing. */
  status: NodeStatus | undefined
  observed = 0
  answer: (text: string) => string | undefined = (text) => `${this.name}: ${text}`
  onEvent: (event: MembershipEvent) => void = () => undefined

  constructor(name: string, setting: Omit<MembershipSetting, 'name' | 'handlers'>) {
    this.name = name
    this.membership = new Membership({
      ...setting, name,
      handlers: {
        request: (peer, ticket, _timeMs, bytes, start, end) => {
          const text = bytes.toString('latin1', start, end)
          this.requests.push(text)
          const reply = this.answer(text)
          if (reply !== undefined) peer.reply(ticket, Buffer.from(reply, 'latin1'))
        },
        observed: (_name, _timeMs, answer) => {
          this.observed++
          if (this.status === undefined) return
          const scratch = new Scratch()
          writeResult(this.status, scratch)
          answer(scratch.bytes, 0, scratch.end)
        },
        note: (_peer, bytes, start, end) => this.notes.push(bytes.toString('latin1', start, end)),
        event: (event) => {
          this.events.push(event.type === 'up' ? `up ${event.node}` : `down ${event.node}: ${event.reason}`)
          if (event.type === 'up') this.incarnations[event.node] = event.incarnation
          this.onEvent(event)
        },
      },
    })
  }

  peer(name: string): Peer {
    return this.membership.peer(name)
  }

  ask(name: string, text: string, timeoutMs = 1000): Promise<string> {
    const promise = this.peer(name).request(Buffer.from(text, 'latin1'), timeoutMs).then((reply) => reply.toString('latin1'))
    promise.catch(() => undefined)
    return promise
  }
}

export class Cluster {
  readonly timers = new FakeTimers()
  readonly network
  readonly nodes: TestNode[] = []
  readonly carrier: Carrier = localCarrier()
  #incarnation = 1000

  constructor(options: MemoryNetworkOptions = {}) {
    this.network = memoryNetwork(options)
  }

  /** A node that wants to be connected to `peers`, not started. */
  node(name: string, peers: readonly string[], changes: Partial<MembershipSetting> = {}): TestNode {
    const transport = new MessageTransport(name, new MemoryMedium(name, this.network.descriptor, this.timers, this.carrier))
    const node = new TestNode(name, {
      transport, peers, cluster: 'one', secret: SECRET, terms: TERMS, failureTimeoutMs: 5000, connectTimeoutMs: 5000, timers: this.timers, random: () => 0.5,
      incarnation: this.#incarnation += 1000, ...changes,
    })
    this.nodes.push(node)
    return node
  }

  /** Nodes that all want each other, started together and up. */
  async start(...names: string[]): Promise<TestNode[]> {
    const nodes = names.map((name) => this.node(name, names))
    await Promise.all(nodes.map(({ membership }) => membership.start()))
    await this.timers.advance(300)
    for (const node of nodes) node.events.splice(0)
    return nodes
  }

  async stop(): Promise<void> {
    const stops = Promise.all(this.nodes.map(({ membership }) => membership.stop()))
    await settle()
    await stops
  }
}

/** How a promise ended: its value, or the code of its error and its outcome. */
export async function ending(promise: Promise<unknown>): Promise<string> {
  try {
    return String(await promise)
  } catch (error) {
    const { code, outcome } = error as CacheError
    return `${code} ${outcome}`
  }
}
