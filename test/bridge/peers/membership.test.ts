import { expect } from 'chai'
import { MAX_UNPROVED } from '../../../bridge/peers/membership.js'
import type { Connection } from '../../../bridge/transports/transport.js'
import { expectNone } from '../../races/script.js'
import { rejected } from '../../actors/expectations.js'
import { bridgeFaults } from '../../races/bridge-faults.js'
import { Cluster, ending, type TestNode } from '../cluster.js'
import { settle } from '../fake-timers.js'
import { pipe } from '../sessions/pipe.js'

describe('membership', () => {
  let cluster: Cluster
  beforeEach(() => {
    cluster = new Cluster()
  })
  afterEach(() => cluster.stop())

  const sessions = (...nodes: TestNode[]): number[] => nodes.map(({ membership }) => membership.peers().reduce((sum, { sessions }) => sum + sessions, 0))

  it('brings nodes up that start together, each once, and carries requests and notes', async () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => cluster.node(name, ['a', 'b', 'c'])) as [TestNode, TestNode, TestNode]
    await Promise.all([a, b, c].map(({ membership }) => membership.start()))
    await cluster.timers.advance(300)
    for (const [node, others] of [[a, ['b', 'c']], [b, ['a', 'c']], [c, ['a', 'b']]] as const) {
      expect(node.events.toSorted()).to.deep.equal(others.map((name) => `up ${name}`))
      expect(node.membership.up()).to.deep.equal(others)
    }
    expect(await Promise.all([a.ask('b', 'x'), b.ask('a', 'y'), c.ask('b', 'z')])).to.deep.equal(['b: x', 'a: y', 'b: z'])
    expect(a.peer('c').notify(Buffer.from('note'))).to.equal(true)
    await settle()
    expect(c.notes).to.deep.equal(['note'])
  })

  it('ends with one session between two that connect to each other at the same moment, whatever takes how long', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const own = new Cluster({ delay: [0, seed % 3 === 0 ? 400 : 40], seed })
      const [a, b] = [own.node('a', ['b']), own.node('b', ['a'])]
      await Promise.all([a.membership.start(), b.membership.start()])
      await own.timers.advance(10_000)
      expect([a.events, b.events], `seed ${seed}`).to.deep.equal([['up b'], ['up a']])
      expect([a.peer('b').session !== undefined, b.peer('a').session !== undefined]).to.deep.equal([true, true])
      const before = sessions(a, b)
      const replies = Promise.all([a.ask('b', 'x', 5000), b.ask('a', 'y', 5000)])
      await own.timers.advance(10_000)
      expect(await replies, `seed ${seed}`).to.deep.equal(['b: x', 'a: y'])
      expect(sessions(a, b), `seed ${seed}: sessions go on`).to.deep.equal(before)
      await own.stop()
    }
  })

  it('brings nodes up in any order of their starts, and where only one of two wants the other', async () => {
    const a = cluster.node('a', ['b'])
    await a.membership.start()
    await cluster.timers.advance(20_000)
    expect(a.events).to.deep.equal([])
    const b = cluster.node('b', [])
    await b.membership.start()
    await cluster.timers.advance(1500)
    expect([a.events, b.events]).to.deep.equal([['up b'], ['up a']])
    expect(await b.ask('a', 'x')).to.equal('a: x')
  })

  it('fails requests to a node that is down at once, and none of them has happened', async () => {
    const [a] = await cluster.start('a', 'b') as [TestNode]
    expect(await ending(a.ask('nowhere', 'x'))).to.equal('ERR_NODE_DOWN none')
    expect(a.peer('nowhere').notify(Buffer.from('x'))).to.equal(false)
  })

  it('declares a node down as soon as it says that it stops', async () => {
    const [a, b] = await cluster.start('a', 'b') as [TestNode, TestNode]
    b.answer = () => undefined
    const pending = a.ask('b', 'x')
    await settle()
    await b.membership.stop()
    await settle()
    expect(a.events).to.deep.equal(['down b: stopped'])
    expect(await ending(pending)).to.equal('ERR_NODE_DOWN unknown')
    expect(await ending(a.ask('b', 'y'))).to.equal('ERR_NODE_DOWN none')
    expect(b.events).to.deep.equal([])
  })

  it('declares a node down that gives no sign of life for the failure timeout, and not before; both come back as new incarnations', async () => {
    const [a, b] = await cluster.start('a', 'b') as [TestNode, TestNode]
    const before = { ...a.incarnations, ...b.incarnations }
    b.answer = () => undefined
    await cluster.timers.advance(60_000)
    expect([a.events, b.events]).to.deep.equal([[], []])
    const pending = a.ask('b', 'x', 60_000)
    await settle()
    cluster.network.partition(['a'], ['b'])
    await cluster.timers.advance(3500)
    expect([a.events, b.events]).to.deep.equal([[], []])
    await cluster.timers.advance(1500)
    expect([a.events, b.events]).to.deep.equal([['down b: silent'], ['down a: silent']])
    expect(await ending(pending)).to.equal('ERR_NODE_DOWN unknown')
    await cluster.timers.advance(30_000)
    cluster.network.heal()
    b.answer = (text) => `b: ${text}`
    await cluster.timers.advance(10_000)
    expect([a.events, b.events]).to.deep.equal([['down b: silent', 'up b'], ['down a: silent', 'up a']])
    expect(a.incarnations['b']).to.be.greaterThan(before['b']!)
    expect(b.incarnations['a']).to.be.greaterThan(before['a']!)
    expect(await a.ask('b', 'y')).to.equal('b: y')
  })

  it('brings both to new incarnations when only one of the two had noticed anything', async () => {
    for (const [first, second] of [['a', 'b'], ['b', 'a']] as const) {
      const own = new Cluster()
      const nodes = Object.fromEntries((await own.start('a', 'b')).map((node) => [node.name, node]))
      const [one, other] = [nodes[first]!, nodes[second]!]
      const before = [one.incarnations[second]!, other.incarnations[first]!]
      one.peer(second).declareDown('unreachable')
      await own.timers.advance(10_000)
      expect(one.events, first).to.deep.equal([`down ${second}: unreachable`, `up ${second}`])
      expect(other.events[0], first).to.equal(`down ${first}: gave up on us`)
      expect(other.events[1], first).to.equal(`up ${first}`)
      expect(other.events).to.have.lengthOf(2)
      expect(one.incarnations[second]).to.be.greaterThan(before[0]!)
      expect(other.incarnations[first]).to.be.greaterThan(before[1]!)
      await own.stop()
    }
  })

  it('keeps a node up whose connection was lost and comes back in time: requests wait, and nobody is told', async () => {
    const [a, b] = await cluster.start('a', 'b') as [TestNode, TestNode]
    const incarnation = a.peer('b').incarnation
    breakConnection(a, 'b')
    await settle(2)
    expect(a.peer('b').state).to.equal('lost')
    const waiting = a.ask('b', 'x')
    await cluster.timers.advance(900)
    expect(await waiting).to.equal('b: x')
    expect([a.events, b.events]).to.deep.equal([[], []])
    expect(a.peer('b').incarnation).to.equal(incarnation)
  })

  it('declares a node down whose connection was lost and does not come back in time', async () => {
    const [a] = await cluster.start('a', 'b') as [TestNode]
    cluster.network.partition(['a'], ['b'])
    breakConnection(a, 'b')
    await settle(2)
    const waiting = a.ask('b', 'x', 60_000)
    await cluster.timers.advance(4900)
    expect(a.events).to.deep.equal([])
    await cluster.timers.advance(200)
    expect(a.events).to.deep.equal(['down b: unreachable'])
    expect(await ending(waiting)).to.equal('ERR_NODE_DOWN none')
  })

  it('does not take its own stillness for the others\': a process that was stopped for a minute declares nobody down', async () => {
    const [a, b] = await cluster.start('a', 'b') as [TestNode, TestNode]
    for (let index = 0; index < 3; index++) {
      cluster.timers.jump(60_000)
      await cluster.timers.advance(900)
    }
    await cluster.timers.advance(20_000)
    expect([a.events, b.events]).to.deep.equal([[], []])
  })

  it('notices that a node is another one of the same name: it was down in between', async () => {
    const [a, b] = await cluster.start('a', 'b') as [TestNode, TestNode]
    // It ends without a word, and is back before anybody has noticed.
    cluster.network.partition(['a'], ['b'])
    await b.membership.stop()
    const again = cluster.node('b', ['a'])
    cluster.network.heal()
    await again.membership.start()
    await cluster.timers.advance(2000)
    expect(a.events).to.deep.equal(['down b: restarted', 'up b'])
    expect(await a.ask('b', 'x')).to.equal('b: x')
    expect(again.requests).to.deep.equal(['x'])
  })

  it('does not take a stale incarnation: a node whose clock was set back comes with a higher one', async () => {
    const [a, b] = await cluster.start('a', 'b') as [TestNode, TestNode]
    const before = a.incarnations['b']!
    await b.membership.stop()
    await settle()
    expect(a.events).to.deep.equal(['down b: stopped'])
    const again = cluster.node('b', ['a'], { incarnation: 5 })
    await again.membership.start()
    await cluster.timers.advance(3000)
    expect(a.events).to.deep.equal(['down b: stopped', 'up b'])
    expect(a.incarnations['b']).to.be.greaterThan(before)
    expect(await again.ask('a', 'x')).to.equal('a: x')
  })

  it('never talks to a node without the secret, of another cluster, or of its own name; and says why', async () => {
    const a = cluster.node('a', ['b', 'c'])
    const b = cluster.node('b', ['a'], { secret: Buffer.from('another secret of that length') })
    const c = cluster.node('c', ['a'], { cluster: 'two' })
    await Promise.all([a, b, c].map(({ membership }) => membership.start()))
    const error = rejected(a.membership.reach('b', 4000), 'ERR_NODE_UNREACHABLE')
    await cluster.timers.advance(30_000)
    expect([a.events, b.events, c.events]).to.deep.equal([[], [], []])
    expect(await error).to.have.nested.property('cause.code', 'ERR_UNAUTHENTICATED')
    const errors = Object.fromEntries(a.membership.peers().map(({ node, error }) => [node, error?.message]))
    expect(errors['b']).to.include('secret')
    expect(errors['c']).to.include('cluster')
    expect(a.requests).to.deep.equal([])
  })

  it('resolves when a node that is waited for comes up, and fails when this node stops', async () => {
    const a = cluster.node('a', [])
    await a.membership.start()
    const reached = a.membership.reach('b', 5000)
    const never = rejected(a.membership.reach('z', 50_000), 'ERR_STOPPED')
    await cluster.timers.advance(1000)
    await cluster.node('b', []).membership.start()
    await cluster.timers.advance(1500)
    expect((await reached).name).to.equal('b')
    await a.membership.stop()
    await never
  })

  it('bounds what waits for a node: in number, in bytes, and in time', async () => {
    const [a, b] = await cluster.start('a', 'b') as [TestNode, TestNode]
    b.answer = () => undefined
    const outcomes: Record<string, number> = {}
    const send = (bytes: Buffer, timeoutMs: number): void => a.peer('b').send(bytes, 0, bytes.length, timeoutMs, (error) => {
      const word = `${error?.code} ${error?.outcome}`
      outcomes[word] = (outcomes[word] ?? 0) + 1
    })
    for (let index = 0; index < 70_000; index++) send(Buffer.from('x'), 500)
    await settle()
    expect(outcomes).to.deep.equal({ 'ERR_MAILBOX_FULL none': 70_000 - 65_536 - 16 })
    await cluster.timers.advance(530)
    expect(outcomes).to.deep.equal({ 'ERR_MAILBOX_FULL none': 70_000 - 65_536 - 16, 'ERR_TIMEOUT none': 65_536, 'ERR_TIMEOUT unknown': 16 })
    // Those that were given up keep their credit until the peer says that it will not answer either.
    await cluster.timers.advance(3000)
    b.answer = (text) => text
    expect(await a.ask('b', 'x')).to.equal('x')
    b.answer = () => undefined
    for (let index = 0; index < 30; index++) send(Buffer.alloc(1 << 20), 500)
    await settle()
    expect(outcomes['ERR_MAILBOX_FULL none']).to.be.greaterThan(70_000 - 65_536 - 16 + 10)
    await cluster.timers.advance(5000)
  })

  it('sends what waited in the order of asking, as the peer takes it', async () => {
    const [a, b] = await cluster.start('a', 'b') as [TestNode, TestNode]
    const asked = Array.from({ length: 500 }, (_, index) => a.ask('b', String(index)))
    await cluster.timers.advance(100)
    expect(await Promise.all(asked)).to.have.lengthOf(500)
    expect(b.requests).to.deep.equal(Array.from({ length: 500 }, (_, index) => String(index)))
  })

  it('caps connections that do not prove who they are, in number and in time; a node still gets in', async () => {
    let accept: (connection: Connection) => void = () => undefined
    const a = cluster.node('a', [], {
      transport: {
        address: 'here', reaches: () => false, close: () => Promise.resolve(), connect: () => Promise.reject(new Error('no')),
        listen: (take) => {
          accept = take
          return Promise.resolve()
        },
      },
    })
    await a.membership.start()
    const open = (): ReturnType<typeof pipe> => {
      const ends = pipe()
      accept(ends[1])
      return ends
    }
    const strangers = Array.from({ length: 1000 }, open)
    await settle()
    const alive = (): number => strangers.filter(([, end]) => !end.closed).length
    expect(alive()).to.equal(MAX_UNPROVED)
    expect(strangers.at(-1)![1].closed).to.equal(false)
    await cluster.timers.advance(4900)
    expect(alive()).to.equal(MAX_UNPROVED)
    await cluster.timers.advance(200)
    expect(alive()).to.equal(0)
    // One byte at a time does not help, nor do many bytes.
    const [slow, far] = open()
    for (let byte = 0; byte < 4; byte++) {
      slow.write(Buffer.of([100, 0, 0, 0][byte]!), () => undefined)
      await cluster.timers.advance(1000)
    }
    expect(far.closed).to.equal(false)
    await cluster.timers.advance(1100)
    expect(far.closed).to.equal(true)
  })

  it('gives no attempt to connect longer than the failure timeout, connecting and handshake together, and tries again soon, whatever the connect timeout', async () => {
    const attempts: { atMs: number; endedMs?: number }[] = []
    let connects = false
    const a = cluster.node('a', ['b'], {
      failureTimeoutMs: 500, connectTimeoutMs: 60_000,
      transport: {
        address: 'here', reaches: () => true, close: () => Promise.resolve(), listen: () => Promise.resolve(),
        connect: (_, signal) => new Promise((resolve, reject) => {
          const attempt: (typeof attempts)[number] = { atMs: cluster.timers.now() }
          attempts.push(attempt)
          signal.addEventListener('abort', () => {
            attempt.endedMs = cluster.timers.now()
            reject(signal.reason as Error)
          })
          if (!connects) return
          cluster.timers.after(400, () => {
            const [own, other] = pipe()
            other.open({ data: () => undefined, drain: () => undefined, closed: () => (attempt.endedMs = cluster.timers.now()) })
            resolve(own)
          })
        }),
      },
    })
    await a.membership.start()
    for (const handshakes of [false, true]) {
      connects = handshakes
      await cluster.timers.advance(1000)
      attempts.splice(0)
      await cluster.timers.advance(10_000)
      expect(attempts.length, String(handshakes)).to.be.within(16, 20)
      for (const [index, { atMs, endedMs = Infinity }] of attempts.slice(0, -1).entries()) {
        expect(endedMs - atMs).to.equal(500)
        expect(attempts[index + 1]!.atMs - endedMs).to.be.within(50, 100)
      }
    }
  })

  it('brings nodes together within twice the failure timeout when a partition is over, however long that was', async () => {
    for (let lastedMs = 100; lastedMs <= 8000; lastedMs += 370) {
      const own = new Cluster({ delay: [0, 10], seed: lastedMs })
      const [a, b] = ['a', 'b'].map((name) => own.node(name, ['a', 'b'], { failureTimeoutMs: 600, connectTimeoutMs: 60_000, random: () => lastedMs % 100 / 100 })) as [TestNode, TestNode]
      try {
        await Promise.all([a.membership.start(), b.membership.start()])
        await own.timers.advance(1000)
        own.network.partition(['a'], ['b'])
        await own.timers.advance(lastedMs)
        own.network.heal()
        await own.timers.advance(1200)
        expect([a.peer('b').state, b.peer('a').state], `after ${lastedMs} ms`).to.deep.equal(['up', 'up'])
        const replies = Promise.all([a.ask('b', 'x'), b.ask('a', 'y')])
        await own.timers.advance(100)
        expect(await replies).to.deep.equal(['b: x', 'a: y'])
      } finally {
        await own.stop()
      }
    }
  })

  it('survives a callback that throws when it is told of a node', async () => {
    const warnings: string[] = []
    const warned = ({ message }: Error): unknown => warnings.push(message)
    process.on('warning', warned)
    const [a, b] = [cluster.node('a', ['b']), cluster.node('b', ['a'])]
    a.onEvent = ({ type }) => {
      throw new Error(`no ${type}, please`)
    }
    await Promise.all([a.membership.start(), b.membership.start()])
    await cluster.timers.advance(300)
    expect(await a.ask('b', 'x')).to.equal('b: x')
    await b.membership.stop()
    await settle()
    process.off('warning', warned)
    expect(a.events).to.deep.equal(['up b', 'down b: stopped'])
    expect(warnings).to.deep.equal(['no up, please', 'no down, please'])
  })

  it('leaves no timer and no connection behind when it has stopped, and may be stopped twice', async () => {
    const [a, b] = await cluster.start('a', 'b') as [TestNode, TestNode]
    a.membership.want('nowhere')
    await cluster.timers.advance(100)
    await Promise.all([a.membership.stop(), a.membership.stop(), b.membership.stop()])
    await cluster.timers.advance(60_000)
    expect(cluster.timers.pending).to.equal(0)
  })

  it('bounds the names that it keeps', async () => {
    const [a] = await cluster.start('a', 'b') as [TestNode]
    expect(() => {
      for (let index = 0; index < 2000; index++) a.peer(`node ${index}`)
    }).to.throw().with.property('code', 'ERR_NODE_UNREACHABLE')
  })

  it('settles every request once, and runs none twice, however the network loses, doubles and misorders messages', async function () {
    this.timeout(60_000)
    expectNone(await bridgeFaults({ runs: 4, seed: 1 }))
  })
})

/** As if the system had ended the connection. */
function breakConnection({ membership }: TestNode, peer: string): void {
  membership.peer(peer).session!.link.connection.destroy()
}
