import { expect } from 'chai'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startNode, type Cache, type CacheNode } from 'scatterhoard'
import { memory, memoryNetwork, nats, tcp } from 'scatterhoard/bridge'
import { freePort } from '../../bridge/free-port.js'
import { NatsServer } from '../../bridge/nats-server.js'
import { keysOf } from './nodes.js'

type Bridge = ReturnType<typeof memory>

interface Way {
  readonly title: string
  /** The bridge of each node, by name. */
  readonly bridges: (names: readonly string[]) => Promise<Record<string, Bridge>>
  readonly end?: () => Promise<void>
}

const SECRET = 'a secret of these tests'

function ofEach(names: readonly string[], make: (name: string) => Bridge): Record<string, Bridge> {
  return Object.fromEntries(names.map((name) => [name, make(name)]))
}

let folder: string
let server: NatsServer

const WAYS: readonly Way[] = [
  { title: 'tcp', bridges: async (names) => {
    const peers: Record<string, number> = {}
    for (const name of names) peers[name] = await freePort()
    return ofEach(names, (name) => tcp({ listen: peers[name]!, peers, secret: SECRET }))
  } },
  {
    title: 'Unix sockets',
    bridges: async (names) => {
      folder = await mkdtemp(join(tmpdir(), 'bridges-'))
      const peers = Object.fromEntries(names.map((name) => [name, join(folder, name)]))
      return ofEach(names, (name) => tcp({ listen: peers[name]!, peers }))
    },
    end: () => rm(folder, { recursive: true }),
  },
  {
    title: 'nats',
    bridges: async (names) => {
      server = await NatsServer.start()
      return ofEach(names, () => nats({ servers: server.url, secret: SECRET }))
    },
    end: () => server.kill(),
  },
  { title: 'memory, delayed and doubled', bridges: (names) => {
    const network = memoryNetwork({ delay: [0, 3], duplicate: 0.05 })
    return Promise.resolve(ofEach(names, () => memory({ network })))
  } },
]

for (const { title, bridges, end } of WAYS) {
  describe(`a cache on three nodes over ${title}`, function () {
    this.timeout(60_000)
    const names = ['a', 'b', 'c']
    let nodes: CacheNode[]
    let caches: Cache<unknown>[]

    before(async () => {
      const each = await bridges(names)
      nodes = await Promise.all(names.map((name) => startNode({ name, shardThreads: 1, connectTimeout: 20_000, bridge: each[name]! })))
      caches = await Promise.all(nodes.map((node) => node.startCache('over', { nodes: names, shards: 1, memory: '32mb' })))
    })
    after(async () => {
      await Promise.all(nodes.map((node) => node.stop()))
      await end?.()
    })

    it('has what is put on one on all, small and large, in the order of the calls', async () => {
      for (const owner of names) {
        const [key] = keysOf(caches[0]!, owner) as [string]
        for (const [index, cache] of caches.entries()) {
          const large = { by: index, text: 'x'.repeat(1_500_000) }
          const calls = [cache.put(key, large), cache.get(key), cache.put(key, index), cache.incr(key, 10)]
          expect((await Promise.all(calls))).to.deep.equal([true, large, true, index + 10])
          expect(await caches[(index + 1) % names.length]!.get(key)).to.equal(index + 10)
        }
      }
    })

    it('carries thousands of calls at a time, and walks over all of it', async () => {
      await Promise.all(Array.from({ length: 3000 }, (_, number) => caches[number % 3]!.put(number, `value ${number}`)))
      const values = await Promise.all(Array.from({ length: 3000 }, (_, number) => caches[(number + 1) % 3]!.get(number)))
      expect(values).to.deep.equal(Array.from({ length: 3000 }, (_, number) => `value ${number}`))
      const keys = new Set<unknown>()
      for await (const key of caches[2]!.stream({ where: { value: { $prefix: 'value' } }, select: 'key' })) keys.add(key)
      expect(keys.size).to.equal(3000)
      expect(await caches[1]!.clear()).to.be.at.least(3000)
    })
  })
}
