/** The shard as an actor: where it runs, what it starts on, and what happens if it cannot. */
import { defineRawActor, type ActorContext, type Blueprint } from '../../runtime/actor.js'
import { loadFunctions } from '../../runtime/functions.js'
import type { HostContext } from '../../runtime/host/host.js'
import { formatTable, initializeTable, isTable, setTableState, TABLE_STATE } from '../../runtime/table/layout.js'
import { TableWriter } from '../../runtime/table/writer.js'
import '../action-list.js'
import { cacheOf } from '../cache-ids.js'
import { beginCounting } from '../counters.js'
import { hooksAddress } from '../watching/hooks-address.js'
import { entriesOfShard } from './limit-option.js'
import { LOCKS_BYTES } from '../transactions/locks.js'
import type { CacheConfig } from '../options.js'
import { Shard } from './shard.js'

/** After so many starts that failed on its table, a shard starts on an empty one. */
const MAX_FAILED_STARTS = 3

export interface ShardArguments {
  config: CacheConfig
  index: number
}

/** Room for requests that wait for transactions, at least; a mailbox's worth of two threads. */
const MIN_PARKING_BYTES = 4 << 20

/** The threads that shards of all caches of a node share. */
export const SHARD_POOL = 'shards'

/** The blueprint of one shard. `common`: the buffers that all shards of the cache share, with their sizes. */
export function shardBlueprint(config: CacheConfig, index: number, tableBufferBytes: number, common: Record<string, number>): Blueprint {
  return {
    module: import.meta.url, definition: 'shard', args: { config, index } satisfies ShardArguments,
    host: { kind: 'blocking', pool: SHARD_POOL, index }, mailbox: config.mailbox, preload: config.functions, crashCode: 'ERR_SHARD_CRASHED',
    buffers: { table: tableBufferBytes, locks: LOCKS_BYTES, parking: Math.max(MIN_PARKING_BYTES, 2 * config.mailbox.bytes) },
    common: { up: 2, buffers: common },
  }
}

defineRawActor<Shard>('shard', import.meta.url, {
  async init(context, args) {
    const { config, index } = args as ShardArguments
    const host = (context as ActorContext & HostContext).host
    const hooks = hooksAddress(cacheOf(cacheOf(context.id)))
    // There is no event loop to open the lane with when there is something to tell.
    await Promise.all([loadFunctions(config.functions), host.client.opened(hooks)])
    const table = context.buffers['table']!
    if (!isTable(table)) initializeTable(table, { bytes: config.tableBytes, seed: config.seed })
    if (context.failedStarts >= MAX_FAILED_STARTS) {
      process.emitWarning(`${context.id} failed to start on its table ${context.failedStarts} times and starts on an empty one`, { code: 'SCATTERHOARD_TABLE_LOST' })
      formatTable(table)
    }
    const { policy, reclaim, checkMs } = config.limit
    const writer = TableWriter.open(table, { policy, maxEntries: entriesOfShard(config.limit, config.shards, index), reclaim, checksInsertions: checkMs === null })
    setTableState(table, TABLE_STATE.running)
    const { counters } = context.buffers
    if (counters !== undefined) beginCounting(counters, Math.floor(context.now()))
    return new Shard(context as ActorContext & HostContext, config, index, writer, host.client.outlet(hooks))
  },
  receive: (shard, inlet) => shard.receive(inlet),
  idle: (shard) => shard.idle(),
  durableDeferrals: true,
  takeUp: (shard) => shard.takeUp(),
  clientGone: (shard, client) => shard.loads.clientGone(client),
  stop: (shard) => setTableState(shard.context.buffers['table']!, TABLE_STATE.stopped),
})
