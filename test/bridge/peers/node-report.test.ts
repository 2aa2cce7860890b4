import { expect } from 'chai'
import { setImmediate as turn } from 'node:timers/promises'
import { callerOf } from '../../../actors/cache.js'
import { startNode } from '../../../actors/node.js'
import { memory } from '../../../bridge/index.js'
import type { Membership } from '../../../bridge/peers/membership.js'
import { NodeReport } from '../../../bridge/peers/node-report.js'
import { bad } from '../../actors/functions.js'
import { rejected, until } from '../../actors/expectations.js'
import type { Client } from '../../../runtime/client.js'
import { decodeValue } from '../../../runtime/codec/value.js'

const membership = { address: undefined, incarnation: 5, peers: () => [{ node: 'b', state: 'down', incarnation: 0, sessions: 0, error: new Error('not there') }] } as unknown as Membership

describe('the report of a node', () => {
  it('has the caches, the mailboxes and the tree', async () => {
    const node = await startNode({ name: 'a', shardThreads: 2, pool: { threads: 1 } })
    const channel = new BroadcastChannel('node-report')
    try {
      const users = await node.startCache('users', { memory: '8mb', functions: [bad], functionTimeout: '1m' })
      await users.putMany([['a', 1], ['b', 2], ['c', 3]])
      const report = new NodeReport({ client: callerOf(users).client, membership, bridge: memory().settings(), caches: () => Promise.resolve([users]), known: () => [] })
      // A message is done a moment after its reply.
      await until(async () => (await report.make(5000)).mailboxes.every(({ messages }) => messages === 0), 'all to be done')
      const status = await report.make(5000)
      expect(status).to.deep.include({
        node: 'a', cluster: 'scatterhoard', transport: 'memory', tls: false, address: null, incarnation: 5, missing: [],
        peers: [{ node: 'b', state: 'down', incarnation: 0, sessions: 0, error: 'not there' }],
      })
      expect(status.caches).to.have.lengthOf(1)
      const [{ shards, ...cache }] = status.caches as [typeof status.caches[number]]
      expect(cache).to.deep.include({ name: 'users', router: 'local', nodes: ['a'], entries: 3 })
      expect(shards.map(({ entries }) => entries).reduce((sum, entries) => sum + entries)).to.equal(3)
      expect(cache.capacityBytes).to.equal(8 << 20)
      expect(cache.bytesUsed).to.equal(await users.inspect(['memory', 'bytes']))
      // The rest of the tree may still be starting.
      expect(status.tree!.children.find(({ id }) => id === 'cache:users')).to.deep.equal(await users.inspect('tree'))
      expect(status.mailboxes.filter(({ actor }) => actor.startsWith('cache:users/shards/')).map(({ actor, messages, bytes, capacity }) => ({ actor, messages, bytes, capacity }))).to.deep.equal([0, 1].map((shard) => (
        { actor: `cache:users/shards/shard-${shard}`, messages: 0, bytes: 0, capacity: { messages: 65_536, bytes: 4 << 20 } }
      )))
      expect(status.process).to.include({ pid: process.pid })
      const begun = new Promise<unknown>((resolve) => (channel.onmessage = resolve))
      const hung = users.getAndUpdate('ada', bad.hang, { args: ['node-report'] })
      hung.catch(() => undefined)
      // Killed before it has begun, it would hang the next one of the shard.
      await begun
      for (let each = 0; each < 5; each++) users.tell(['put', 'ada', each])
      const { actor } = (await users.inspect('mailboxes')).find(({ outstanding }) => outstanding > 0)!
      let full = status.mailboxes[0]!
      const look = async (): Promise<number> => (full = (await report.make(5000)).mailboxes.find((mailbox) => mailbox.actor === actor)!).messages
      // The lane may still be opening.
      await until(async () => await look() === 6, 'six messages to be there')
      expect(full.fullest).to.equal(6)
      expect(full.bytes).to.be.within(6 * 30, 6 * 200)
      await node.kill(actor)
      await rejected(hung, 'ERR_SHARD_CRASHED')
    } finally {
      channel.close()
      await node.stop()
    }
  })

  it('names what did not come in time, and has the rest', async () => {
    const client = { node: 'a', control: () => new Promise(() => undefined) } as unknown as Client
    const report = new NodeReport({ client, membership, bridge: memory().settings(), caches: () => Promise.reject(new Error('no system thread')), known: () => [] })
    const status = await report.make(1)
    expect(status).to.deep.include({ tree: null, mailboxes: [], caches: [], missing: ['caches', 'mailboxes', 'tree'] })
    expect(status.peers).to.have.lengthOf(1)
  })

  it('is made once for all who ask meanwhile, and each is answered', async () => {
    let asked = 0
    let give = (): void => undefined
    const given = new Promise<void>((resolve) => (give = resolve))
    const client = { node: 'a', control: () => given.then(() => null) } as unknown as Client
    const caches = (): Promise<never[]> => {
      asked++
      return given.then(() => [])
    }
    const report = new NodeReport({ client, membership, bridge: memory().settings(), caches, known: () => [] })
    const answers: unknown[] = []
    for (let each = 0; each < 3; each++) report.answer(1000, (bytes, start, end) => answers.push(decodeValue(Buffer.from(bytes), start + 1, end)))
    expect(asked).to.equal(1)
    give()
    await turn()
    expect(answers).to.have.lengthOf(3)
    for (const answer of answers) expect(answer).to.include({ node: 'a', incarnation: 5 })
    report.answer(1000, () => undefined)
    expect(asked).to.equal(2)
  })
})
