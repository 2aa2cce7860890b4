/** The bridge inside a process, as users make it. Nothing is opened here; everything is checked. */
import { invalidOption } from '../runtime/option-checks.js'
import { BRIDGE_NAMES, bridgeOptions, readBridgeOptions, readNodeNames, type BridgeOptions } from './bridge-options.js'
import { BridgeDescriptor } from './descriptor.js'
import { MemoryNetwork, memoryNetwork } from './transports/memory-network.js'

export { memoryNetwork, type MemoryFaults, type MemoryNetwork, type MemoryNetworkOptions } from './transports/memory-network.js'

export interface MemoryOptions extends BridgeOptions {
  /** What `memoryNetwork` returned: nodes with the same one can reach each other. Default: one network for the whole process. */
  network?: MemoryNetwork
  /** Nodes to stay connected to; those of the caches are added by themselves. */
  peers?: readonly string[]
}

let processNetwork: MemoryNetwork | undefined

/**
 * A bridge between nodes of this process, for tests: nothing leaves it, and its network can lose, delay, double and misorder messages, and be
 * partitioned.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function memory(options?: MemoryOptions): BridgeDescriptor {
  const own = bridgeOptions(options, [...BRIDGE_NAMES, 'network', 'peers'])
  const bridge = readBridgeOptions(own)
  const network = own['network'] === undefined ? processNetwork ??= memoryNetwork() : own['network']
  if (!(network instanceof MemoryNetwork)) throw invalidOption('network', network, 'what memoryNetwork() returned')
  return new BridgeDescriptor({ ...bridge, transport: 'memory', peers: readNodeNames(own['peers'], 'peers'), memory: network.descriptor })
}
