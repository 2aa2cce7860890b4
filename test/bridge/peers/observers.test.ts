import { expect } from 'chai'
import { STATUS_REQUEST } from '../../../actors/cluster/wire.js'
import { FRAME_TYPE } from '../../../bridge/sessions/frame.js'
import { Handshake, type HandshakeSetting } from '../../../bridge/sessions/handshake.js'
import { readHello, VERDICT, writeHello } from '../../../bridge/sessions/hello.js'
import { Link } from '../../../bridge/sessions/link.js'
import { MemoryMedium } from '../../../bridge/transports/memory.js'
import { MessageTransport } from '../../../bridge/transports/message-transport.js'
import type { NodeStatus } from '../../../bridge/peers/node-report.js'
import { observe, type ObserveSetting } from '../../../bridge/peers/observe.js'
import { MAX_OBSERVERS } from '../../../bridge/peers/observers.js'
import { Session } from '../../../bridge/sessions/session.js'
import { rejected, thrown } from '../../actors/expectations.js'
import { Cluster, type TestNode } from '../cluster.js'
import { settle } from '../fake-timers.js'
import { SECRET, TERMS } from '../sessions/sessions.js'

const STATUS: NodeStatus = {
  node: 'a', cluster: 'one', transport: 'memory', tls: false, address: null, incarnation: 1, process: { pid: 1, uptimeMs: 2, rssBytes: 3 },
  peers: [], caches: [], mailboxes: [], tree: null, missing: [],
}

describe('observers', () => {
  let cluster: Cluster
  let a: TestNode
  let b: TestNode
  beforeEach(async () => {
    cluster = new Cluster();
    [a, b] = await cluster.start('a', 'b') as [TestNode, TestNode]
    a.status = STATUS
  })
  afterEach(() => cluster.stop())

  let count = 0
  function setting(changes: Partial<ObserveSetting> = {}): ObserveSetting {
    const name = changes.name ?? `observer-${++count}`
    const transport = new MessageTransport(name, new MemoryMedium(name, cluster.network.descriptor, cluster.timers, cluster.carrier))
    return { transport, target: 'a', name, bridge: { cluster: 'one', secret: SECRET, maxMessageBytes: 1 << 20 }, timeoutMs: 1000, timers: cluster.timers, ...changes }
  }

  async function look(changes?: Partial<ObserveSetting>): Promise<NodeStatus> {
    const looking = observe(setting(changes))
    looking.catch(() => undefined)
    await settle(60)
    return looking
  }

  it('hear how a node is doing, and no node hears of them', async () => {
    expect(await look()).to.deep.equal(STATUS)
    expect(a.membership.peers().map(({ node }) => node)).to.deep.equal(['b'])
    expect([a.events, b.events, a.requests]).to.deep.equal([[], [], []])
    expect(a.membership.up()).to.deep.equal(['b'])
  })

  it('may go by the name of a node, whose certificate they may have, also by that of the one they look at', async () => {
    const { sessions } = a.membership.peers()[0]!
    for (const name of ['a', 'b']) {
      // A memory network has its nodes' names; so the transport has another one.
      const { transport } = setting()
      expect(await look({ name, transport })).to.deep.equal(STATUS)
    }
    expect(a.membership.peers()).to.have.lengthOf(1)
    expect(a.membership.peers()[0]).to.include({ node: 'b', state: 'up', sessions })
    expect(await a.ask('b', 'still')).to.equal('b: still')
  })

  it('are refused without the secret, and with that of another cluster', async () => {
    for (const [changes, code] of [
      [{ secret: Buffer.from('another secret than the one') }, 'ERR_UNAUTHENTICATED'], [{ secret: undefined }, 'ERR_UNAUTHENTICATED'], [{ cluster: 'two' }, 'ERR_UNAUTHENTICATED'],
    ] as const) await rejected(look({ bridge: { cluster: 'one', secret: SECRET, maxMessageBytes: 1 << 20, ...changes } }), code)
    expect(a.observed).to.equal(0)
  })

  it('fail in their time when there is nobody, or no answer', async () => {
    a.status = undefined
    for (const target of ['a', 'nobody']) {
      const waiting = observe(setting({ target, timeoutMs: 700 }))
      waiting.catch(() => undefined)
      await cluster.timers.advance(699)
      expect(await Promise.race([waiting.then(() => 'answered', () => 'failed'), settle().then(() => 'waits')])).to.equal('waits')
      await cluster.timers.advance(1)
      await rejected(waiting, target === 'a' ? 'ERR_TIMEOUT' : 'ERR_NODE_UNREACHABLE')
    }
  })

  it('are told what is no status as ERR_FRAME', async () => {
    a.status = { ...STATUS, caches: undefined as never }
    await rejected(look(), 'ERR_FRAME')
  })

  it(`are at most ${MAX_OBSERVERS} at a time, and make room when they leave or fall silent`, async () => {
    const fill = async (timeoutMs: number): Promise<void> => {
      a.status = undefined
      const waiting = Array.from({ length: MAX_OBSERVERS }, () => observe(setting({ timeoutMs })))
      for (const each of waiting) each.catch(() => undefined)
      await settle(60)
      a.status = STATUS
      const error = await rejected(look(), 'ERR_NODE_UNREACHABLE')
      expect(error.message).to.match(/as many observers as it can have/)
    }
    await fill(1000)
    await cluster.timers.advance(1000)
    expect(await look()).to.deep.equal(STATUS)
    await fill(60_000)
    cluster.network.partition(['a', 'b'])
    await cluster.timers.advance(5000)
    cluster.network.heal()
    expect(await look()).to.deep.equal(STATUS)
    expect(a.events).to.deep.equal([])
  })

  it('leave no timer behind', async () => {
    const before = cluster.timers.pending
    await look()
    expect(cluster.timers.pending).to.equal(before)
  })

  it('get nothing else done than to be told', async () => {
    const { transport, name } = setting()
    await transport.listen(() => undefined)
    const connection = await transport.connect('a', new AbortController().signal)
    const outcomes: string[] = []
    new Link(connection, {
      role: 'observer', name, cluster: 'one', secret: SECRET, protection: connection.protection, terms: TERMS, incarnations: () => ({ own: 0, dead: 0 }), verifyName: () => undefined,
    }, 1000, cluster.timers, {
      claimed: () => undefined,
      failed: (_, error) => outcomes.push(error.message),
      agreed: (link, { terms }) => {
        const session = new Session('a', link, TERMS, terms, cluster.timers, { request: () => undefined, note: () => undefined, credit: () => undefined, ended: () => outcomes.push('ended') })
        for (const bytes of [Buffer.from('put x'), Buffer.of(...STATUS_REQUEST, 0), Buffer.alloc(0), STATUS_REQUEST]) {
          session.request(bytes, 0, bytes.length, 1000, (error) => outcomes.push(error === undefined ? 'told' : error.code))
        }
        session.note(Buffer.from('note'), 0, 4)
      },
    })
    await settle(60)
    expect(outcomes).to.deep.equal(['ERR_NODE_DOWN', 'ERR_NODE_DOWN', 'ERR_NODE_DOWN', 'told'])
    expect([a.requests, a.notes, a.observed]).to.deep.equal([[], [], 1])
    await transport.close()
  })

  it('are told to go when the node stops, and are taken no more', async () => {
    a.status = undefined
    const waiting = observe(setting())
    waiting.catch(() => undefined)
    await settle(60)
    await a.membership.stop()
    await settle()
    await rejected(waiting, 'ERR_NODE_DOWN')
    const later = observe(setting())
    later.catch(() => undefined)
    await cluster.timers.advance(1000)
    await rejected(later, 'ERR_NODE_UNREACHABLE')
  })

  it('cannot be made peers, nor peers observers, by changing what is said', () => {
    const end = (role: HandshakeSetting['role'], name: string): Handshake => new Handshake({
      role, name, ...role === 'initiator' && { peer: 'b' }, cluster: 'one', secret: SECRET, protection: { exporter: undefined, code: false }, terms: TERMS,
      incarnations: () => ({ own: 1, dead: 0 }), verifyName: () => undefined,
    })
    for (const [role, changed] of [['observer', { role: 'initiator', for: 'b' }], ['initiator', { role: 'observer', for: 'a' }]] as const) {
      const [caller, responder] = [end(role, 'a'), end('responder', 'b')]
      const hello = responder.receive(FRAME_TYPE.hello, writeHello({ ...readHello(caller.hello()), ...changed }))!
      const proof = caller.receive(...hello)!
      thrown(() => responder.receive(...proof), 'ERR_UNAUTHENTICATED')
    }
    thrown(() => end('observer', 'a').receive(FRAME_TYPE.hello, end('observer', 'b').hello()), 'ERR_UNAUTHENTICATED')
    const [observer, responder] = [end('observer', 'a'), end('responder', 'b')]
    expect(responder.receive(...observer.receive(...responder.receive(FRAME_TYPE.hello, observer.hello())!)!)).to.equal(undefined)
    expect([responder.isObserved, observer.isObserved]).to.deep.equal([true, false])
    observer.receive(FRAME_TYPE.proof, responder.judge(VERDICT.accepted, 1))
    expect(observer.agreement).to.include({ peer: 'b', verdict: VERDICT.accepted })
  })
})
