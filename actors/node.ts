/** A node that runs caches: the runtime's node, with caches found again in what was spawned. */
import { MessagePort } from 'node:worker_threads'
import { isHostThread } from '../runtime/host/host-thread.js'
import { AttachedNode } from '../runtime/attached-node.js'
import { CacheError, invalidArgument } from '../runtime/errors.js'
import { Node } from '../runtime/node.js'
import { setTableState, tableState, TABLE_STATE, type TableState } from '../runtime/table/layout.js'
import type { ChildSpec } from '../runtime/supervisor-spec.js'
import type { StartedActor } from '../runtime/system-api.js'
import { createHandle, type Cache, type CacheDescriptor } from './cache.js'
import type { CacheDescription } from './caller.js'
import { cacheId } from './cache-ids.js'
import { readNodeOptions, type CacheOptions, type NodeConfig, type NodeOptions } from './options.js'
import { SHARD_POOL, type ShardArguments } from './shard.js'
import { cacheSupervisor } from './tree.js'

/** Handles of this thread by name, newest last; those of a node that the application started and of attached caches too. */
const running = new Map<string, Cache<unknown>>()

export class CacheNode extends Node {
  readonly config: NodeConfig
  readonly #caches = new Map<string, Cache<unknown>>()
  /** Starts of caches that are under way. */
  #starting = 0

  constructor(config: NodeConfig) {
    super(config.name, { [SHARD_POOL]: config.shardThreads })
    this.config = config
  }

  /**
   * Starts a cache on this node. Resolves when its shards run.
   *
   * @throws `ERR_INVALID_OPTION`; `ERR_NAME_TAKEN` if the node has a cache of that name; `ERR_MODULE_LOAD`
   */
  async startCache<V = unknown>(name: string, options?: CacheOptions): Promise<Cache<V>> {
    await this.spawnTree(cacheSupervisor(name, options, this.config))
    return this.getCache<V>(name)
  }

  /** A running cache of this node. Throws `ERR_NO_CACHE` if there is none of that name. */
  getCache<V = unknown>(name: string): Cache<V> {
    const cache = this.#find(name)
    if (cache === undefined) throw noCache(name)
    return cache as Cache<V>
  }

  override async spawnTree(spec: ChildSpec): Promise<StartedActor[]> {
    for (const name of cachesIn(spec)) if (this.#find(name) !== undefined) throw nameTaken(name, this.name)
    this.#starting++
    try {
      const started = await super.spawnTree(spec)
      for (const description of describeCaches(started)) this.#adopt(description)
      return started
    } finally {
      this.#starting--
    }
  }

  override async stopChild(id: string): Promise<void> {
    await super.stopChild(id)
    for (const [name, cache] of this.#caches) {
      const description = descriptions.get(cache)!
      if (description.id !== id && !description.id.startsWith(`${id}/`)) continue
      setStates(description, TABLE_STATE.stopped)
      this.#forget(name)
    }
  }

  override async stop(): Promise<void> {
    for (const cache of this.#caches.values()) setStates(descriptions.get(cache)!, TABLE_STATE.stopping)
    await super.stop()
    for (const [name, cache] of this.#caches) {
      // Also if its shards had to be killed.
      setStates(descriptions.get(cache)!, TABLE_STATE.stopped)
      this.#forget(name)
    }
  }

  /** Whether there is no cache and none is being started. */
  get isIdle(): boolean {
    return this.#starting === 0 && this.#caches.size === 0
  }

  /** The cache of that name, unless another thread has stopped it. */
  #find(name: string): Cache<unknown> | undefined {
    const cache = this.#caches.get(name)
    if (cache === undefined || !isStopped(cache)) return cache
    this.#forget(name)
    return undefined
  }

  #adopt(description: CacheDescription): void {
    const { name } = description.config
    const cache = createHandle<unknown>({
      client: this.client,
      attach: () => this.attach(),
      stopCache: ({ id }) => this.#stopCache(name, id),
    }, description)
    descriptions.set(cache, description)
    this.#caches.set(name, cache)
    running.set(name, cache)
  }

  async #stopCache(name: string, id: string): Promise<void> {
    await this.stopChild(id)
    this.#forget(name)
    if (this === defaultNode.current && this.isIdle) await stopDefaultNode()
  }

  #forget(name: string): void {
    const cache = this.#caches.get(name)
    this.#caches.delete(name)
    if (running.get(name) === cache) running.delete(name)
  }
}

const descriptions = new WeakMap<object, CacheDescription>()

function setStates({ shards }: CacheDescription, state: TableState): void {
  for (const { table } of shards) setTableState(table, state)
}

/** Whether it was stopped, here or on another thread. A cache of a supervisor of the application's may come back. */
function isStopped(cache: object): boolean {
  const { id, shards } = descriptions.get(cache)!
  return !id.includes('/') && shards.every(({ table }) => tableState(table) === TABLE_STATE.stopped)
}

function nameTaken(name: string, node: string): CacheError {
  return new CacheError('ERR_NAME_TAKEN', `node '${node}' has a cache '${name}'; stop it first, or choose another name`, { cache: name, node })
}

function noCache(name: string): CacheError {
  return new CacheError('ERR_NO_CACHE', `no cache '${name}' is running here; start it with startCache, or attach it`, { cache: name })
}

/** Names of the caches in a spec. */
function cachesIn(spec: ChildSpec): string[] {
  if (spec.kind === 'actor') return []
  return spec.id.startsWith(cacheId('')) ? [spec.id.slice(cacheId('').length)] : spec.children.flatMap(cachesIn)
}

/** The caches among actors that were started. */
function describeCaches(started: readonly StartedActor[]): CacheDescription[] {
  const caches = new Map<string, CacheDescription>()
  for (const { definition, args, buffers, ...address } of started) {
    if (definition !== 'shard') continue
    const { config, index } = args as ShardArguments
    const id = address.id.split('/').slice(0, -2).join('/')
    const { table, counters } = buffers
    const description = caches.get(id) ?? { id, config, shards: [], ...counters && { counters } }
    description.shards[index] = { address, table: table! }
    caches.set(id, description)
  }
  return [...caches.values()]
}

/** The node of this process that `startCache` uses. */
const defaultNode: { current: CacheNode | undefined; starting: Promise<CacheNode> | undefined } = { current: undefined, starting: undefined }

async function stopDefaultNode(): Promise<void> {
  const node = defaultNode.current
  defaultNode.current = undefined
  await node?.stop()
}

/**
 * Starts a node.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export async function startNode(options?: NodeOptions): Promise<CacheNode> {
  const node = new CacheNode(readNodeOptions(options))
  await node.startUp()
  return node
}

/**
 * Starts a cache on the process's default node, which is started when it is first needed and stops with its last cache.
 *
 * @throws as `CacheNode.startCache`
 */
export async function startCache<V = unknown>(name: string, options?: CacheOptions): Promise<Cache<V>> {
  // Before a node is started for it.
  cacheSupervisor(name, options, readNodeOptions(undefined))
  defaultNode.starting ??= startNode().then((node) => (defaultNode.current = node)).finally(() => (defaultNode.starting = undefined))
  const node = defaultNode.current ?? await defaultNode.starting
  try {
    return await node.startCache<V>(name, options)
  } catch (error) {
    if (node === defaultNode.current && node.isIdle) await stopDefaultNode()
    throw error
  }
}

/** A cache that runs in this process, on any node, or that this thread has attached. Throws `ERR_NO_CACHE` if there is none of that name. */
export function getCache<V = unknown>(name: string): Cache<V> {
  const cache = running.get(name)
  if (cache === undefined || isStopped(cache)) throw noCache(name)
  return cache as Cache<V>
}

/** Makes a handle on this thread of what `cache.attachment()` returned on another one. */
export function attachCache<V = unknown>(descriptor: CacheDescriptor): Promise<Cache<V>> {
  if (!isDescriptor(descriptor)) {
    return Promise.reject(invalidArgument('attachCache needs the descriptor that cache.attachment() returned, moved to this thread with its transfer list'))
  }
  if (isHostThread()) return Promise.reject(new CacheError('ERR_INVALID_OPTION', 'a cache cannot be attached on a thread of the library'))
  const node = new AttachedNode(descriptor.node)
  const { cache: description } = descriptor
  const { name } = description.config
  const cache = createHandle<V>({
    client: node.client,
    stopCache: ({ id }) => node.client.control((api) => api.stop(id)),
    attach: () => {
      throw new CacheError('ERR_INVALID_OPTION', 'an attachment is made on the thread that started the cache')
    },
  }, description)
  descriptions.set(cache, description)
  running.set(name, cache)
  return Promise.resolve(cache)
}

function isDescriptor(value: unknown): value is CacheDescriptor {
  const { node, cache } = (value ?? {}) as { node?: Partial<CacheDescriptor['node']>; cache?: Partial<CacheDescription> }
  return node?.control instanceof MessagePort && node.lifeline instanceof MessagePort && node.clock instanceof SharedArrayBuffer
    && node.bell instanceof SharedArrayBuffer && typeof cache?.config === 'object' && Array.isArray(cache.shards)
}
