/**
 * Distance: everything that leaves the process. A node that is started with one of these bridges can talk to nodes that have one of the
 * same kind.
 *
 *     tcp      sockets, in the clear or in TLS; needs no server
 *     nats     the subjects of a NATS server, for fleets that have one
 *     memory   inside one process, with faults to order; for tests
 */
export { memory, memoryNetwork, type MemoryFaults, type MemoryNetwork, type MemoryNetworkOptions, type MemoryOptions } from './memory.js'
export { nats, type NatsOptions } from './nats.js'
export { tcp, type TcpOptions } from './tcp.js'
export type { BridgeOptions, Pem, TlsOptions } from './bridge-options.js'
export type { BridgeDescriptor } from './descriptor.js'
export { CacheError, ERROR_CODES, type ErrorCode, type Outcome } from '../runtime/errors.js'
