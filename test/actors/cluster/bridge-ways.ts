/** Every way in which nodes of one process can be connected, for suites that run over each of them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NodeOptions } from 'scatterhoard'
import { memory, memoryNetwork, nats, tcp, type TcpOptions } from 'scatterhoard/bridge'
import { makeCertificates } from '../../bridge/transports/certificates.js'
import { freePort } from '../../bridge/free-port.js'
import { NatsServer } from '../../bridge/transports/nats-server.js'

type Bridge = NonNullable<NodeOptions['bridge']>

/** What nodes of given names are connected by, until it is closed. */
export interface Connected {
  readonly bridges: Readonly<Record<string, Bridge>>
  /** To be called when the nodes have stopped. */
  close(): Promise<void>
}

export interface BridgeWay {
  readonly title: string
  connect(names: readonly string[]): Promise<Connected>
}

const SECRET = 'a secret of these tests'

const nothing = (): Promise<void> => Promise.resolve()

async function overPorts(names: readonly string[], more: (name: string) => Partial<TcpOptions> = () => ({})): Promise<Connected['bridges']> {
  const peers: Record<string, number> = {}
  for (const name of names) peers[name] = await freePort()
  return ofEach(names, (name) => tcp({ listen: peers[name]!, peers, secret: SECRET, ...more(name) }))
}

function ofEach(names: readonly string[], make: (name: string) => Bridge): Connected['bridges'] {
  return Object.fromEntries(names.map((name) => [name, make(name)]))
}

function inFolder(make: (folder: string, names: readonly string[]) => Promise<Connected['bridges']>): BridgeWay['connect'] {
  return async (names) => {
    const folder = await mkdtemp(join(tmpdir(), 'bridges-'))
    return { bridges: await make(folder, names), close: () => rm(folder, { recursive: true }) }
  }
}

export const OVER_MEMORY: BridgeWay = {
  title: 'memory',
  connect: (names) => {
    const network = memoryNetwork()
    return Promise.resolve({ bridges: ofEach(names, () => memory({ network })), close: nothing })
  },
}

export const OVER_FAULTY_MEMORY: BridgeWay = {
  title: 'memory, delayed and doubled',
  connect: (names) => {
    const network = memoryNetwork({ delay: [0, 3], duplicate: 0.05 })
    return Promise.resolve({ bridges: ofEach(names, () => memory({ network })), close: nothing })
  },
}

export const OVER_TCP: BridgeWay = {
  title: 'tcp',
  connect: async (names) => ({ bridges: await overPorts(names), close: nothing }),
}

export const OVER_TLS: BridgeWay = {
  title: 'tcp with TLS',
  connect: inFolder((folder, names) => {
    const certificates = makeCertificates(folder, names)
    return overPorts(names, (name) => ({ tls: certificates[name]! }))
  }),
}

export const OVER_UNIX_SOCKETS: BridgeWay = {
  title: 'Unix sockets',
  connect: inFolder((folder, names) => {
    const peers = Object.fromEntries(names.map((name) => [name, join(folder, name)]))
    return Promise.resolve(ofEach(names, (name) => tcp({ listen: peers[name]!, peers })))
  }),
}

export const OVER_NATS: BridgeWay = {
  title: 'nats',
  connect: async (names) => {
    const server = await NatsServer.start()
    return { bridges: ofEach(names, () => nats({ servers: server.url, secret: SECRET })), close: () => server.kill() }
  },
}
