/** From other nodes, by walks over the whole cache: a batch of this node's entries. */
import { CacheError, invalidArgument } from '../../runtime/errors.js'
import { appendRecord } from '../../runtime/table/records.js'
import { ScanBatch } from '../../runtime/table/scan-batch.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import type { Action, CallOptions } from '../action.js'
import type { Caller } from '../calls/caller.js'
import { scanShard } from '../walks/filtered-walk.js'
import { Patience } from '../calls/patience.js'
import { MAX_BATCH } from './stream.js'
import { sync } from './sync.js'

/** Where a batch begins: a shard, and a cursor of its table. */
export type WalkPlace = readonly [shard: number, cursor: number]

/** Where the next one begins, `null` at the end, and the entries, as records. */
export type WalkReply = readonly [next: WalkPlace | null, records: Uint8Array]

/** Not public. `want`: the most entries, and whether their values are wanted; `where`: the name of a function that chooses them, or `null`. */
export const walkPart: Action = {
  name: 'walkPart', writes: false, arity: 3, options: [], isOffered: true, functionAt: 2,
  async call(caller, place: WalkPlace, want: readonly [entries: number, values: boolean], where: string | null, options?: CallOptions): Promise<WalkReply> {
    const [shard, cursor, entries, values] = [...listOf(place), ...listOf(want)]
    if (!isWithin(shard, caller.shardCount) || !Number.isInteger(cursor) || !isWithin(entries, MAX_BATCH + 1) || typeof values !== 'boolean') throw invalidArgument('not a place of a walk')
    caller.refuseIfStopped()
    const patience = Patience.ofAll(options)
    // What the walk's own node wrote before, it has to meet.
    if (shard === 0 && cursor === 0) await caller.settled(sync, patience.step)
    const [next, records] = typeof where === 'string'
      ? await scanShard(caller, shard, [where, cursor as number, entries, values], patience.step)
      : scanTable(caller, shard, cursor as number, entries, values)
    if (next !== 0) return [[shard, next], records]
    return [shard + 1 < caller.shardCount ? [shard + 1, 0] : null, records]
  },
}

function scanTable(caller: Caller, shard: number, cursor: number, entries: number, values: boolean): [next: number, records: Uint8Array] {
  const batch = new ScanBatch()
  const next = caller.readers[shard]!.scan(cursor, entries, batch, values)
  return [next, recordsOf(batch)]
}

/** The entries of a batch as records. */
export function recordsOf(batch: ScanBatch): Uint8Array {
  const records = new Scratch(batch.scratch.end + 64)
  const { scratch: { bytes }, keyStarts, keyEnds, valueStarts, valueEnds, modified, expires, durations } = batch
  for (let index = 0; index < batch.count; index++) {
    appendRecord(records, bytes, keyStarts[index]!, keyEnds[index]!, bytes, valueStarts[index]!, valueEnds[index]!, modified[index]!, expires[index]!, durations[index]!)
  }
  return records.bytes.subarray(0, records.end)
}

function listOf(value: unknown): unknown[] {
  if (Array.isArray(value) && value.length === 2) return value
  throw new CacheError('ERR_FRAME', 'not a place of a walk')
}

function isWithin(value: unknown, end: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < end
}
