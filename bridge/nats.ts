/** The bridge over a NATS server, as users make it. Nothing is opened here; everything is checked. */
import { inside, invalidOption, ownOptions } from '../runtime/option-checks.js'
import { staysHere } from './address.js'
import { BRIDGE_NAMES, bridgeOptions, invalidSecret, readBridgeOptions, readNodeNames, readPem, type BridgeOptions, type Pem } from './bridge-options.js'
import { BridgeDescriptor } from './descriptor.js'
import type { NatsSetting } from './transports/nats.js'

export interface NatsOptions extends BridgeOptions {
  /** Servers of one NATS cluster. Default `'nats://127.0.0.1:4222'`. */
  servers?: string | readonly string[]
  /** How the server knows this node: a user and password, or a token. */
  user?: string
  password?: string
  token?: string
  /** TLS to the server: `true`, or an authority and this node's key and certificate. `'tls://…'` servers need none of it. */
  tls?: boolean | { ca?: Pem; key?: Pem; cert?: Pem }
  /** The first part of all subjects. Default `'scatterhoard'`. */
  prefix?: string
  /** Nodes to stay connected to; those of the caches are added by themselves. */
  peers?: readonly string[]
}

/**
 * A bridge over a NATS server or cluster, for fleets that have one.
 *
 * @throws `ERR_INVALID_OPTION`; also for servers beyond this machine without a `secret`, because whoever may use the subjects could be a node
 */
export function nats(options?: NatsOptions): BridgeDescriptor {
  const own = bridgeOptions(options, [...BRIDGE_NAMES, 'servers', 'user', 'password', 'token', 'tls', 'prefix', 'peers'])
  const bridge = readBridgeOptions(own)
  const servers = readServers(own['servers'])
  const { prefix = 'scatterhoard' } = own
  if (typeof prefix !== 'string' || !/^[\w-]+(?:\.[\w-]+)*$/.test(prefix)) throw invalidOption('prefix', prefix, 'the beginning of a NATS subject: words with letters, digits, - and _, joined by dots')
  if (bridge.secret === undefined && !servers.every(isLocalServer)) throw invalidSecret('servers', 'servers of this machine (127.0.0.1, localhost), unless there is a secret')
  const peers = readNodeNames(own['peers'], 'peers')
  const setting: NatsSetting = {
    servers, prefix, cluster: bridge.cluster, user: readCredential(own['user'], 'user'), password: readCredential(own['password'], 'password'), token: readCredential(own['token'], 'token'),
    tls: readNatsTls(own['tls']),
  }
  if (setting.token !== undefined && setting.user !== undefined) throw invalidSecret('token', 'a token, or user and password, not both')
  if ((setting.password === undefined) !== (setting.user === undefined)) throw invalidSecret('password', 'user and password together')
  return new BridgeDescriptor({ ...bridge, transport: 'nats', peers, nats: setting })
}

/** URLs may have a password in them: they are not shown. */
function readServers(value: unknown = 'nats://127.0.0.1:4222'): string[] {
  const list: unknown[] = Array.isArray(value) ? value : [value]
  if (list.length === 0) throw invalidSecret('servers', 'at least one server')
  return list.map((server) => {
    if (typeof server === 'string' && serverHost(server) !== undefined) return server
    throw invalidSecret('servers', 'addresses such as \'nats://10.0.0.1:4222\' or \'tls://nats.example.com:4222\', one or an array of them')
  })
}

function serverHost(server: string): string | undefined {
  const [, , host, port] = /^(?:(nats|tls):\/\/)?(?:[^@/\s]*@)?(\[[\da-f:.]+\]|[^\s:/@[\]]+)(?::(\d{1,5}))?\/?$/i.exec(server) ?? []
  return host !== undefined && Number(port ?? 4222) > 0 && Number(port ?? 4222) <= 0xffff ? host.replace(/^\[|\]$/g, '') : undefined
}

function isLocalServer(server: string): boolean {
  return staysHere({ host: serverHost(server)!, port: 0 })
}

function readCredential(value: unknown, option: string): string | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '')) return value
  throw invalidSecret(option, 'a string that is not empty')
}

function readNatsTls(value: unknown): NatsSetting['tls'] {
  if (value === undefined || value === false) return undefined
  if (value === true) return {}
  const own = ownOptions(value, ['ca', 'key', 'cert'], 'tls')
  return Object.fromEntries(Object.entries(own).map(([name, pem]) => [name, readPem(pem, inside('tls', name))]))
}
