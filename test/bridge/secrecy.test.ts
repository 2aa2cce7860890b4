/** What goes over the wire without TLS can be read; the secret is never in it, nor in anything that people get to see. */
import { expect } from 'chai'
import { connect } from '@nats-io/transport-node'
import { inspect } from 'node:util'
import { startNode, type CacheNode, type CacheOptions } from 'scatterhoard'
import { nats, tcp, type BridgeDescriptor } from 'scatterhoard/bridge'
import { createMembership } from '../../bridge/transports/transports.js'
import { keysOf } from '../actors/cluster/nodes.js'
import { rejected, until } from '../actors/expectations.js'
import { freePort } from './free-port.js'
import { NatsServer } from './transports/nats-server.js'
import { RecordingProxy } from './transports/recording-proxy.js'

const SECRET = 'ein größeres Geheimnis — für alle Knoten'
const OTHER_SECRET = 'another secret of some length'
const READABLE = 'what everybody may read'

/** What a secret looks like to those who look for it. */
function formsOf(secret: string): Map<string, Buffer> {
  const utf8 = Buffer.from(secret)
  const forms = new Map<string, Buffer>([
    ['UTF-8', utf8], ['Latin-1', Buffer.from(secret, 'latin1')], ['UTF-16LE', Buffer.from(secret, 'utf16le')], ['UTF-16BE', Buffer.from(secret, 'utf16le').swap16()],
    ['hex', Buffer.from(utf8.toString('hex'))], ['upper hex', Buffer.from(utf8.toString('hex').toUpperCase())], ['as a URL has it', Buffer.from(encodeURIComponent(secret))], ['backwards', Buffer.from(utf8).reverse()],
  ])
  for (const shift of [0, 1, 2]) {
    // What stands before it decides about the first letters, what follows about the last.
    const base64 = Buffer.concat([Buffer.alloc(shift), utf8]).toString('base64').slice(shift === 0 ? 0 : shift + 1, -4)
    forms.set(`base64, ${shift} behind`, Buffer.from(base64)).set(`base64url, ${shift} behind`, Buffer.from(base64.replaceAll('+', '-').replaceAll('/', '_')))
  }
  return forms
}

function found(bytes: Buffer): string[] {
  return [SECRET, OTHER_SECRET].flatMap((secret) => [...formsOf(secret)].filter(([, form]) => bytes.includes(form)).map(([name]) => `${secret} as ${name}`))
}

/** Everything that a thing shows of itself. */
function shown(thing: unknown): Buffer {
  const inspected = inspect(thing, { depth: 12, showHidden: true, getters: true, maxArrayLength: null, maxStringLength: null })
  return Buffer.from([inspected, String(thing), thing instanceof Error ? `${thing.stack}${inspect(thing.cause, { depth: 12 })}` : JSON.stringify(thing)].join('\n'))
}

describe('the secret', function () {
  this.timeout(60_000)
  const nodes: CacheNode[] = []
  const said: string[] = []
  const warned = (warning: Error): unknown => said.push(inspect(warning))
  before(() => process.on('warning', warned))
  after(() => process.off('warning', warned))
  afterEach(async () => {
    await Promise.all(nodes.splice(0).map((node) => node.stop()))
  })

  const start = async (name: string, bridge: BridgeDescriptor): Promise<CacheNode> => {
    const node = await startNode({ name, shardThreads: 1, pool: { threads: 1 }, connectTimeout: 20_000, bridge })
    nodes.push(node)
    return node
  }

  /** Two nodes with the secret that talk, and one with another that would like to. */
  async function talk(bridgeOf: (name: string, secret: string) => BridgeDescriptor): Promise<void> {
    const bridges = { a: bridgeOf('a', SECRET), b: bridgeOf('b', SECRET), c: bridgeOf('c', OTHER_SECRET) }
    const [b, a] = [await start('b', bridges.b), await start('a', bridges.a)]
    const options: CacheOptions = { nodes: ['a', 'b'], shards: 1, memory: '1mb' }
    const [cache] = await Promise.all([a.startCache('shared', options), b.startCache('shared', options)])
    const [key] = keysOf(cache, 'b') as [string]
    await cache.put(key, READABLE, { timeout: 20_000 })
    expect(await cache.get(key, { timeout: 20_000 })).to.equal(READABLE)
    const unknown = await rejected(cache.execute('no.such', { key, args: [], timeout: 20_000 }), 'ERR_UNKNOWN_FUNCTION')
    const c = createMembership(bridges.c.settings(), { name: 'c', failureTimeoutMs: 5000, connectTimeoutMs: 20_000, handlers: { event: () => undefined, note: () => undefined, request: () => undefined } })
    await c.start()
    c.want('b')
    await until(() => c.peers()[0]?.error !== undefined, 'a refusal', 20_000)
    const [refused] = c.peers()
    expect(refused?.error).to.have.property('code', 'ERR_UNAUTHENTICATED')
    for (const thing of [refused?.error, refused, unknown, bridges, a, await a.peers(), await b.peers(), await cache.inspect('tree'), said]) expect(found(shown(thing))).to.deep.equal([])
    await c.stop()
    await Promise.all(nodes.splice(0).map((node) => node.stop()))
  }

  it('would be found in any form, if it were there', () => {
    for (const [name, form] of formsOf(SECRET)) expect(found(Buffer.concat([Buffer.from('before'), form, Buffer.from('behind')]))).to.include(`${SECRET} as ${name}`)
    for (const shift of [0, 1, 2]) expect(found(Buffer.from(Buffer.from('x'.repeat(shift) + SECRET + 'behind').toString('base64')))).to.include(`${SECRET} as base64, ${shift} behind`)
    expect(found(shown(new Error('failed', { cause: new Error(SECRET) })))).to.include(`${SECRET} as UTF-8`)
  })

  it('is in no byte that passes over TCP, in no error, no warning and no look into a node', async () => {
    const port = await freePort()
    const proxy = await RecordingProxy.start(port)
    await talk((name, secret) => tcp({ secret, ...name === 'b' ? { listen: `127.0.0.1:${port}` } : { peers: { b: `127.0.0.1:${proxy.port}` } } }))
    await proxy.stop()
    expect(proxy.connections.length).to.be.at.least(2)
    expect(proxy.bytes.includes(READABLE)).to.equal(true)
    expect(found(proxy.bytes)).to.deep.equal([])
  })

  it('is in no byte that a NATS server gets, and in no message that anybody may subscribe to', async () => {
    const server = await NatsServer.start()
    const proxy = await RecordingProxy.start(server.port)
    try {
      const stranger = await connect({ servers: server.url })
      const heard: Uint8Array[] = []
      stranger.subscribe('>', { callback: (_, { subject, data, reply }) => void heard.push(Buffer.from(`${subject} ${reply}`), data) })
      await stranger.flush()
      await talk((_, secret) => nats({ secret, servers: `nats://127.0.0.1:${proxy.port}` }))
      await stranger.close()
      for (const bytes of [proxy.bytes, Buffer.concat(heard)]) {
        expect(bytes.includes(READABLE)).to.equal(true)
        expect(found(bytes)).to.deep.equal([])
      }
    } finally {
      await Promise.all([proxy.stop(), server.kill()])
    }
  })
})
