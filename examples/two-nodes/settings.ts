/** What both nodes have to agree on, and the functions that either may call on the other. */
import { join } from 'node:path'
import { defineFunctions, startNode, type Cache, type CacheNode, type CacheOptions } from 'scatterhoard'
import { tcp } from 'scatterhoard/bridge'

export interface Visitor {
  name: string
  visits: number
}

export const visitors = defineFunctions('visitors', import.meta.url, {
  load: (name: string): Visitor => ({ name, visits: 0 }),
  visit: (visitor: Visitor | undefined, name: string): Visitor => ({ name, visits: (visitor?.visits ?? 0) + 1 }),
})

export const OPTIONS: CacheOptions = { nodes: ['a', 'b'], memory: '16mb', functions: [visitors] }

/** Starts a node, and the cache on it. Resolves when both nodes are there. */
export async function startOn(name: 'a' | 'b', folder: string): Promise<{ node: CacheNode; cache: Cache<Visitor> }> {
  const peers = { a: join(folder, 'a.sock'), b: join(folder, 'b.sock') }
  // Sockets of this machine. Elsewhere these are addresses such as '10.0.0.1:7100', and a secret is needed.
  const node = await startNode({ name, shardThreads: 1, failureTimeout: '1s', connectTimeout: '20s', bridge: tcp({ listen: peers[name], peers, allow: ['visitors.*'] }) })
  return { node, cache: await node.startCache<Visitor>('visitors', OPTIONS) }
}
