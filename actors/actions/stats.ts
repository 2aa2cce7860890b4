/** On this node: reads counters in shared memory, behind what this handle has sent. */
import { CacheError } from '../../runtime/errors.js'
import { numberedActions } from '../action-codes.js'
import { checkCallOptions, type Action, type CacheActions, type CallOptions } from '../action.js'
import { callsOf, COUNTER, CountersReader } from '../counters.js'
import { sum } from './clear.js'
import { sync } from './sync.js'

/** What can be called: the actions, the synchronous reads, and `stream`. */
export type CalledName = keyof CacheActions<unknown> | 'getSync' | 'existsSync' | 'stream'

/** What was counted since the cache was started, on all threads of this node; restarts of its actors change nothing. */
export interface CacheStats {
  /** When counting began, in milliseconds since 1970. */
  since: number
  /** Calls by action, those of none left out. Calls that were refused for their arguments, and calls of `stats` itself, are not counted. */
  calls: Partial<Record<CalledName, number>>
  /** Keys that were looked up and there: by `get`, `getMany`, `exists`, `take`, `fetch` and the synchronous reads. */
  hits: number
  /** Keys that were looked up and missing, or expired. */
  misses: number
  /** `hits / (hits + misses)`; 0 while nothing has been looked up. */
  hitRate: number
  /** Values that were stored, by whatever action. */
  writes: number
  /** Entries that callers removed: `del`, `take`, `clear`, and a time to live that is not positive. */
  removals: number
  /** Entries that the cache removed for room, or for its limit. */
  evictions: number
  /** Expired entries that the cache removed: the janitor, and `purge`. */
  expirations: number
}

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * What the cache has counted, with the option `stats: true`.
     *
     * Errors: `ERR_STATS_DISABLED` without it.
     *
     * @example
     * await users.get('ada')
     * const { hits, misses, hitRate, calls } = await users.stats()
     * console.log(`${hits} hits, ${misses} misses (${hitRate}), ${calls.get} calls of get`)
     */
    stats(options?: CallOptions): Promise<CacheStats>
  }
}

export const stats: Action = {
  name: 'stats', writes: false, arity: 0, options: [],
  async call(caller, options?: CallOptions) {
    checkCallOptions(stats, options)
    caller.refuseIfStopped()
    const { name } = caller.config
    const { counters } = caller.description
    if (counters === undefined) throw new CacheError('ERR_STATS_DISABLED', `cache '${name}' does not count; start it with the option stats: true`, { cache: name })
    await caller.settled(sync, options)
    return readStats(new CountersReader(counters))
  },
  merge: (results) => mergedStats(results as CacheStats[]),
}

/** Of several nodes: counts are added up, and the rate is that of all. */
function mergedStats(all: readonly CacheStats[]): CacheStats {
  const calls: CacheStats['calls'] = {}
  for (const one of all) for (const [name, count] of Object.entries(one.calls)) calls[name as CalledName] = (calls[name as CalledName] ?? 0) + count // theirs are the same names
  const total = (name: 'hits' | 'misses' | 'writes' | 'removals' | 'evictions' | 'expirations'): number => sum(all.map((one) => one[name]))
  const hits = total('hits')
  const misses = total('misses')
  return {
    since: Math.min(...all.map(({ since }) => since)), calls, hits, misses, hitRate: rateOf(hits, misses),
    writes: total('writes'), removals: total('removals'), evictions: total('evictions'), expirations: total('expirations'),
  }
}

function rateOf(hits: number, misses: number): number {
  return hits + misses === 0 ? 0 : hits / (hits + misses)
}

function readStats(counters: CountersReader): CacheStats {
  const calls: CacheStats['calls'] = {}
  const note = (name: string, count: number): void => {
    if (count > 0) calls[name as CalledName] = count // the list has no other names
  }
  for (const action of numberedActions()) if (action !== stats) note(action.name, counters.total(callsOf(action)))
  note('getSync', counters.total(COUNTER.getSync))
  note('existsSync', counters.total(COUNTER.existsSync))
  note('stream', counters.total(COUNTER.stream))
  const hits = counters.total(COUNTER.hits)
  const misses = counters.total(COUNTER.misses)
  return {
    since: counters.since, calls, hits, misses, hitRate: rateOf(hits, misses),
    writes: counters.total(COUNTER.writes), removals: counters.total(COUNTER.removals),
    evictions: counters.total(COUNTER.evictions), expirations: counters.total(COUNTER.expirations),
  }
}
