/** What only a NATS server can show: that it goes and comes, and that others use it. */
import { expect } from 'chai'
import { connect } from '@nats-io/transport-node'
import { nats, type NatsOptions } from '../../../bridge/index.js'
import type { Membership, MembershipEvent } from '../../../bridge/peers/membership.js'
import { createMembership } from '../../../bridge/transports/transports.js'
import { rejected, until } from '../../actors/expectations.js'
import { NatsServer } from './nats-server.js'

const SECRET = 'a secret that both of them know'

describe('over NATS', function () {
  this.timeout(20_000)
  let server: NatsServer
  const running: Membership[] = []
  before(async () => {
    server = await NatsServer.start()
  })
  after(() => server.kill())
  afterEach(async () => {
    await Promise.all(running.splice(0).map((membership) => membership.stop()))
  })

  async function start(name: string, options: NatsOptions = {}): Promise<{ membership: Membership; events: string[]; requests: string[]; ask: (peer: string, text: string) => Promise<string> }> {
    const events: string[] = []
    const requests: string[] = []
    const membership = createMembership(nats({ servers: server.url, secret: SECRET, ...options }).settings(), {
      name, failureTimeoutMs: 1000, connectTimeoutMs: 3000,
      handlers: {
        event: (event: MembershipEvent) => events.push(`${event.type} ${event.node}`), note: () => undefined,
        request: (peer, ticket, _, bytes, from, to) => {
          requests.push(bytes.toString('latin1', from, to))
          peer.reply(ticket, bytes, from, to)
        },
      },
    })
    running.push(membership)
    await membership.start()
    return { membership, events, requests, ask: async (peer, text) => (await membership.peer(peer).request(Buffer.from(text), 2000)).toString('latin1') }
  }

  it('nodes find each other, whatever is in their names and that of their cluster', async () => {
    for (const [cluster, first, second] of [['one', 'a', 'b'], ['my cluster.>*', 'a node.*', 'größer > b']] as const) {
      const a = await start(first, { cluster, peers: [second] })
      await start(second, { cluster })
      await a.membership.reach(second, 5000)
      expect(await a.ask(second, 'x'.repeat(300_000))).to.have.lengthOf(300_000)
    }
  })

  it('nobody is there: it is known at once, and tried again', async () => {
    const a = await start('a', { peers: ['b'] })
    const error = await rejected(a.membership.reach('b', 500), 'ERR_NODE_UNREACHABLE')
    expect((error.cause as Error).message).to.include('nobody listens')
    await start('b')
    await a.membership.reach('b', 5000)
  })

  it('what a stranger publishes on the subjects of a connection is dropped, and nothing is lost by it', async () => {
    const a = await start('a', { peers: ['b'] })
    const b = await start('b')
    const stranger = await connect({ servers: server.url })
    const seen: { subject: string; data: Uint8Array }[] = []
    stranger.subscribe('scatterhoard.>', { callback: (_, { subject, data }) => void seen.push({ subject, data }) })
    await stranger.flush()
    await a.membership.reach('b', 5000)
    await a.ask('b', 'secret words')
    const subjects = new Set(seen.filter(({ data }) => data.length > 1).map(({ subject }) => subject))
    expect(subjects.size).to.equal(2)
    const recorded = [...seen]
    for (const { subject, data } of recorded) if (data.length > 1) stranger.publish(subject, data) // replayed
    for (const subject of subjects) {
      const last = recorded.filter((message) => message.subject === subject).at(-1)!.data
      for (let at = 0; at < last.length; at += 3) {
        const changed = Buffer.from(last)
        changed[at]! ^= 0x10
        stranger.publish(subject, changed)
      }
      stranger.publish(subject, Buffer.alloc(5000))
    }
    await stranger.flush()
    expect(await a.ask('b', 'more words')).to.equal('more words')
    expect([a.events, b.events, b.requests]).to.deep.equal([['up b'], ['up a'], ['secret words', 'more words']])
    await stranger.close()
  })

  it('a node with another secret, or of another cluster, gets nowhere', async () => {
    const a = await start('a', { peers: ['b', 'c'] })
    const b = await start('b', { secret: 'another secret of that length', peers: ['a'] })
    const c = await start('c', { cluster: 'two', peers: ['a'] })
    expect((await rejected(a.membership.reach('b', 1000), 'ERR_NODE_UNREACHABLE')).cause).to.have.property('code', 'ERR_UNAUTHENTICATED')
    expect([a.events, b.events, c.events]).to.deep.equal([[], [], []])
  })

  it('a server that restarts costs what was under way, and nobody stays down', async () => {
    const own = await NatsServer.start()
    try {
      const a = await start('a', { servers: own.url, peers: ['b'] })
      await start('b', { servers: own.url, peers: ['a'] })
      await a.membership.reach('b', 5000)
      await own.kill()
      await own.run()
      await until(async () => await a.ask('b', 'x').catch(() => '') === 'x', 'a reply', 15_000)
    } finally {
      await Promise.all(running.splice(0).map((membership) => membership.stop()))
      await own.kill()
    }
  })

  it('a server that is not there, or knows this node not, fails the start', async () => {
    await rejected(start('a', { servers: 'nats://127.0.0.1:1' }), 'ERR_NODE_UNREACHABLE')
    const closed = await NatsServer.start('--user', 'u', '--pass', 'a good password')
    try {
      const error = await rejected(start('a', { servers: closed.url, user: 'u', password: 'a bad password' }), 'ERR_NODE_UNREACHABLE')
      expect(error.message).to.not.include('a bad password')
      const a = await start('a', { servers: closed.url, user: 'u', password: 'a good password' })
      expect(a.membership.address).to.include('127.0.0.1').and.to.not.include('password')
      await a.membership.stop()
    } finally {
      await closed.kill()
    }
  })
})
