/** To all shards, in slices: each removes what has expired; the counts are added up. */
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import type { Caller } from '../calls/caller.js'
import { Patience } from '../calls/patience.js'
import { together } from '../calls/together.js'
import { sum } from './clear.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Removes all expired entries now. Resolves with how many there were. A shard does it in slices of 2 ms, between which it does
     * what else it is asked for.
     *
     * @example
     * await users.purge()    // → 0
     */
    purge(options?: CallOptions): Promise<number>
  }
}

/** How long a shard sweeps for one message, in milliseconds. */
const SLICE_MS = 2

/** The rest of a message is where the slice begins; the reply, where the next one does, 0 at the end, and how many were removed. */
type Slice = [next: number, removed: number]

export const purge: Action = {
  name: 'purge', writes: true, arity: 0, options: [],
  call(caller, options?: CallOptions) {
    caller.noKey()
    // Told, it is one message for each shard, and carried out between others.
    if (caller.telling) return caller.sendAll(purge, options, sum)
    checkCallOptions(purge, options)
    return purgeAll(caller, Patience.ofAll(options))
  },
  merge: sum,
  apply(shard, request): Slice | undefined {
    const cursor = shard.rest(request) as number | undefined
    if (cursor !== undefined) return shard.upkeep.sweepFrom(cursor, SLICE_MS, 'purged')
    shard.upkeep.beginPurge()
    return undefined
  },
}

/** Removes all expired entries of all shards. How many there were. */
export async function purgeAll(caller: Caller, patience: Patience): Promise<number> {
  return sum(await together(caller.readers, (_, shard) => purgeShard(caller, shard, patience)))
}

async function purgeShard(caller: Caller, shard: number, patience: Patience): Promise<number> {
  let removed = 0
  let cursor = 0
  do {
    caller.noKey()
    caller.rest(cursor)
    const [next, count] = await (caller.sendTo(shard, purge, patience.step) as Promise<Slice>)
    removed += count
    cursor = next
    patience.check()
  } while (cursor !== 0)
  return removed
}
