/** Nodes of one process that are connected over a memory network, for tests of caches on several of them. */
import { startNode, type Cache, type CacheNode, type CacheOptions, type NodeOptions } from 'scatterhoard'
import { memory, memoryNetwork, type MemoryNetwork, type MemoryOptions } from 'scatterhoard/bridge'

export interface Together {
  readonly network: MemoryNetwork
  readonly names: readonly string[]
  readonly nodes: readonly CacheNode[]
  /** Starts a cache on all of them. The handles are in the order of the nodes. */
  start(name: string, options?: CacheOptions): Promise<Cache<unknown>[]>
  stop(): Promise<void>
}

export async function startTogether(names: readonly string[], options: NodeOptions = {}, bridge: MemoryOptions = {}): Promise<Together> {
  const network = memoryNetwork()
  const nodes = await Promise.all(names.map((name) => startNode({ name, shardThreads: 1, pool: { threads: 1 }, failureTimeout: 1000, ...options, bridge: memory({ network, ...bridge }) })))
  return {
    network, names, nodes,
    start: (name, cacheOptions) => Promise.all(nodes.map((node) => node.startCache(name, { nodes: names, shards: 1, memory: '4mb', ...cacheOptions }))),
    stop: async () => void await Promise.all(nodes.map((node) => node.stop())),
  }
}

/** The first keys `k0`, `k1`, … that belong to a node. */
export function keysOf(cache: Cache<unknown>, node: string, count = 1): string[] {
  const keys: string[] = []
  for (let number = 0; keys.length < count; number++) if (cache.nodeOf(`k${number}`) === node) keys.push(`k${number}`)
  return keys
}
