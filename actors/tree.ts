/** The supervision tree of a cache, as data: the composition root. */
import type { ActorSpec, SupervisorSpec } from '../runtime/supervision/supervisor-spec.js'
import { cacheId, HOOKS_ID, JANITOR_ID, LIMIT_ID, LOCKSMITH_ID, shardId, SHARDS_ID, WARMERS_ID } from './cache-ids.js'
import { tableBufferBytes } from '../runtime/table/layout.js'
import { janitorBlueprint } from './shards/janitor.js'
import { limitBlueprint } from './shards/limit.js'
import { COUNTERS_BYTES } from './counters.js'
import { hooksBlueprint } from './watching/hooks.js'
import { readCacheOptions, type CacheConfig, type CacheOptions, type NodeConfig } from './options.js'
import { LOAD_WAITS_BYTES } from './loading/load-waits.js'
import { locksmithBlueprint } from './transactions/locksmith.js'
import { shardBlueprint } from './shards/shard-actor.js'
import { TRANSACTION_BUFFERS } from './transactions/slots.js'
import { sweepRecordBytes } from './shards/sweep-record.js'
import { warmersBlueprint } from './warmers/warmers.js'
import { WATCH_BYTES } from './watching/watch-words.js'

/** How long a shard has to finish what is queued when it stops. */
const DRAIN_MS = 5000

/**
 * The supervisor of a cache, to be spawned on a node or under a supervisor of the application's own:
 *
 *     cache 'users'     rest_for_one
 *     ├─ hooks          has functions called for what is done, and feeds subscribers
 *     ├─ shards         one_for_one: shard 0 … shard n−1, spread over the node's shard threads
 *     ├─ locksmith      ends transactions whose owners are gone
 *     ├─ janitor        tells the shards to remove what has expired
 *     ├─ limit          tells them to evict what is beyond the limit; only if that is checked from time to time
 *     └─ warmers        has functions fill the cache; only if there are any
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function cacheSupervisor(name: string, options?: CacheOptions, node?: NodeConfig): SupervisorSpec {
  const { config, supervision } = readCacheOptions(name, options, node)
  const bytes = tableBufferBytes(config.tableBytes)
  const common = commonBuffers(config)
  const shards = Array.from({ length: config.shards }, (_, index): ActorSpec => ({
    kind: 'actor', id: shardId(index), restart: 'permanent', shutdownMs: DRAIN_MS,
    actor: shardBlueprint(config, index, bytes, common),
  }))
  const shardSupervisor: SupervisorSpec = {
    kind: 'supervisor', id: SHARDS_ID, strategy: 'one_for_one', ...supervision, children: shards, restart: 'permanent', shutdownMs: Infinity,
  }
  // First, so that whoever tells it something comes after it.
  const hooks: ActorSpec = { kind: 'actor', id: HOOKS_ID, restart: 'permanent', shutdownMs: Infinity, actor: hooksBlueprint(config, common) }
  const locksmith: ActorSpec = { kind: 'actor', id: LOCKSMITH_ID, restart: 'permanent', shutdownMs: 1000, actor: locksmithBlueprint(config) }
  const janitor: ActorSpec = { kind: 'actor', id: JANITOR_ID, restart: 'permanent', shutdownMs: 1000, actor: janitorBlueprint(config, common) }
  const limit: ActorSpec = { kind: 'actor', id: LIMIT_ID, restart: 'permanent', shutdownMs: 1000, actor: limitBlueprint(config) }
  const warmers: ActorSpec = { kind: 'actor', id: WARMERS_ID, restart: 'permanent', shutdownMs: 1000, actor: warmersBlueprint(config) }
  return {
    kind: 'supervisor', id: cacheId(name), strategy: 'rest_for_one', ...supervision, restart: 'permanent', shutdownMs: Infinity,
    children: [
      hooks, shardSupervisor, locksmith, ...config.intervalMs === null ? [] : [janitor], ...config.limit.checkMs === null ? [] : [limit],
      ...config.warmers.length === 0 ? [] : [warmers],
    ],
  }
}

/** Shared buffers that belong to the cache as a whole, with their sizes in bytes. */
function commonBuffers(config: CacheConfig): Record<string, number> {
  return {
    ...TRANSACTION_BUFFERS,
    loadWaits: LOAD_WAITS_BYTES,
    watch: WATCH_BYTES,
    ...config.stats && { counters: COUNTERS_BYTES },
    ...config.intervalMs !== null && { sweeps: sweepRecordBytes(config.shards) },
  }
}
