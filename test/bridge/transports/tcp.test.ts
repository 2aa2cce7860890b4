/** What only sockets can show: addresses, certificates, half-open connections, processes that are killed. */
import { expect } from 'chai'
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { fileURLToPath } from 'node:url'
import { tcp, type TcpOptions } from '../../../bridge/index.js'
import { createMembership } from '../../../bridge/transports/transports.js'
import type { Membership, MembershipEvent } from '../../../bridge/peers/membership.js'
import { rejected, until } from '../../actors/expectations.js'
import { makeCertificates, type NodeCertificate } from './certificates.js'
import { freePort } from '../free-port.js'

const SECRET = 'a secret that both of them know'

describe('over sockets', function () {
  this.timeout(20_000)
  const folder = mkdtempSync(join(tmpdir(), 'sockets-'))
  const running: Membership[] = []
  after(() => rmSync(folder, { recursive: true }))
  afterEach(async () => {
    await Promise.all(running.splice(0).map((membership) => membership.stop()))
  })

  interface Running {
    membership: Membership
    events: MembershipEvent[]
    requests: string[]
    ask: (name: string, text: string) => Promise<string>
  }

  async function start(name: string, options: TcpOptions, failureTimeoutMs = 1000): Promise<Running> {
    const events: MembershipEvent[] = []
    const requests: string[] = []
    const membership = createMembership(tcp(options).settings(), {
      name, failureTimeoutMs, connectTimeoutMs: 2000,
      handlers: {
        event: (event) => events.push(event), note: () => undefined,
        request: (peer, ticket, _, bytes, start, end) => {
          requests.push(bytes.toString('latin1', start, end))
          peer.reply(ticket, bytes, start, end)
        },
      },
    })
    running.push(membership)
    await membership.start()
    return { membership, events, requests, ask: async (peer, text) => (await membership.peer(peer).request(Buffer.from(text), 2000)).toString() }
  }

  const address = async (): Promise<string> => `127.0.0.1:${await freePort()}`

  /** Why a node does not reach another one. */
  async function reason(node: Running, peer: string): Promise<{ code: string; message: string }> {
    const error = await rejected(node.membership.reach(peer, 800), 'ERR_NODE_UNREACHABLE')
    return error.cause as { code: string; message: string }
  }

  it('nodes find each other over TCP, IPv6, a name, and Unix sockets', async () => {
    const port = await freePort()
    const ways: [listen: string | number, peer: string | number][] = [[port, port], [`127.0.0.1:${await freePort()}`, ''], [`[::1]:${await freePort()}`, ''], [join(folder, 'a.sock'), ''], [`unix:${join(folder, 'b.sock')}`, ''], [`localhost:${await freePort()}`, '']]
    for (const [listen, peer] of ways) {
      const b = await start('b', { listen })
      const a = await start('a', { peers: { b: peer === '' ? listen : peer } })
      await a.membership.reach('b', 5000)
      expect(await a.ask('b', 'hello')).to.equal('hello')
      await until(() => b.membership.up().length === 1, 'b knowing a')
      await Promise.all([a.membership.stop(), b.membership.stop()])
    }
  })

  it('a node whose list has its own address under another name does not talk to itself', async () => {
    const listen = await address()
    const a = await start('a', { listen, peers: { a: listen, b: listen }, secret: SECRET })
    expect((await reason(a, 'b')).message).to.include('correct \'peers\'')
    expect(a.events).to.deep.equal([])
  })

  it('a port that the system chose is told', async () => {
    const b = await start('b', { listen: '127.0.0.1:0' })
    expect(b.membership.address).to.match(/^127\.0\.0\.1:\d+$/).and.to.not.match(/:0$/)
  })

  it('a Unix socket is its user\'s alone, is gone when the node stops, and one that a killed process left is taken over', async () => {
    const path = join(folder, 'left.sock')
    const b = await start('b', { listen: path })
    expect(statSync(path).mode & 0o777).to.equal(0o600)
    await rejected(start('c', { listen: path }), 'ERR_INVALID_OPTION')
    await b.membership.stop()
    expect(() => statSync(path)).to.throw()
    const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    const killed = fork('-e', [script], { execArgv: ['-e', script], stdio: 'ignore' })
    await new Promise((resolve) => killed.once('exit', resolve))
    expect(statSync(path).isSocket()).to.equal(true)
    await start('b', { listen: path })
  })

  it('an address that is taken fails the start, and leaves nothing behind', async () => {
    const listen = await address()
    await start('b', { listen })
    const error = await rejected(start('c', { listen }), 'ERR_INVALID_OPTION')
    expect(error['option']).to.equal('listen')
    expect(error.message).to.include(listen)
  })

  it('a node that ends without a word is down as soon as its machine says that nobody listens', async () => {
    const listen = await address()
    const child = fork(fileURLToPath(new URL('./tcp-process.js', import.meta.url)), [listen, SECRET])
    await new Promise((resolve) => child.once('message', resolve))
    const a = await start('a', { peers: { b: listen }, secret: SECRET }, 60_000)
    await a.membership.reach('b', 5000)
    expect(await a.ask('b', 'hello')).to.equal('hello')
    const killedAt = performance.now()
    child.kill('SIGKILL')
    await until(() => a.events.length === 2, 'the end of b')
    expect(performance.now() - killedAt).to.be.lessThan(5000)
    expect(a.events[1]).to.include({ type: 'down', reason: 'refused' })
    await rejected(a.ask('b', 'x'), 'ERR_NODE_DOWN')
  })

  it('a process that stands still is down after the failure timeout, and comes back as another incarnation', async () => {
    const listen = await address()
    const child = fork(fileURLToPath(new URL('./tcp-process.js', import.meta.url)), [listen, SECRET])
    await new Promise((resolve) => child.once('message', resolve))
    try {
      const a = await start('a', { peers: { b: listen }, secret: SECRET }, 500)
      await a.membership.reach('b', 5000)
      child.kill('SIGSTOP')
      await until(() => a.events.length === 2, 'the end of b')
      expect(a.events[1]).to.include({ type: 'down', reason: 'silent' })
      child.kill('SIGCONT')
      await until(() => a.events.length === 3, 'the return of b')
      expect(a.events[2]).to.include({ type: 'up' })
      expect(a.events[2]!.incarnation).to.be.greaterThan(a.events[1]!.incarnation)
      expect(await a.ask('b', 'again')).to.equal('again')
    } finally {
      child.kill('SIGKILL')
    }
  })

  describe('that strangers connect to', () => {
    it('sends nothing but a refusal to what is no greeting, and serves others meanwhile', async () => {
      const listen = await address()
      const b = await start('b', { listen, secret: SECRET })
      const port = Number(listen.split(':')[1])
      const garbage = [Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(100), Buffer.alloc(1 << 20, 0xff), Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 4, 0, 0]), Buffer.from([20, 0, 0, 0, 1, 4, 0, 0, ...Array<number>(12).fill(0)])]
      for (const bytes of garbage) {
        const got: Buffer[] = []
        const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes))
        socket.on('data', (data) => got.push(data)).on('error', () => undefined)
        await new Promise((resolve) => socket.once('close', resolve))
        expect(Buffer.concat(got)).to.have.lengthOf(0)
      }
      const a = await start('a', { peers: { b: listen }, secret: SECRET })
      await a.membership.reach('b', 5000)
      expect(b.requests).to.deep.equal([])
    })

    it('keeps a bounded number of half-open connections, and lets a node in meanwhile', async () => {
      for (const secure of [false, true]) {
        const listen = await address()
        const certificates = secure ? makeCertificates(folder, ['a', 'b']) : undefined
        const options = (name: string): TcpOptions => ({ secret: SECRET, ...certificates !== undefined && { tls: certificates[name]! } })
        await start('b', { ...options('b'), listen })
        const sockets = Array.from({ length: 500 }, () => net.connect(Number(listen.split(':')[1]), '127.0.0.1').on('error', () => undefined))
        await until(() => sockets.filter((socket) => socket.closed).length >= 500 - 130, 'the end of most')
        expect(sockets.filter((socket) => !socket.closed).length).to.be.at.least(100)
        const a = await start('a', { ...options('a'), peers: { b: listen } })
        await a.membership.reach('b', 5000)
        expect(await a.ask('b', 'x')).to.equal('x')
        for (const socket of sockets) socket.destroy()
        await Promise.all(running.splice(0).map((membership) => membership.stop()))
      }
    })

    it('ends a connection that says one byte a second, when its time is up', async () => {
      const listen = await address()
      await start('b', { listen, secret: SECRET })
      const begin = performance.now()
      const socket = net.connect(Number(listen.split(':')[1]), '127.0.0.1').on('error', () => undefined)
      const timer = setInterval(() => socket.write(Buffer.of(0x64)), 900)
      await new Promise((resolve) => socket.once('close', resolve))
      clearInterval(timer)
      expect(performance.now() - begin).to.be.within(1500, 10_000)
    })
  })

  describe('with TLS', () => {
    let good: Record<string, NodeCertificate>
    before(() => {
      good = makeCertificates(folder, ['a', 'b', 'c'])
    })

    const pair = async (ofA: TcpOptions, ofB: TcpOptions): Promise<[Running, Running]> => {
      const listen = await address()
      const b = await start('b', { ...ofB, listen })
      return [await start('a', { ...ofA, peers: { b: listen } }), b]
    }

    it('works with certificates alone, and with a secret beside them; keys may be files', async () => {
      for (const secret of [undefined, SECRET]) {
        const more = secret === undefined ? {} : { secret }
        const [a] = await pair({ tls: good['a']!, ...more }, { tls: { key: join(folder, '1.key'), cert: join(folder, '1.pem'), ca: Buffer.from(good['b']!.ca) }, ...more })
        await a.membership.reach('b', 5000)
        expect(await a.ask('b', 'x')).to.equal('x')
      }
    })

    it('speaks nothing older than TLS 1.3, and asks for a certificate', async () => {
      const listen = await address()
      await start('b', { tls: good['b']!, listen })
      const port = Number(listen.split(':')[1])
      const attempt = (options: tls.ConnectionOptions): Promise<string> => new Promise((resolve) => {
        const socket = tls.connect({ port, host: '127.0.0.1', ca: good['b']!.ca, checkServerIdentity: () => undefined, ...options })
        socket.on('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? 'error')).on('data', () => resolve('data')).on('end', () => resolve('end'))
      })
      expect(await attempt({ ...good['a'], maxVersion: 'TLSv1.2' })).to.match(/PROTOCOL_VERSION|VERSION/)
      expect(await attempt({})).to.match(/CERTIFICATE_REQUIRED|end|ECONNRESET/)
    })

    it('refuses a valid certificate of another node, whichever end has it', async () => {
      const [a] = await pair({ tls: good['a']! }, { tls: good['c']! })
      expect((await reason(a, 'b')).code).to.equal('ERR_UNAUTHENTICATED')
      const [c, b] = await pair({ tls: good['c']! }, { tls: good['b']! })
      await reason(c, 'b')
      expect(b.events).to.deep.equal([])
    })

    it('refuses expired and self-signed certificates, and those of another authority, whichever end has them', async () => {
      const own = (name: string): string => mkdtempSync(join(folder, name))
      const expired = makeCertificates(own('expired'), ['a', 'b'], true)
      const foreign = makeCertificates(own('foreign'), ['a', 'b'])
      for (const [name, bad] of Object.entries({ expired, foreign })) {
        for (const [ofA, ofB] of [[good, bad], [bad, good]] as const) {
          // Each trusts the authority that signed the other's certificate, unless that is what is wrong.
          const trust = (own: NodeCertificate, other: NodeCertificate): NodeCertificate => name === 'expired' ? { ...own, ca: other.ca } : { ...own, ca: good['a']!.ca }
          const [a, b] = await pair({ tls: trust(ofA['a']!, ofB['b']!) }, { tls: trust(ofB['b']!, ofA['a']!) })
          // A server that does not like the client's certificate ends the connection without a word.
          expect((await reason(a, 'b')).code, name).to.be.oneOf(ofB === bad ? ['ERR_UNAUTHENTICATED'] : ['ERR_UNAUTHENTICATED', 'ERR_NODE_UNREACHABLE'])
          expect([a.events, b.events]).to.deep.equal([[], []])
        }
      }
      // Self-signed: the authority's own certificate, used as a node's.
      const selfSigned = { key: join(folder, 'ca.key'), cert: join(folder, 'ca.pem'), ca: good['a']!.ca }
      const [a] = await pair({ tls: good['a']! }, { tls: selfSigned })
      expect((await reason(a, 'b')).code).to.equal('ERR_UNAUTHENTICATED')
    })

    it('does not talk to a node without TLS, nor such a node to it', async () => {
      const [a] = await pair({ secret: SECRET }, { tls: good['b']!, secret: SECRET })
      await reason(a, 'b')
      const [c] = await pair({ tls: good['a']!, secret: SECRET }, { secret: SECRET })
      await reason(c, 'b')
      expect([a.events, c.events]).to.deep.equal([[], []])
    })

    it('is not fooled by one who stands between, with a certificate of the same authority', async () => {
      const listen = await address()
      const between = await address()
      const b = await start('b', { tls: good['b']!, secret: SECRET, listen })
      // It has a certificate for b's name from somewhere, and passes every byte on.
      const relay = tls.createServer({ ...good['b'], requestCert: true }, (socket) => {
        const onwards = tls.connect({ port: Number(listen.split(':')[1]), host: '127.0.0.1', ...good['a'], checkServerIdentity: () => undefined })
        for (const [from, to] of [[socket, onwards], [onwards, socket]] as const) from.on('data', (bytes: Buffer) => to.write(bytes)).on('close', () => to.destroy()).on('error', () => undefined)
      })
      await new Promise<void>((resolve) => {
        relay.listen(Number(between.split(':')[1]), '127.0.0.1', resolve)
      })
      try {
        const a = await start('a', { tls: good['a']!, secret: SECRET, peers: { b: between } })
        expect((await reason(a, 'b')).code).to.equal('ERR_UNAUTHENTICATED')
        expect([a.events, b.events]).to.deep.equal([[], []])
      } finally {
        await stopAll(running)
        relay.close()
      }
    })
  })
})

async function stopAll(running: Membership[]): Promise<void> {
  await Promise.all(running.splice(0).map((membership) => membership.stop()))
}
