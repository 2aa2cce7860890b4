/** A cache that is killed under load: how it is started, and what has to be in order when it was. */
import type { Cache, CacheNode } from 'scatterhoard'
import { setTimeout as sleep } from 'node:timers/promises'
import { arithmetic } from './arithmetic.js'
import type { Violations } from './script.js'
import { tableOf, verifyCopy } from './table-copy.js'

export const SHARDS = 2

/** A cache whose shards come back at once, however often; small rings, so that some values travel outside them. */
export async function startCacheUnderFire(node: CacheNode): Promise<Cache<unknown>> {
  return node.startCache('under-fire', {
    shards: SHARDS, memory: '32mb', limit: { policy: 'none' }, functions: [arithmetic], mailbox: { bytes: '64kb' },
    supervision: { maxRestarts: 1e6, backoff: { then: 1, max: 1 } },
  })
}

export interface Shard {
  id: string
  /** A key that it owns. */
  probe: string
}

/** The shards, each with a key of its own; leaves these keys in the cache. */
export async function findShards(cache: Cache<unknown>): Promise<Shard[]> {
  const probes = new Map<number, string>()
  for (let n = 0; probes.size < SHARDS; n++) {
    await cache.del(`probe:${n}`)
    const before = await cache.inspect('shards')
    await cache.put(`probe:${n}`, 0)
    const after = await cache.inspect('shards')
    const { shard } = after.find(({ entries }, index) => entries > before[index]!.entries)!
    probes.set(shard, `probe:${n}`)
  }
  return [...probes].map(([shard, probe]) => ({ id: `cache:under-fire/shards/shard-${shard}`, probe }))
}

/** Verifies the shard's table. False if it was being written. */
export function looksWhole(node: CacheNode, shard: string, violations: Violations): boolean {
  try {
    return verifyCopy(tableOf(node, shard))
  } catch (error) {
    violations.add(`the table of ${shard}: ${String(error)}`)
    return true
  }
}

/** The attached thread has ended: nothing of it may be left, nor of all the threads that died. */
export async function checkLeftovers(node: CacheNode, cache: Cache<unknown>, violations: Violations): Promise<void> {
  // Of a large message, the last thing that a shard does may not have been heard of: the next one brings it up to date.
  for (const { probe } of await findShards(cache)) await cache.put(probe, 'x'.repeat(100_000))
  let left = await leftOvers(node)
  for (let tries = 0; tries < 200 && left.length > 0; tries++) {
    await sleep(10)
    left = await leftOvers(node)
  }
  violations.check(left.length === 0, () => `left in the vault: ${left.join(', ')}`)
  const { clients } = await node.counters()
  // The main thread, the system thread and its actors, and one for each thread of the shards and of the function pool.
  const most = 2 + node.config.shardThreads + node.config.pool.threads
  violations.check(clients <= most, () => `${clients} clients are known, of ${most} that there are`)
}

/** Lanes of clients that are gone, and bodies of large messages. */
async function leftOvers(node: CacheNode): Promise<string[]> {
  const alive = new Set(await node.client.control<number[]>((api) => api.clients()))
  return [...node.vault.snapshot().keys()].filter((name) => name.startsWith('large/') || (name.startsWith('lane/') && !alive.has(Number(name.split('/')[1]))))
}
