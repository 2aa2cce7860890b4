/** To one shard, by `import` and `load`: stores entries with their own times, several in a message. */
import { hash32 } from '../../runtime/hash.js'
import { CacheError } from '../../runtime/errors.js'
import { RecordReader } from '../../runtime/table/records.js'
import type { Action } from '../action.js'
import { COUNTER } from '../counters.js'
import type { Shard } from '../shards/shard.js'
import type { Request } from '../../runtime/mailbox/inlet.js'

/** Not public. The rest is records. Replies with how many were stored: all that have not expired. */
export const importRecords: Action = {
  name: 'importRecords', writes: true, arity: 0, options: [],
  call: () => undefined,
  claim: (shard, request) => ({ kind: 'keys', hashes: hashesOf(shard, request), holder: 0 }),
  apply(shard, { bytes, bEnd, cEnd }) {
    const { writer, config: { seed } } = shard
    const nowMs = shard.context.now()
    const record = new RecordReader(bytes, bEnd, cEnd)
    let stored = 0
    try {
      while (record.next()) {
        const { keyStart, keyEnd, expires } = record
        if (expires !== 0 && expires <= nowMs) continue
        writer.put(hash32(bytes, keyStart, keyEnd, seed), bytes, keyStart, keyEnd, bytes, record.valueStart, record.valueEnd, record.modified, expires, record.duration)
        stored++
      }
    } catch (error) {
      if (stored === 0 || !(error instanceof CacheError)) throw error
      throw new CacheError(error.code, error.message, { ...error, outcome: 'unknown' })
    } finally {
      shard.counters?.add(COUNTER.writes, stored)
    }
    return stored
  },
}

function hashesOf({ config: { seed } }: Shard, { bytes, bEnd, cEnd }: Request): number[] {
  const record = new RecordReader(bytes, bEnd, cEnd)
  const hashes: number[] = []
  while (record.next()) hashes.push(hash32(bytes, record.keyStart, record.keyEnd, seed) | 0)
  return hashes
}
