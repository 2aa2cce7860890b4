/** The caches that this thread has handles of, by name, and what each of them is. */
import type { Client } from '../runtime/client.js'
import { CacheError } from '../runtime/errors.js'
import type { StartedActor } from '../runtime/system-api.js'
import { tableState, TABLE_STATE } from '../runtime/table/layout.js'
import type { Cache } from './cache.js'
import type { CacheDescription } from './cache-description.js'
import type { ShardArguments } from './shards/shard-actor.js'

/** Handles of this thread by name, newest last; those of a node that the application started and of attached caches too. */
const running = new Map<string, Cache<unknown>>()

const descriptions = new WeakMap<object, CacheDescription>()

const byClient = new WeakMap<Client, Map<string, Cache<unknown>>>()

/** Makes a handle of a client's known to `getCache` on this thread. */
export function adoptCache(client: Client, cache: Cache<unknown>, description: CacheDescription): void {
  descriptions.set(cache, description)
  running.set(cache.name, cache)
  const own = byClient.get(client) ?? new Map<string, Cache<unknown>>()
  byClient.set(client, own.set(description.id, cache))
}

/** The handle that was adopted for a client of the cache at that place in the tree. */
export function adoptedCache(client: Client, cacheId: string): Cache<unknown> | undefined {
  return byClient.get(client)?.get(cacheId)
}

/** `getCache` does not find it any more, unless another one has taken its name. */
export function forgetCache(cache: Cache<unknown>): void {
  if (running.get(cache.name) === cache) running.delete(cache.name)
}

/** What a handle that was adopted is a handle of. */
export function descriptionOf(cache: Cache<unknown>): CacheDescription {
  return descriptions.get(cache)!
}

/** Whether it was stopped, here or on another thread. A cache of a supervisor of the application's may come back. */
export function isStopped({ id, shards }: CacheDescription): boolean {
  return !id.includes('/') && shards.every(({ table }) => tableState(table) === TABLE_STATE.stopped)
}

export function noCache(name: string): CacheError {
  return new CacheError('ERR_NO_CACHE', `no cache '${name}' is running here; start it with startCache, or attach it`, { cache: name })
}

/** A cache that runs in this process, on any node, or that this thread has attached. Throws `ERR_NO_CACHE` if there is none of that name. */
export function getCache<V = unknown>(name: string): Cache<V> {
  const cache = running.get(name)
  if (cache === undefined || isStopped(descriptionOf(cache))) throw noCache(name)
  return cache as Cache<V>
}

/** The caches among actors that were started; not those of which shards are still to come. */
export function describeCaches(started: readonly StartedActor[]): CacheDescription[] {
  const caches = new Map<string, CacheDescription>()
  for (const { definition, args, buffers, ...address } of started) {
    if (definition !== 'shard') continue
    const { config, index } = args as ShardArguments
    const id = address.id.split('/').slice(0, -2).join('/')
    const { table, counters, sweeps, slots, owners, loadWaits, watch } = buffers
    const description = caches.get(id) ?? {
      id, config, shards: [], transactions: { slots: slots!, owners: owners! }, loadWaits: loadWaits!, watch: watch!, ...counters && { counters }, ...sweeps && { sweeps },
    }
    description.shards[index] = { address, table: table! }
    caches.set(id, description)
  }
  return [...caches.values()].filter(({ config, shards }) => Object.keys(shards).length === config.shards)
}
