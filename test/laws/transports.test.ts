/** What every transport promises: one suite over TCP, Unix sockets, TLS, NATS and memory. */
import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MAX_FRAME_BYTES } from '../../bridge/sessions/frame.js'
import { MemoryMedium } from '../../bridge/transports/memory.js'
import { memoryNetwork } from '../../bridge/transports/memory-network.js'
import { MessageTransport } from '../../bridge/transports/message-transport.js'
import { NatsMedium } from '../../bridge/transports/nats.js'
import { realTimers } from '../../bridge/sessions/real-timers.js'
import { TcpTransport, type TlsSetting } from '../../bridge/transports/tcp.js'
import type { Connection, Transport } from '../../bridge/transports/transport.js'
import { rejected, until } from '../actors/expectations.js'
import { makeCertificates } from '../bridge/transports/certificates.js'
import { freePort } from '../bridge/free-port.js'
import { NatsServer } from '../bridge/transports/nats-server.js'

interface Ground {
  /** Transports of the nodes `a` and `b`, which know each other and a node `c` that is not there. */
  make(): Promise<{ a: Transport; b: Transport }>
  /** Whether it knows at once that nobody is there. */
  refuses: boolean
  messages: boolean
  close(): Promise<void>
}

/** One end of a connection: what came, and how it ended. */
class End {
  readonly connection: Connection
  readonly chunks: Buffer[] = []
  bytes = 0
  drains = 0
  readonly closes: (Error | undefined)[] = []

  constructor(connection: Connection) {
    this.connection = connection
    connection.open({
      data: (bytes) => {
        this.chunks.push(Buffer.from(bytes))
        this.bytes += bytes.length
      },
      drain: () => this.drains++,
      closed: (error) => this.closes.push(error),
    })
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString()
  }

  /** Writes in pieces of at most a frame, as far as it is taken. Returns how many bytes were. */
  write(bytes: Buffer): number {
    let at = 0
    while (at < bytes.length) {
      const end = Math.min(bytes.length, at + MAX_FRAME_BYTES)
      const more = this.connection.write(bytes.subarray(at, end), () => undefined)
      at = end
      if (!more) break
    }
    return at
  }

  async writeAll(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const drains = this.drains
      at += this.write(bytes.subarray(at))
      if (at < bytes.length) await until(() => this.drains > drains, 'a drain')
    }
  }
}

const folder = mkdtempSync(join(tmpdir(), 'transports-'))

function sockets(address: () => Promise<{ host: string; port: number } | { path: string }>, tls?: () => Record<string, TlsSetting>): () => Promise<Ground> {
  return async () => {
    const certificates = tls?.()
    return {
      refuses: true, messages: false,
      make: async () => {
        const peers = { a: await address(), b: await address(), c: await address() }
        return { a: new TcpTransport({ listen: peers.a, peers, tls: certificates?.['a'] }), b: new TcpTransport({ listen: peers.b, peers, tls: certificates?.['b'] }) }
      },
      close: async () => undefined,
    }
  }
}

let paths = 0
const GROUNDS: Record<string, () => Promise<Ground>> = {
  tcp: sockets(async () => ({ host: '127.0.0.1', port: await freePort() })),
  'unix sockets': sockets(async () => ({ path: join(folder, `${++paths}.sock`) })),
  tls: sockets(async () => ({ host: '127.0.0.1', port: await freePort() }), () => makeCertificates(folder, ['a', 'b'])),
  nats: async () => {
    const server = await NatsServer.start()
    const setting = { servers: [server.url], user: undefined, password: undefined, token: undefined, tls: undefined, prefix: 'laws', cluster: 'a cluster.*' }
    return {
      refuses: true, messages: true,
      make: async () => ({ a: new MessageTransport('a', new NatsMedium('a', setting)), b: new MessageTransport('b', new NatsMedium('b', setting)) }),
      close: () => server.kill(),
    }
  },
  'memory, between threads': async () => ({
    refuses: false, messages: true,
    make: async () => {
      const { descriptor } = memoryNetwork({})
      return { a: new MessageTransport('a', new MemoryMedium('a', descriptor, realTimers)), b: new MessageTransport('b', new MemoryMedium('b', descriptor, realTimers)) }
    },
    close: async () => undefined,
  }),
  'memory, slow': async () => ({
    refuses: false, messages: true,
    make: async () => {
      const { descriptor } = memoryNetwork({ delay: [0, 3], seed: 5 })
      return { a: new MessageTransport('a', new MemoryMedium('a', descriptor, realTimers)), b: new MessageTransport('b', new MemoryMedium('b', descriptor, realTimers)) }
    },
    close: async () => undefined,
  }),
}

describe('every transport', () => {
  after(() => rmSync(folder, { recursive: true }))

  for (const [name, start] of Object.entries(GROUNDS)) {
    describe(name, () => {
      let ground: Ground
      let a: Transport
      let b: Transport
      let accepted: End[]

      before(async () => {
        ground = await start()
      })
      after(() => ground.close())
      beforeEach(async () => {
        accepted = [];
        ({ a, b } = await ground.make())
        await a.listen(() => undefined)
        await b.listen((connection) => accepted.push(new End(connection)))
      })
      afterEach(async () => {
        for (const end of accepted) end.connection.destroy()
        await Promise.all([a.close(), b.close()])
      })

      const connect = async (): Promise<[End, End]> => {
        const own = new End(await a.connect('b', new AbortController().signal))
        await until(() => accepted.length > 0, 'a connection')
        return [own, accepted.at(-1)!]
      }

      it('says where it listens, and whom it reaches', () => {
        expect(b.address).to.be.a('string')
        expect(a.reaches('b')).to.equal(true)
      })

      it('carries bytes both ways, in order', async () => {
        const [own, other] = await connect()
        expect(own.connection.messages).to.equal(ground.messages)
        for (let index = 0; index < 100; index++) {
          own.write(Buffer.from(`<${index}>`))
          other.write(Buffer.from(`[${index}]`))
        }
        await until(() => other.text.endsWith('<99>') && own.text.endsWith('[99]'), 'the last of them')
        expect(other.text).to.equal(Array.from({ length: 100 }, (_, index) => `<${index}>`).join(''))
        expect(own.text).to.equal(Array.from({ length: 100 }, (_, index) => `[${index}]`).join(''))
      })

      it('keeps messages apart where it has messages', async () => {
        if (!ground.messages) return
        const [own, other] = await connect()
        for (const length of [20, 5000, MAX_FRAME_BYTES]) own.write(Buffer.alloc(length, 'x'))
        await until(() => other.chunks.length === 3, 'three messages')
        expect(other.chunks.map((chunk) => chunk.length)).to.deep.equal([20, 5000, MAX_FRAME_BYTES])
      })

      it('carries much without keeping much: it says when it takes no more, and when it does again', async () => {
        const [own, other] = await connect()
        const bytes = randomBytes(12 << 20)
        await own.writeAll(bytes)
        await until(() => other.bytes === bytes.length, 'all of it', 20_000)
        expect(Buffer.concat(other.chunks).equals(bytes)).to.equal(true)
      })

      it('gives every buffer back once, also after the end', async () => {
        const [own] = await connect()
        const counts = Array.from({ length: 50 }, () => 0)
        for (const index of counts.keys()) own.connection.write(Buffer.from('x'.repeat(20)), () => counts[index]!++)
        await until(() => counts.every((count) => count === 1), 'the release of all')
        own.connection.destroy()
        let released = 0
        own.connection.write(Buffer.from('late'), () => released++)
        await until(() => released === 1, 'the release of a late one')
      })

      it('sends what was written before a close, and tells both ends once', async () => {
        const [own, other] = await connect()
        own.write(Buffer.from('first and last words'))
        own.connection.close()
        own.connection.close()
        await until(() => own.closes.length > 0 && other.closes.length > 0, 'the end')
        expect(other.text).to.equal('first and last words')
        await new Promise((resolve) => setImmediate(resolve))
        expect([own.closes.length, other.closes.length]).to.deep.equal([1, 1])
      })

      it('tells the other end when one destroys the connection', async () => {
        const [own, other] = await connect()
        other.connection.destroy()
        await until(() => own.closes.length > 0, 'the end')
        expect(own.bytes).to.equal(0)
      })

      it('has many connections beside each other', async () => {
        const ends = await Promise.all(Array.from({ length: 20 }, () => connect()))
        for (const [index, [own]] of ends.entries()) own.write(Buffer.from(`connection ${index} of many`))
        await until(() => accepted.filter(({ text }) => text !== '').length === 20, 'all of them')
        expect(new Set(accepted.map(({ text }) => text))).to.have.lengthOf(20)
        for (const [own] of ends) own.connection.destroy()
      })

      it('does not lose what comes before anybody listens', async () => {
        const other: Connection[] = []
        await Promise.all([a.close(), b.close()]);
        ({ a, b } = await ground.make())
        await a.listen(() => undefined)
        await b.listen((connection) => other.push(connection))
        const own = new End(await a.connect('b', new AbortController().signal))
        own.write(Buffer.from('early words, early words'))
        await until(() => other.length > 0, 'the connection')
        const end = new End(other[0]!)
        accepted.push(end)
        await until(() => end.text === 'early words, early words', 'the words')
        own.connection.destroy()
      })

      it('fails to connect to nobody', async () => {
        const patience = AbortSignal.timeout(ground.refuses ? 5000 : 300)
        const error = await rejected(a.connect('c', patience), 'ERR_NODE_UNREACHABLE')
        expect(error.message).to.include('c')
        expect(error['refused'] === true).to.equal(ground.refuses)
      })

      it('gives up when it is told to', async () => {
        await rejected(a.connect('b', AbortSignal.abort(new Error('enough'))), 'ERR_NODE_UNREACHABLE')
      })

      it('takes no more connections when it is closed, and gives its address back', async () => {
        await b.close()
        await rejected(a.connect('b', AbortSignal.timeout(300)), 'ERR_NODE_UNREACHABLE')
        await b.listen((connection) => accepted.push(new End(connection)))
        const [own, other] = await connect()
        own.write(Buffer.from('here again, here again'))
        await until(() => other.text !== '', 'the words')
        own.connection.destroy()
      })
    })
  }
})
