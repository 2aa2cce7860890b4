/** A node that runs caches: the runtime's node, with caches found again in what was spawned. */
import { MessagePort } from 'node:worker_threads'
import { isHostThread } from '../runtime/host/host-thread.js'
import { AttachedNode } from '../runtime/attached-node.js'
import { CacheError, invalidArgument } from '../runtime/errors.js'
import { Node } from '../runtime/node.js'
import { setTableState, TABLE_STATE, type TableState } from '../runtime/table/layout.js'
import type { ChildSpec } from '../runtime/supervision/supervisor-spec.js'
import type { StartedActor } from '../runtime/system-api.js'
import type { Blueprint } from '../runtime/actor.js'
import { callerOf, createHandle, type Cache, type CacheDescriptor } from './cache.js'
import type { CacheDescription } from './cache-description.js'
import { cacheId, WARMERS_ID } from './cache-ids.js'
import { bridgeSpec } from './cluster/bridge-address.js'
import { checkNodes, NodeEvents, peersOf, type NodePeer } from './cluster/bridge-client.js'
import { refuseForeign } from './cluster/cluster-options.js'
import { functionPool, PoolThreads } from './functions/function-pool.js'
import { connectFunctions } from './functions/registered-functions.js'
import { readNodeOptions, type CacheConfig, type CacheOptions, type NodeConfig, type NodeOptions } from './options.js'
import { adoptCache, describeCaches, descriptionOf, forgetCache, isStopped, noCache } from './running-caches.js'
import { SHARD_POOL, type ShardArguments } from './shards/shard-actor.js'
import { cacheSupervisor } from './tree.js'

export class CacheNode extends Node {
  readonly config: NodeConfig
  readonly #caches = new Map<string, Cache<unknown>>()
  /** Starts of caches that are under way. */
  #starting = 0
  /** Keeps the process alive while the node listens. */
  #keepAlive: NodeJS.Timeout | undefined
  /** Subscriptions to nodes coming and going. */
  readonly #listening = new Set<NodeEvents>()
  /** What the bridge shows all threads. */
  #view: SharedArrayBuffer | undefined

  constructor(config: NodeConfig) {
    super(config.name, { [SHARD_POOL]: config.shardThreads }, [functionPool(config.pool)])
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
    for (const { cluster } of configsIn(spec)) if (cluster !== null) refuseForeign(cluster.nodes, this.name, this.config.bridge !== undefined)
    this.#starting++
    try {
      // Required warmers run while the cache starts, and the root starts one child at a time.
      if (hasWarmers(spec)) await PoolThreads.of(this.client)
      const started = await super.spawnTree(spec)
      const descriptions = describeCaches(started)
      await this.#join(spec.id, descriptions)
      // It will be wanted, and nobody has to wait for it now.
      if (descriptions.some(({ config }) => config.functions.length > 0)) PoolThreads.of(this.client).catch(() => undefined)
      return started
    } finally {
      this.#starting--
    }
  }

  override async stopChild(id: string): Promise<void> {
    await super.stopChild(id)
    for (const [name, cache] of this.#caches) {
      const description = descriptionOf(cache)
      if (description.id !== id && !description.id.startsWith(`${id}/`)) continue
      setStates(description, TABLE_STATE.stopped)
      this.#forget(name)
    }
  }

  override async stop(): Promise<void> {
    for (const cache of this.#caches.values()) setStates(descriptionOf(cache), TABLE_STATE.stopping)
    await super.stop()
    this.unref()
    for (const events of this.#listening) events.end()
    for (const [name, cache] of this.#caches) {
      // Also if its shards had to be killed.
      setStates(descriptionOf(cache), TABLE_STATE.stopped)
      this.#forget(name)
    }
  }

  /**
   * Other nodes as they come and go from now on: `{ type: 'up' | 'down', node, incarnation, reason }`. Ends when the node stops. Of a node without a
   * bridge there is nothing to tell.
   */
  events(): NodeEvents {
    const events = new NodeEvents(this.client, (ended) => this.#listening.delete(ended))
    this.#listening.add(events)
    if (this.config.bridge === undefined || this.stopped) events.end()
    return events
  }

  /** What is known of each other node. */
  async peers(): Promise<NodePeer[]> {
    return this.config.bridge === undefined ? [] : peersOf(this.client)
  }

  /** From now on the process may exit although this node listens for others. */
  unref(): this {
    clearInterval(this.#keepAlive)
    return this
  }

  /** Starts the bridge, if the node is to have one. */
  async startBridge(): Promise<void> {
    const { bridge, connectTimeoutMs, failureTimeoutMs } = this.config
    if (bridge === undefined) return
    const [actor] = await super.spawnTree(bridgeSpec(bridge, { settings: bridge.settings(), connectTimeoutMs, failureTimeoutMs }))
    this.#view = actor!.buffers['view']
    if (bridge.listens) this.#keepAlive = setInterval(() => undefined, LONG_MS)
  }

  /**
   * Takes up caches that were started, and waits until enough of their nodes are there. If they do not come, or differ, nothing is left of
   * what was started.
   */
  async #join(id: string, descriptions: readonly CacheDescription[]): Promise<void> {
    try {
      for (const description of descriptions) await this.#adopt(description)
      for (const { config } of descriptions) if (config.cluster !== null) await checkNodes(this.client, config.name, this.config.connectTimeoutMs)
    } catch (error) {
      await this.stopChild(id)
      throw error
    }
  }

  /** Whether there is no cache and none is being started. */
  get isIdle(): boolean {
    return this.#starting === 0 && this.#caches.size === 0
  }

  /** The cache of that name, unless another thread has stopped it. */
  #find(name: string): Cache<unknown> | undefined {
    const cache = this.#caches.get(name)
    if (cache === undefined || !isStopped(descriptionOf(cache))) return cache
    this.#forget(name)
    return undefined
  }

  async #adopt(description: CacheDescription): Promise<void> {
    const { name } = description.config
    if (this.#view !== undefined) description.view = this.#view
    const cache = createHandle<unknown>({
      client: this.client,
      attach: () => this.attach(),
      stopCache: ({ id }) => this.#stopCache(name, id),
    }, description)
    await callerOf(cache).cluster?.ready
    this.#caches.set(name, cache)
    adoptCache(this.client, cache, description)
  }

  async #stopCache(name: string, id: string): Promise<void> {
    await this.stopChild(id)
    this.#forget(name)
    if (this === defaultNode.current && this.isIdle) await stopDefaultNode()
  }

  #forget(name: string): void {
    const cache = this.#caches.get(name)
    this.#caches.delete(name)
    if (cache !== undefined) forgetCache(cache)
  }
}

function setStates({ shards }: CacheDescription, state: TableState): void {
  for (const { table } of shards) setTableState(table, state)
}

function nameTaken(name: string, node: string): CacheError {
  return new CacheError('ERR_NAME_TAKEN', `node '${node}' has a cache '${name}'; stop it first, or choose another name`, { cache: name, node })
}

/** Whether a cache in a spec has warmers. */
function hasWarmers(spec: ChildSpec): boolean {
  return spec.kind === 'actor' ? spec.id === WARMERS_ID : spec.children.some(hasWarmers)
}

/** The configurations of the caches in a spec. */
function configsIn(spec: ChildSpec): CacheConfig[] {
  if (spec.kind === 'supervisor') return spec.children.flatMap(configsIn)
  const { definition, args } = spec.actor as Partial<Blueprint>
  return definition === 'shard' ? [(args as ShardArguments).config] : []
}

/** Names of the caches in a spec. */
function cachesIn(spec: ChildSpec): string[] {
  if (spec.kind === 'actor') return []
  return spec.id.startsWith(cacheId('')) ? [spec.id.slice(cacheId('').length)] : spec.children.flatMap(cachesIn)
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
  try {
    connectFunctions(node.client)
    await node.startBridge()
  } catch (error) {
    await node.stop()
    throw error
  }
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

/** As far as timers reach. */
const LONG_MS = 0x7fff_ffff

/** Makes a handle on this thread of what `cache.attachment()` returned on another one. */
export async function attachCache<V = unknown>(descriptor: CacheDescriptor): Promise<Cache<V>> {
  if (!isDescriptor(descriptor)) throw invalidArgument('attachCache needs the descriptor that cache.attachment() returned, moved to this thread with its transfer list')
  if (isHostThread()) throw new CacheError('ERR_INVALID_OPTION', 'a cache cannot be attached on a thread of the library')
  const node = new AttachedNode(descriptor.node)
  const { cache: description } = descriptor
  try {
    connectFunctions(node.client)
  } catch (error) {
    node.close()
    throw error
  }
  const cache = createHandle<V>({
    client: node.client,
    stopCache: ({ id }) => node.client.control((api) => api.stop(id)),
    attach: () => {
      throw new CacheError('ERR_INVALID_OPTION', 'an attachment is made on the thread that started the cache')
    },
  }, description)
  await callerOf(cache).cluster?.ready
  adoptCache(node.client, cache, description)
  return cache
}

function isDescriptor(value: unknown): value is CacheDescriptor {
  const { node, cache } = (value ?? {}) as { node?: Partial<CacheDescriptor['node']>; cache?: Partial<CacheDescription> }
  return node?.control instanceof MessagePort && node.lifeline instanceof MessagePort && node.clock instanceof SharedArrayBuffer
    && node.bell instanceof SharedArrayBuffer && typeof cache?.config === 'object' && Array.isArray(cache.shards)
}
