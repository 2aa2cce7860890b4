/** The way to other nodes, as the arguments that all commands share describe it. */
import { invalidSecret, type BridgeOptions } from '../bridge-options.js'
import type { BridgeDescriptor } from '../descriptor.js'
import { nats, type NatsOptions } from '../nats.js'
import { tcp, type TcpOptions } from '../tcp.js'
import { UsageError, type Arguments, type OptionKind } from './arguments.js'
import { readSecretFile, secretIn, takeFromEnvironment } from './secret-files.js'

export const BRIDGE_OPTIONS = {
  'secret-file': 'text', 'cluster': 'text', 'tls-cert': 'text', 'tls-key': 'text', 'tls-ca': 'text', 'nats': 'texts', 'nats-prefix': 'text',
} as const satisfies Record<string, OptionKind>

/** What a command adds. */
interface Own {
  readonly allow?: readonly string[]
  /** Of TCP. */
  readonly listen?: string | number
  readonly peers: Readonly<Record<string, string | number>>
}

/** Makes the bridge. Throws `UsageError`, or as `tcp` and `nats` do. */
export function readBridge(given: Arguments, { peers, listen, allow }: Own): BridgeDescriptor {
  const secret = readSecret(given)
  const cluster = given.text('cluster')
  const options: BridgeOptions = { ...secret !== undefined && { secret }, ...cluster !== undefined && { cluster }, ...allow !== undefined && { allow } }
  const tls = readTls(given)
  const servers = given.texts('nats')
  if (servers.length > 0) return nats(natsOptions(given, { ...options, servers, peers: Object.keys(peers) }, tls))
  if (given.text('nats-prefix') !== undefined) throw new UsageError('--nats-prefix needs --nats')
  const tcpOptions: TcpOptions = { ...options, ...listen !== undefined && { listen }, peers }
  if (tls === undefined) return tcp(tcpOptions)
  const { cert, key, ca } = tls
  if (cert === undefined || key === undefined || ca === undefined) throw new UsageError('--tls-cert, --tls-key and --tls-ca are needed together')
  return tcp({ ...tcpOptions, tls: { cert, key, ca } })
}

function readSecret(given: Arguments): Uint8Array | string | undefined {
  const file = given.text('secret-file')
  const fromEnvironment = takeFromEnvironment('SCATTERHOARD_SECRET')
  if (file === undefined) return fromEnvironment
  if (fromEnvironment !== undefined) throw new UsageError('there are two secrets: --secret-file, and SCATTERHOARD_SECRET of the environment')
  return secretIn(file, 'secret-file')
}

interface TlsFiles {
  cert?: string
  key?: string | Buffer
  ca?: string
}

function readTls(given: Arguments): TlsFiles | undefined {
  const [cert, key, ca] = [given.text('tls-cert'), given.text('tls-key'), given.text('tls-ca')]
  if (cert === undefined && key === undefined && ca === undefined) return undefined
  return { ...cert !== undefined && { cert }, ...key !== undefined && { key: readSecretFile(key, 'tls-key') }, ...ca !== undefined && { ca } }
}

function natsOptions(given: Arguments, options: NatsOptions & { servers: readonly string[] }, tls: TlsFiles | undefined): NatsOptions {
  for (const server of options.servers) {
    if (server.includes('@')) throw invalidSecret('nats', 'an address without a user or password: they belong into the environment, SCATTERHOARD_NATS_USER and SCATTERHOARD_NATS_PASSWORD')
  }
  if ((tls?.cert === undefined) !== (tls?.key === undefined)) throw new UsageError('--tls-cert and --tls-key are needed together')
  const [user, password, token] = ['USER', 'PASSWORD', 'TOKEN'].map((name) => takeFromEnvironment(`SCATTERHOARD_NATS_${name}`))
  const prefix = given.text('nats-prefix')
  return {
    ...options, ...user !== undefined && { user }, ...password !== undefined && { password }, ...token !== undefined && { token },
    ...prefix !== undefined && { prefix }, ...tls !== undefined && { tls },
  }
}

/** An address as an argument: a port alone is one of this machine. */
export function readPort(address: string): string | number {
  return /^\d+$/.test(address) ? Number(address) : address
}

/** Times without a unit are milliseconds. */
export function readTime(text: string): string | number {
  return /^\d+$/.test(text) ? Number(text) : text
}
