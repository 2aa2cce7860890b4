/** Over all shards: finds out in shared memory what was written longest ago, and has each shard remove its part, in slices. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { invalidArgument } from '../../runtime/errors.js'
import { kthSmallest } from '../../runtime/kth-smallest.js'
import { leftAfter } from '../../runtime/table/room.js'
import { ScanBatch } from '../../runtime/table/scan-batch.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import type { Caller } from '../calls/caller.js'
import { Patience } from '../calls/patience.js'
import { BATCH_ENTRIES } from '../walks/walk.js'
import { together } from '../calls/together.js'
import { sum } from './clear.js'
import { purgeAll } from './purge.js'
import { removeOld, type OldRequest, type OldReply } from './remove-old.js'
import { sync } from './sync.js'

export interface PruneOptions extends CallOptions {
  /** How much of `size` is removed beyond what has to be, as a share from 0 to 1. Default 0.1. */
  reclaim?: number | undefined
}

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Bounds the number of entries on this node now. If there are no more than `size`, nothing happens. Else expired entries are removed,
     * and then the least recently written (the oldest `modified`), until `size − size·reclaim` are left. Resolves with how many
     * were removed, expired ones not counted.
     *
     * What is written meanwhile stays. Takes 16 bytes of memory for each entry while it runs.
     *
     * @example
     * await users.prune(2)                    // → 0
     * await users.prune(1, { reclaim: 0 })    // → 1
     */
    prune(size: number, options?: PruneOptions): Promise<number>
  }
}

export const prune: Action = {
  name: 'prune', writes: true, arity: 1, options: ['reclaim'],
  call(caller, size: unknown, options?: PruneOptions) {
    checkCallOptions(prune, options)
    const reclaim: unknown = options?.reclaim === undefined ? 0.1 : options.reclaim
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw invalidArgument('the first argument of prune is a number of entries: whole, and not negative')
    if (typeof reclaim !== 'number' || !(reclaim >= 0 && reclaim <= 1)) throw invalidArgument('the option reclaim of prune is a number from 0 to 1')
    caller.refuseIfStopped()
    const { telling } = caller
    caller.telling = false
    const pruned = pruneAll(caller, size, reclaim, Patience.ofAll(options))
    if (!telling) return pruned
    pruned.catch(() => undefined)
    return true
  },
}

async function pruneAll(caller: Caller, size: number, reclaim: number, patience: Patience): Promise<number> {
  await caller.settled(sync, patience.step)
  if (entriesOf(caller) <= size) return 0
  await purgeAll(caller, patience)
  const times = await writeTimes(caller, patience)
  const total = times.reduce((count, of) => count + of.length, 0)
  const excess = total - leftAfter(size, reclaim)
  if (excess <= 0) return 0
  const last = kthSmallest(joined(times, total), excess - 1)
  // Of entries that were written at the very same time, some may have to stay: those of later shards.
  let ties = excess - sum(times.map((of) => of.reduce((count, time) => count + (time < last ? 1 : 0), 0)))
  const requests = times.map((of): OldRequest => {
    const own = Math.min(ties, of.reduce((count, time) => count + (time === last ? 1 : 0), 0))
    ties -= own
    return { cursor: 0, last, ties: own }
  })
  return sum(await together(requests, (request, shard) => removeFromShard(caller, shard, request, patience)))
}

async function removeFromShard(caller: Caller, shard: number, request: OldRequest, patience: Patience): Promise<number> {
  let removed = 0
  let { cursor, ties } = request
  do {
    caller.noKey()
    caller.rest({ ...request, cursor, ties })
    const reply = await (caller.sendTo(shard, removeOld, patience.step) as Promise<OldReply>)
    removed += reply.removed
    cursor = reply.cursor
    ties = reply.ties
    patience.check()
  } while (cursor !== 0)
  return removed
}

function entriesOf({ readers }: Caller): number {
  return sum(readers.map(({ entries }) => entries))
}

/** By shard: when its entries were written. */
async function writeTimes(caller: Caller, patience: Patience): Promise<Float64Array[]> {
  const batch = new ScanBatch()
  const times: Float64Array[] = []
  for (const reader of caller.readers) {
    let found = new Float64Array(reader.entries + BATCH_ENTRIES)
    let count = 0
    let cursor = 0
    do {
      patience.check()
      caller.refuseIfStopped()
      cursor = reader.scan(cursor, BATCH_ENTRIES, batch, false)
      if (count + batch.count > found.length) found = grown(found)
      for (let index = 0; index < batch.count; index++) found[count++] = batch.modified[index]! + batch.fractions[index]!
      if (cursor !== 0) await nextTurn()
    } while (cursor !== 0)
    times.push(found.subarray(0, count))
  }
  return times
}

function grown(numbers: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(numbers.length * 2)
  larger.set(numbers)
  return larger
}

function joined(parts: readonly Float64Array[], length: number): Float64Array {
  const whole = new Float64Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
