/**
 * Walks over the entries of a cache, a batch at a time: through the tables on the calling thread, or through the shards where
 * a function runs there; in no order, or in the order of keys. No more than a batch of entries is held, besides the keys
 * in an ordered cache.
 *
 * May be relied on: an entry that is there from the first batch to the last is met exactly once, under concurrent writes; an
 * overwritten one with one of its values. A batch is good until the next one is asked for. A walk that is
 * given up leaves nothing behind.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { decodeKey } from '../../runtime/codec/key.js'
import { ScanBatch } from '../../runtime/table/scan-batch.js'
import type { Caller } from '../calls/caller.js'
import { clusterBatches } from '../cluster/cluster-walk.js'
import { KeyRuns } from './key-runs.js'
import type { Patience } from '../calls/patience.js'

/** Entries of a batch, unless somebody asks for another number. The event loop turns between batches. */
export const BATCH_ENTRIES = 1000

export interface WalkOptions {
  /** Most entries of a batch, as far as buckets allow; it also ends at 1 MiB. */
  readonly entries: number
  /** Whether values are copied too. */
  readonly values: boolean
  readonly patience: Patience
}

/** Whether a walk goes over all nodes, where the cache has several. */
export interface Reach {
  readonly everywhere: boolean
}

/** All entries, expired ones too, in no order. */
export async function* tableBatches(caller: Caller, { entries, values, patience }: WalkOptions): AsyncGenerator<ScanBatch, void, undefined> {
  const batch = new ScanBatch()
  for (const reader of caller.readers) {
    let cursor = 0
    do {
      patience.check()
      caller.refuseIfStopped()
      cursor = reader.scan(cursor, entries, batch, values)
      yield batch
      if (cursor !== 0) await nextTurn()
    } while (cursor !== 0)
  }
}

/** As `tableBatches`, in the order of keys: of the entries that are there when it begins, those that are still there when their turn comes. */
export async function* orderedBatches(caller: Caller, { entries, values, patience }: WalkOptions): AsyncGenerator<ScanBatch, void, undefined> {
  const batch = new ScanBatch()
  for (const key of (await collectKeys(caller, true, patience)).merged()) {
    while (!append(caller, key, batch, values)) await nextTurn()
    if (batch.count < entries && batch.scratch.end < batch.maxBytes) continue
    yield batch
    batch.reset()
    await nextTurn()
    patience.check()
    caller.refuseIfStopped()
  }
  yield batch
}

/** Visits all entries, of this node or of all, without values, until `visit` returns `'stop'`. The batch is good during the visit only. */
export async function scanEntries(
  caller: Caller, { expired, patience, everywhere }: { expired: boolean; patience: Patience } & Reach, visit: (batch: ScanBatch, index: number) => 'stop' | void,
): Promise<void> {
  const { cluster } = caller
  const walk: WalkOptions = { entries: BATCH_ENTRIES, values: false, patience }
  for await (const batch of cluster === null || !everywhere ? tableBatches(caller, walk) : clusterBatches(caller, cluster, undefined, walk)) {
    const now = caller.clock.now()
    for (let index = 0; index < batch.count; index++) {
      if (!expired && isExpired(batch, index, now)) continue
      if (visit(batch, index) === 'stop') return
    }
  }
}

/** The keys of a cache on this node, with or without those of expired entries, to be taken out in order. */
export async function collectKeys(caller: Caller, expired: boolean, patience: Patience): Promise<KeyRuns> {
  const keys = new KeyRuns()
  await scanEntries(caller, { expired, patience, everywhere: false }, (batch, index) => keys.add(keyAt(batch, index)))
  return keys
}

/** The key of an entry of a batch. */
export function keyAt(batch: ScanBatch, index: number): unknown {
  return decodeKey(batch.scratch.bytes, batch.keyStarts[index]!, batch.keyEnds[index]!)
}

/** Whether an entry's time has come at `nowMs`. */
export function isExpired(batch: ScanBatch, index: number, nowMs: number): boolean {
  const expires = batch.expires[index]!
  return expires !== 0 && expires <= nowMs
}

/** Appends a key's entry, if it is there. False if its bucket was busy. */
function append(caller: Caller, key: unknown, batch: ScanBatch, values: boolean): boolean {
  caller.key(key)
  return caller.pick(batch, values) >= 0
}
