/**
 * What `tcp`, `nats` and `memory` return: a bridge as data, checked, for the option `bridge` of a node. The node hands its settings to
 * the thread that holds the bridge; nothing else gets to see them, because there are secrets among them.
 */
import type { BridgeSetting } from './bridge-options.js'
import type { MemoryNetworkDescriptor } from './transports/memory-network.js'
import type { NatsSetting } from './transports/nats.js'
import type { TcpSetting } from './transports/tcp.js'

/** The settings of a bridge: plain data that can be sent to a thread. */
export type DescribedBridge = BridgeSetting & { readonly peers: readonly string[] } & (
  | { readonly transport: 'tcp'; readonly tcp: TcpSetting }
  | { readonly transport: 'nats'; readonly nats: NatsSetting }
  | { readonly transport: 'memory'; readonly memory: MemoryNetworkDescriptor }
)

/** A bridge that a node can be started with: `startNode({ name, bridge })`. */
export class BridgeDescriptor {
  readonly transport: DescribedBridge['transport']
  /** @internal The module of the actor that holds the bridge. */
  readonly module: string
  /** Whether other nodes connect to it. */
  readonly listens: boolean
  /** Nodes that it connects to by itself. */
  readonly peers: readonly string[]
  readonly #bridge: DescribedBridge

  /** @internal Use `tcp`, `nats` or `memory`. */
  constructor(bridge: DescribedBridge) {
    this.transport = bridge.transport
    this.module = new URL('./bridge-actor.js', import.meta.url).href
    this.listens = bridge.transport !== 'tcp' || bridge.tcp.listen !== undefined
    this.peers = bridge.peers
    this.#bridge = bridge
    Object.freeze(this)
  }

  /** @internal For the thread of the bridge. Holds secrets: not to be logged. */
  settings(): DescribedBridge {
    return this.#bridge
  }
}
