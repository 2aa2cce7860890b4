/** The bridge over sockets, as users make it. Nothing is opened here; everything is checked. */
import { inside, invalidOption, ownOptions } from '../runtime/option-checks.js'
import { readAddress, showAddress, staysHere, type Address } from './address.js'
import { BRIDGE_NAMES, bridgeOptions, readBridgeOptions, readNodeName, readTls, type BridgeOptions, type TlsOptions } from './bridge-options.js'
import { BridgeDescriptor } from './descriptor.js'

export interface TcpOptions extends BridgeOptions {
  /**
   * Where to take connections: `'10.0.0.1:7100'`, `'[::1]:7100'`, a port of this machine's loopback, or the path of a Unix socket. Port 0: the
   * system chooses. Without it the node only connects to others.
   */
  listen?: string | number
  /** Addresses of other nodes by name. The node's own may be among them and is passed over, so all nodes can have the same list. */
  peers?: Readonly<Record<string, string | number>>
  /** TLS 1.3, both ends with a certificate of their own. */
  tls?: TlsOptions
}

/**
 * A bridge over TCP or Unix sockets. Needs no server.
 *
 * @throws `ERR_INVALID_OPTION`; also for addresses beyond this machine with neither a `secret` nor `tls`
 */
export function tcp(options?: TcpOptions): BridgeDescriptor {
  const own = bridgeOptions(options, [...BRIDGE_NAMES, 'listen', 'peers', 'tls'])
  const bridge = readBridgeOptions(own)
  const listen = own['listen'] === undefined ? undefined : readAddress(own['listen'], 'listen', true)
  const peers = readPeers(own['peers'])
  const tls = own['tls'] === undefined ? undefined : readTls(own['tls'])
  if (bridge.secret === undefined && tls === undefined) {
    for (const [option, address] of [['listen', listen], ...Object.entries(peers).map(([name, address]) => [inside('peers', name), address] as const)] as const) {
      if (address !== undefined && !staysHere(address)) throw invalidOption(option, showAddress(address), 'addresses of this machine (127.0.0.1, ::1, localhost, a Unix socket), unless there is a secret or tls')
    }
  }
  return new BridgeDescriptor({ ...bridge, transport: 'tcp', peers: Object.keys(peers), tcp: { listen, peers, tls } })
}

function readPeers(value: unknown): Record<string, Address> {
  const peers = Object.create(null) as Record<string, Address>
  if (value === undefined) return peers
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidOption('peers', value, 'an object with an address for each name of a node')
  const own = ownOptions(value, Object.keys(value).filter((name) => name !== '__proto__'), 'peers')
  for (const [name, address] of Object.entries(own)) peers[readNodeName(name, 'peers')] = readAddress(address, inside('peers', name), false)
  return peers
}
