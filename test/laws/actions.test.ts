import { startNode, type Cache, type CacheNode, type CacheOptions } from 'scatterhoard'
import { memory, memoryNetwork } from 'scatterhoard/bridge'
import { AttachedThread } from '../actors/attached-thread.js'
import { shardPaths } from '../actors/expectations.js'
import type { Call, Setting } from './law.js'
import { collect, FUNCTIONS, LAWS, methodsOf, OPTIONS } from './law-book.js'

type AnyCache = Cache<unknown>
type Way = (cache: AnyCache) => Promise<Call>

const methods: Way = async (cache) => methodsOf(cache)
const messages: Way = async (cache) => (name, ...args) => cache.ask([name, ...args] as never)

/** Kills the thread of the shards before every 15th call, or the next one that finds none under way: what a shard dies over is unknown. */
function withCrashes(node: () => CacheNode): Way {
  // Of all caches: their shards share the thread.
  let underWay = 0
  return async (cache) => {
    const [path] = await shardPaths(cache)
    const call = await methods(cache)
    let calls = 0
    let killed = Promise.resolve()
    return async (name, ...args) => {
      if (++calls >= 15 && underWay === 0) {
        calls = 0
        killed = killed.then(() => node().kill(path!))
      }
      underWay++
      try {
        await killed
        return await call(name, ...args)
      } finally {
        underWay--
      }
    }
  }
}

/** Actions that are about the node that they are called on. */
const OF_ONE_NODE = new Set(['inspect', 'prune', 'warm', 'getSync', 'existsSync'])

function isLocal(options: unknown): boolean {
  return typeof options === 'object' && options !== null && (options as { local?: unknown }).local === true
}

describe('the laws of the actions', () => {
  let node: CacheNode
  let thread: AttachedThread | undefined

  const attached: Way = async (cache) => {
    thread ??= new AttachedThread()
    await thread.attach(cache)
    return (name, ...args) => thread!.call(cache.name, name, ...args)
  }

  const ways: [string, Way, number, CacheOptions?][] = [
    ['methods, 1 shard', methods, 1], ['methods, 3 shards', methods, 3],
    ['messages, 1 shard', messages, 1], ['messages, 3 shards', messages, 3],
    ['an attached thread, 1 shard', attached, 1], ['an attached thread, 3 shards', attached, 3],
    ['methods, shards crashing', withCrashes(() => node), 2], ['methods, values compressed', methods, 2, { compressed: { over: 0 } }],
    ['methods, told to hooks', methods, 2, { hooks: [{ name: 'told', handle: 'sums.nothing' }, { name: 'before', handle: 'sums.nothing', when: 'before' }] }],
    ['methods, hooks waited for', methods, 2, { hooks: [{ name: 'after', handle: 'sums.nothing', async: false }, { name: 'before', handle: 'sums.nothing', when: 'before', async: false }] }],
  ]

  for (const [title, way, shards, options] of ways) {
    describe(title, () => {
      let setting: Setting
      const caches: AnyCache[] = []

      before(async () => {
        node = await startNode({ name: 'laws', shardThreads: 1, functions: FUNCTIONS })
        node.clock.hold()
        // The caches share a thread, which some ways kill, and the clock stands still: a delayed restart would never come.
        const supervision = { maxRestarts: 100_000, backoff: { then: 0 } }
        await node.startCache('counts', { shards: 1, memory: '1mb', supervision })
        const start = async (name: string, expiration: CacheOptions['expiration']): Promise<Call> => {
          const cache = await node.startCache(name, { shards, memory: `${16 * shards}mb`, ...OPTIONS, ...options, expiration: { interval: null, ...expiration }, supervision })
          caches.push(cache)
          return way(cache)
        }
        setting = {
          plain: await start('plain', {}),
          timed: await start('timed', { default: 60_000 }),
          eager: await start('eager', { lazy: false }),
          stream: async (name, options) => {
            if (way === attached) return await thread!.do({ do: 'collect', cache: name, options }) as unknown[]
            return collect(node.getCache(name), options)
          },
          advance: async (ms) => {
            node.clock.advance(ms)
            await node.clockMoved()
          },
          now: () => node.clock.now(),
          together: (name) => name,
          sent: way === attached ? (value) => structuredClone(value) : (value) => value,
        }
      })

      after(async () => {
        await thread?.end()
        thread = undefined
        await node.stop()
      })

      beforeEach(() => Promise.all(caches.map((cache) => cache.clear())))

      for (const { promise, hold } of LAWS) it(promise, () => hold(setting))
    })
  }

  describe('methods, all keys on another node', () => {
    let nodes: readonly [CacheNode, CacheNode]
    let setting: Setting
    const caches: AnyCache[] = []

    before(async () => {
      const network = memoryNetwork()
      const start = (name: string): Promise<CacheNode> => startNode({ name, shardThreads: 1, functions: FUNCTIONS, bridge: memory({ network }) })
      const [, there] = nodes = await Promise.all([start('here'), start('there')])
      for (const each of nodes) each.clock.hold()
      // The laws compare times to the millisecond.
      const latest = Math.ceil(Math.max(...nodes.map((each) => each.clock.now())))
      for (const each of nodes) each.clock.advance(latest - each.clock.now())
      for (const each of nodes) await each.startCache('counts', { shards: 1, memory: '1mb' })
      const options: CacheOptions = { nodes: ['here', 'there'], router: { name: 'ring', excludes: 'here' }, shards: 2, memory: '32mb', ...OPTIONS }
      const startBoth = async (name: string, expiration: CacheOptions['expiration']): Promise<Call> => {
        const [caller, owner] = await Promise.all(nodes.map((each) => each.startCache(name, { ...options, expiration: { interval: null, ...expiration } }))) as [AnyCache, AnyCache]
        caches.push(caller)
        const [call, callOwner] = [await methods(caller), await methods(owner)]
        // What is of one node is asked of the one that has the entries.
        return (action, ...args) => (OF_ONE_NODE.has(action) || isLocal(args.at(-1)) ? callOwner : call)(action, ...args)
      }
      setting = {
        plain: await startBoth('plain', {}),
        timed: await startBoth('timed', { default: 60_000 }),
        eager: await startBoth('eager', { lazy: false }),
        stream: (name, options) => collect(nodes[0].getCache(name), options),
        advance: async (ms) => {
          for (const each of nodes) each.clock.advance(ms)
          await Promise.all(nodes.map((each) => each.clockMoved()))
        },
        now: () => there.clock.now(),
        together: (name) => name,
        sent: (value) => value,
      }
    })
    after(async () => void await Promise.all(nodes.map((each) => each.stop())))
    beforeEach(() => Promise.all(caches.map((cache) => cache.clear())))

    for (const { promise, hold } of LAWS) it(promise, () => hold(setting))
  })
})
