/** Walks the tables of a cache from a reading thread, a batch at a time, without a message. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { ScanBatch } from '../runtime/table/reader.js'
import type { Caller } from './caller.js'

/** Entries of one batch; the event loop turns between batches. */
const BATCH_ENTRIES = 1000

/**
 * Visits the entries: each that is there throughout exactly once, under concurrent writes. Ends early if `visit` returns
 * `'stop'`. The batch is good during the visit only.
 */
export async function scanEntries(
  caller: Caller, options: { values: boolean; expired: boolean }, visit: (batch: ScanBatch, index: number) => 'stop' | void,
): Promise<void> {
  const batch = new ScanBatch()
  for (const reader of caller.readers) {
    let cursor = 0
    do {
      cursor = reader.scan(cursor, BATCH_ENTRIES, batch, options.values)
      const now = options.expired ? 0 : caller.clock.now()
      for (let index = 0; index < batch.count; index++) {
        const expires = batch.expires[index]!
        if (!options.expired && expires !== 0 && expires <= now) continue
        if (visit(batch, index) === 'stop') return
      }
      if (cursor !== 0) await nextTurn()
      caller.refuseIfStopped()
    } while (cursor !== 0)
  }
}
