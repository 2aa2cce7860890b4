/**
 * The caches of a node, as functions need them on a thread that has not started or attached them: a handle of each. Taken up from
 * the system thread, and again when something was started or stopped.
 */
import type { Client } from '../runtime/client.js'
import { CacheError } from '../runtime/errors.js'
import type { StartedActors } from '../runtime/system-api.js'
import { isTable } from '../runtime/table/layout.js'
import type { CacheDescription } from './cache-description.js'
import { callerOf, createHandle, type Cache, type CacheHome } from './cache.js'
import { adoptCache, describeCaches, forgetCache, isStopped } from './running-caches.js'

export class CacheDirectory {
  readonly #client: Client
  readonly #home: CacheHome
  /** Whether `getCache` finds them. */
  readonly #adopts: boolean
  readonly #handles = new Map<string, { readonly cache: Cache<unknown>; readonly description: CacheDescription }>()
  #changes: Int32Array<SharedArrayBuffer> | undefined
  #seen = 0

  constructor(client: Client, adopts: boolean) {
    this.#client = client
    this.#adopts = adopts
    this.#home = {
      client,
      stopCache: ({ id }) => client.control((api) => api.stop(id)),
      attach: () => {
        throw new CacheError('ERR_INVALID_OPTION', 'an attachment is made on the thread that started the cache')
      },
    }
  }

  /** Whether something was started or stopped since it was read. */
  get isStale(): boolean {
    return this.#changes === undefined || Atomics.load(this.#changes, 0) !== this.#seen
  }

  async refresh(): Promise<void> {
    const { actors, changes, seen } = await this.#client.control<StartedActors>((api) => api.started('shard'))
    const isFirst = this.#changes === undefined
    this.#changes = new Int32Array(changes)
    this.#seen = seen
    const known = new Set<string>()
    const descriptions = describeCaches(actors)
    const view = descriptions.some(({ config }) => config.cluster !== null) ? await viewOf(this.#client) : undefined
    for (const description of descriptions) {
      if (view !== undefined) description.view = view
      known.add(description.id)
      const old = this.#handles.get(description.id)
      if (old !== undefined && !isStopped(old.description)) continue
      // Its shards are starting: it will be found when they have.
      if (!description.shards.every(({ table }) => isTable(table))) continue
      const cache = createHandle<unknown>(this.#home, description)
      await callerOf(cache).cluster?.ready
      this.#handles.set(description.id, { cache, description })
      if (this.#adopts) adoptCache(this.#client, cache, description)
    }
    for (const [id, { cache }] of this.#handles) {
      if (known.has(id)) continue
      this.#handles.delete(id)
      forgetCache(cache)
    }
    if (isFirst && this.#adopts) void this.#follow()
  }

  /** Whether there is a handle of the cache at that place in the tree that has not stopped. */
  has(cacheId: string): boolean {
    const known = this.#handles.get(cacheId)
    return known !== undefined && !isStopped(known.description)
  }

  /** All of them that have not stopped. */
  handles(): Cache<unknown>[] {
    return [...this.#handles.values()].filter(({ description }) => !isStopped(description)).map(({ cache }) => cache)
  }

  /** The handle of the cache of that name, if there is one that has not stopped. */
  named(name: string): Cache<unknown> | undefined {
    for (const { cache, description } of this.#handles.values()) if (cache.name === name && !isStopped(description)) return cache
    return undefined
  }

  /** The handle of the cache at that place in the tree. Throws `ERR_NO_CACHE`. */
  handle(cacheId: string): Cache<unknown> {
    const known = this.#handles.get(cacheId)
    if (known !== undefined) return known.cache
    throw new CacheError('ERR_NO_CACHE', `the cache '${cacheId}' does not run any more`, { cache: cacheId })
  }

  /** So that a function that is at work while a cache starts finds it too. Does not keep the thread alive. */
  async #follow(): Promise<void> {
    for (;;) {
      const change = Atomics.waitAsync(this.#changes!, 0, this.#seen)
      if (change.async) await change.value
      try {
        await this.refresh()
      } catch {
        // The thread ends with the system thread.
        return
      }
    }
  }
}

/** What the node's bridge shows its threads. */
async function viewOf(client: Client): Promise<SharedArrayBuffer | undefined> {
  const { actors: [bridge] } = await client.control<StartedActors>((api) => api.started('bridge'))
  return bridge?.buffers['view']
}
