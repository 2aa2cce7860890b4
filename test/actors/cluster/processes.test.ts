import { expect } from 'chai'
import { startNode, type Cache, type CacheNode, type CacheOptions } from 'scatterhoard'
import { tcp } from 'scatterhoard/bridge'
import { freePort } from '../../bridge/free-port.js'
import { rejected, until } from '../expectations.js'
import { beside } from './cluster-functions.js'
import { keysOf } from './nodes.js'
import { NodeProcess } from './processes.js'

const SECRET = 'a secret of these tests'
const NAMES = ['a', 'b', 'c', 'd', 'e']
const OTHERS = ['b', 'c', 'd', 'e'] as const
const OPTIONS: CacheOptions = { nodes: NAMES, shards: 1, memory: '4mb', stats: true }
const RING: CacheOptions = { ...OPTIONS, router: { name: 'ring', virtualNodes: 64 } }

/** The first function that a node runs waits for its threads to start. */
const PATIENT = { timeout: 20_000, functionTimeout: 20_000 }

/** How long the main thread of a node is blocked: as long as is wanted with this variable. */
const BLOCKED_MS = Number(process.env['BLOCKED_MS'] ?? 1500)

describe('a cache on five nodes, each in a process of its own', function () {
  this.timeout(60_000)
  const peers: Record<string, string> = {}
  let node: CacheNode
  let cache: Cache<unknown>
  let ringed: Cache<unknown>
  const own: Record<string, string[]> = {}
  const processes = new Map<string, NodeProcess>()
  const at = (name: string): NodeProcess => processes.get(name)!

  const start = async (name: string): Promise<void> => {
    const process = new NodeProcess(name, SECRET, peers[name]!, peers)
    processes.set(name, process)
    await process.signal()
    await Promise.all([process.do({ do: 'start', cache: 'ringed', options: RING }), process.do({ do: 'start', cache: 'spread', options: OPTIONS })])
    await process.do({ do: 'use', cache: 'spread' })
  }

  before(async () => {
    for (const name of NAMES) peers[name] = `127.0.0.1:${await freePort()}`
    node = await startNode({ name: 'a', shardThreads: 1, pool: { threads: 1 }, functions: [beside], failureTimeout: 1000, connectTimeout: 30_000, bridge: tcp({ listen: peers['a']!, secret: SECRET, peers }) })
    // The first one starts before any other process is there.
    ;[cache, ringed] = await Promise.all([node.startCache('spread', OPTIONS), node.startCache('ringed', RING), ...[...OTHERS].reverse().map(start)])
    for (const name of NAMES) own[name] = keysOf(cache, name, 3)
  })
  after(async () => {
    await node.stop()
    await Promise.all([...processes.values()].map((process) => process.kill()))
  })

  it('has what one of them put, on all', async () => {
    for (const name of NAMES) {
      const [key] = own[name]!
      await cache.put(key!, { key })
      for (const other of OTHERS) {
        expect(await at(other).call('get', key)).to.deep.equal({ key })
        expect(await at(other).call('nodeOf', key)).to.equal(name)
      }
      if (name !== 'a') expect(await at(name).call('getSync', key)).to.deep.equal({ key })
    }
    expect(await at('e').call('size')).to.equal(NAMES.length)
    expect(await at('d').call('getMany', NAMES.map((name) => own[name]![0]))).to.deep.equal(NAMES.map((name) => ({ key: own[name]![0] })))
    const loaded = await Promise.all([cache.fetch(own['c']![1]!, 'beside.load', PATIENT), ...OTHERS.map((other) => at(other).call('fetch', own['c']![1], 'beside.load', PATIENT))])
    expect(new Set(loaded).size).to.equal(1)
    expect(await at('b').call('clear')).to.equal(NAMES.length + 1)
  })

  it('answers while the main thread of a node is blocked', async () => {
    const [key] = own['b']!
    const blocked = at('b').signal()
    const released = at('b').do({ do: 'block', ms: BLOCKED_MS })
    await blocked
    const state = { isOver: false }
    const over = released.then(() => (state.isOver = true))
    expect(await cache.put(key!, 'while blocked')).to.equal(true)
    expect(await at('c').call('get', key)).to.equal('while blocked')
    expect(await cache.execute('beside.see', { args: [key!], node: 'b', ...PATIENT })).to.equal('while blocked')
    expect(state.isOver).to.equal(false)
    // All the while.
    for (let count = 1; !state.isOver; count++) expect(await cache.incr(`{${key}}count`)).to.equal(count)
    await over
    expect((await node.peers()).map(({ state }) => state)).to.deep.equal(['up', 'up', 'up', 'up'])
  })

  it('has a key loaded by another caller when the node dies whose function loads it', async () => {
    const [, , key] = own['a']!
    await at('e').do({ do: 'register', name: 'lent.load' })
    const begun = at('e').signal()
    at('e').call('fetch', key, 'lent.load', { functionTimeout: 30_000 }).catch(() => undefined)
    await begun
    // They wait for the load that is under way, with functions of their own.
    const waiting = [cache.fetch(key!, 'beside.load', PATIENT), at('d').call('fetch', key, 'beside.load', PATIENT), at('c').call('fetch', key, 'beside.load', PATIENT)]
    // What they send later comes later.
    await Promise.all([cache.incr(own['a']![0]!), at('c').call('get', own['a']![0]), at('d').call('get', own['a']![0])])
    await at('e').kill()
    const values = await Promise.all(waiting)
    expect(new Set(values).size).to.equal(1)
    expect(cache.getSync(key!)).to.equal(values[0])
    await start('e')
  })

  it('loses with a killed process what only that one had, says so at once, and has it back when it is', async () => {
    const [b, c] = [own['b']![0]!, own['c']![0]!]
    const events = node.events()
    await cache.clear()
    await Promise.all(NAMES.map((name) => cache.put(own[name]![0]!, name)))
    const moving = keysOf(ringed, 'b', 3)
    await Promise.all(moving.map((key) => ringed.put(key, 'at b')))
    const under = Array.from({ length: 200 }, () => cache.incr(`{${b}}:count`).then(() => 'done', (error: unknown) => error))
    const loading = rejected(cache.fetch(own['b']![1]!, 'beside.never', { timeout: 20_000, functionTimeout: 20_000 }), 'ERR_NODE_DOWN')
    await at('b').kill()
    for (const end of await Promise.all(under)) if (end !== 'done') expect(end).to.include({ code: 'ERR_NODE_DOWN' })
    expect(await loading).to.include({ node: 'b' })
    expect((await events.next()).value).to.include({ type: 'down', node: 'b' })
    const since = performance.now()
    expect(await rejected(cache.get(b), 'ERR_NODE_DOWN')).to.include({ node: 'b', outcome: 'none' })
    expect(performance.now() - since).to.be.below(500)
    expect(await at('d').call('get', c)).to.equal('c')

    const size = await rejected(at('c').call('size'), 'ERR_PARTIAL')
    expect(size.message).to.include('b (ERR_NODE_DOWN)')
    const acts: [() => Promise<unknown>, result: unknown, outcome: string][] = [
      [() => cache.size(), 4, 'none'], [() => cache.isEmpty(), false, 'none'], [() => cache.getMany([b, c]), [undefined, 'c'], 'none'], [() => cache.delMany([b, c]), 1, 'unknown'], [() => cache.clear(), 3, 'unknown'],
    ]
    for (const [act, result, outcome] of acts) {
      const partial = await rejected(act(), 'ERR_PARTIAL')
      expect(partial).to.deep.include({ result, outcome })
      expect(partial['errors']).to.have.nested.property('b.code', 'ERR_NODE_DOWN')
    }

    // On the ring others own its keys by now, or in a moment.
    expect(await ringed.getMany(moving, { timeout: 20_000 })).to.deep.equal(moving.map(() => undefined))
    for (const key of moving) {
      expect(await ringed.put(key, 'elsewhere')).to.equal(true)
      expect(ringed.nodeOf(key)).to.not.equal('b')
    }

    await start('b')
    await until(async () => await cache.get(b).catch(() => 'down') === undefined, 'the node to be back')
    await cache.put(b, 'new')
    expect(await at('c').call('get', b)).to.equal('new')
    await until(() => moving.every((key) => ringed.nodeOf(key) === 'b'), 'its keys to be its own again')
    await until(async () => (await ringed.getMany(moving)).every((value) => value === undefined), 'what others had of them to be gone')
    await events.return()
  })
})

describe('a process with a node that listens', () => {
  it('stays alive until the node has stopped, or is unreferenced', async () => {
    for (const end of ['stop', 'unref'] as const) {
      const process = new NodeProcess('alone', SECRET, `127.0.0.1:${await freePort()}`, {})
      await process.signal()
      await process.do({ do: 'start', cache: 'own', options: { shards: 1, memory: '1mb' } })
      expect(process.child.exitCode).to.equal(null)
      await process.do({ do: end })
      expect((await process.ended)[0]).to.equal(0)
    }
  })
})
