/** Over all shards of all nodes, a method only: walks in batches through shared memory, or through the shards where a module's function chooses. */
import { functionName, type FunctionReference } from '../../runtime/functions.js'
import { invalidArgument } from '../../runtime/errors.js'
import type { ScanBatch } from '../../runtime/table/scan-batch.js'
import { checkCallOptions, type CallOptions } from '../action.js'
import type { Caller } from '../calls/caller.js'
import { COUNTER } from '../counters.js'
import { clusterBatches, orderedClusterBatches } from '../cluster/cluster-walk.js'
import { readSelect, Row, type Entry, type Select, type Selected, type Selection } from '../walks/entry.js'
import { filteredBatches, orderedFilteredBatches } from '../walks/filtered-walk.js'
import { isRegistered } from '../functions/locked-update.js'
import { registeredBatches } from '../walks/registered-walk.js'
import { Patience } from '../calls/patience.js'
import type { Query } from '../query/entry-query.js'
import { compileQuery, type CompiledQuery } from '../query/query.js'
import { isPlainObject } from '../query/same-value.js'
import { BATCH_ENTRIES, orderedBatches, tableBatches, type WalkOptions } from '../walks/walk.js'
import type { Synchronous } from './get-and-update.js'
import { sync } from './sync.js'

export interface StreamOptions<V, S, R> extends CallOptions {
  /**
   * Which entries. A query, as data, is tested on the calling thread. A function of a module is called with each entry inside its shard, a few
   * entries at a time, and has to be synchronous; its result counts as true or false. To a function that a thread has registered the entries come,
   * a batch at a time, and it may be asynchronous.
   */
  where?: Query | (FunctionReference<(entry: Entry<V>) => R> & Synchronous<R>) | string | undefined
  /** What to yield: a part of each entry, or an array of several for tuples. Default: `{ key, value, modified, expires }`. */
  select?: S | undefined
  /** Most entries that are read at a time, 1 to 100,000. Default 1000; fewer where they are large. */
  batch?: number | undefined
}

export interface CacheStream<V> {
  /**
   * The entries, one by one, read as they are asked for, a batch at a time. One that stays in the cache is met exactly once, also when it is
   * overwritten meanwhile; one that comes or goes meanwhile, at most once. In no order, unless the cache is `ordered`: then its keys are
   * collected first and each entry is read when its turn comes.
   *
   * Ending it early leaves nothing behind. `timeout` bounds the wait for each batch, `signal` ends it. What is wrong, of the
   * arguments too, rejects the first `next`.
   *
   * Errors: `ERR_INVALID_ARGUMENT` with the `path` of what is wrong in a query; as `getAndUpdate` for a function.
   *
   * @example
   * for await (const { key, value } of users.stream({ where: { value: { age: { $gte: 18 } } } })) console.log(key, value.name)
   * for await (const name of users.stream({ where: people.isAdult, select: 'key' })) console.log(name)
   */
  stream<const S extends Select | undefined = undefined, R = unknown>(options?: StreamOptions<V, S, R>): AsyncGenerator<Selected<V, S>, void, undefined>
}

/** What a stream does, read from its options. */
interface Plan {
  readonly selection: Selection
  /** The query, or the name of the function. */
  readonly where: CompiledQuery | string | undefined
  readonly entries: number
  readonly patience: Patience
  readonly everywhere: boolean
}

const OPTIONS = { name: 'stream', options: ['where', 'select', 'batch'] }

export const MAX_BATCH = 100_000

export function openStream(caller: Caller, options: unknown): AsyncGenerator<unknown, void, undefined> {
  try {
    const plan = readPlan(options as StreamOptions<unknown, Select, unknown> | undefined)
    caller.counters?.add(COUNTER.stream)
    return run(caller, plan)
  } catch (error) {
    return failing(error)
  }
}

/** The entries of a whole cache as `selection` has them; for actions that want all of them. */
export function allEntries(caller: Caller, patience: Patience, everywhere: boolean): AsyncGenerator<unknown, void, undefined> {
  return run(caller, { selection: readSelect(undefined), where: undefined, entries: BATCH_ENTRIES, patience, everywhere })
}

// Errors of the arguments come where every other error does.
// eslint-disable-next-line @typescript-eslint/require-await
async function* failing(error: unknown): AsyncGenerator<never, void, undefined> {
  throw error
}

function readPlan(options: StreamOptions<unknown, Select, unknown> | undefined): Plan {
  checkCallOptions(OPTIONS, options)
  const { where, select, batch = BATCH_ENTRIES, timeout, signal, local } = options ?? {}
  if (!Number.isInteger(batch) || batch < 1 || batch > MAX_BATCH) throw invalidArgument(`the option batch is a whole number from 1 to ${MAX_BATCH}`)
  return { selection: readSelect(select), where: readWhere(where), entries: batch, patience: Patience.ofSteps({ timeout, signal }), everywhere: local !== true }
}

function readWhere(where: unknown): Plan['where'] {
  if (where === undefined) return undefined
  if (isPlainObject(where)) return compileQuery(where)
  if (typeof where === 'string' || typeof where === 'function' || (typeof where === 'object' && where !== null && !Array.isArray(where))) return functionName(where)
  throw invalidArgument('the option where is a query, such as { value: { age: { $gte: 18 } } }, or the reference of a function', { path: 'where' })
}

async function* run(caller: Caller, { selection, where, entries, patience, everywhere }: Plan): AsyncGenerator<unknown, void, undefined> {
  caller.refuseIfStopped()
  await caller.settled(sync, patience.step)
  const query = typeof where === 'object' ? where : undefined
  // Unless the query says something else: what reads see.
  const expired = caller.readClock === null || query?.saysExpired === true
  const batches = batchesOf(caller, where, { entries, values: selection.readsValue || query?.readsValue === true, patience }, everywhere)
  const row = new Row()
  for await (const batch of batches) {
    const now = caller.clock.now()
    for (let index = 0; index < batch.count; index++) {
      row.on(batch, index, now)
      if ((!expired && row.expired) || query?.holds(row) === false) continue
      yield selection.pick(row)
      patience.check()
    }
  }
}

function batchesOf(caller: Caller, where: Plan['where'], walk: WalkOptions, everywhere: boolean): AsyncGenerator<ScanBatch, void, undefined> {
  if (typeof where !== 'string') return everyBatch(caller, walk, everywhere)
  if (isRegistered(caller, where)) return registeredBatches(caller, where, walk, everyBatch(caller, { ...walk, values: true }, everywhere))
  const { config: { ordered }, cluster } = caller
  if (cluster !== null && everywhere) return ordered ? orderedClusterBatches(caller, cluster, where, walk) : clusterBatches(caller, cluster, where, walk)
  return ordered ? orderedFilteredBatches(caller, where, walk) : filteredBatches(caller, where, walk)
}

function everyBatch(caller: Caller, walk: WalkOptions, everywhere: boolean): AsyncGenerator<ScanBatch, void, undefined> {
  const { config: { ordered }, cluster } = caller
  if (cluster !== null && everywhere) return ordered ? orderedClusterBatches(caller, cluster, undefined, walk) : clusterBatches(caller, cluster, undefined, walk)
  return ordered ? orderedBatches(caller, walk) : tableBatches(caller, walk)
}
