/**
 * What share of a trace's reads each policy answers: one shard, one thread, what is missed is put. Beside them lru-cache, whose policy
 * is `lru`. Runs only where `--trace` names one.
 */
import { basename } from 'node:path'
import { LRUCache } from 'lru-cache'
import type { Figure } from '../setting.js'
import { startSubject } from '../subject.js'
import type { Row } from '../table.js'
import { readTrace } from '../trace.js'

const POLICIES = ['fifo', 'lrw', 'lru', 's3-fifo', 'w-tinylfu'] as const

export const hitRatio: Figure = {
  name: 'hit-ratio',
  group: 'hit-ratio',
  needsTrace: true,
  async run({ trace }) {
    if (trace === undefined) return []
    const { path, entries } = trace
    const keys = readTrace(path)
    const lru = ofLruCache(keys, entries)
    const rows: Row[] = []
    for (const policy of POLICIES) {
      const row: Row = { figure: `hit ratio, ${basename(path)}, ${entries.toLocaleString('en')} entries: ${policy}`, unit: 'percent', ours: await ofPolicy(policy, keys, entries) }
      if (policy === 'lru') Object.assign(row, { peer: 'lru-cache', theirs: lru, ...(lru > 0 && { ratio: row.ours! / lru }) })
      rows.push(row)
    }
    rows[0]!.detail = `${keys.length.toLocaleString('en')} reads of ${new Set(keys).size.toLocaleString('en')} keys`
    return rows
  },
}

async function ofPolicy(policy: string, keys: readonly (string | number)[], entries: number): Promise<number> {
  const cache = await startSubject<number>(`bench-${policy}`, { shards: 1, memory: Math.max(16 << 20, entries * 256), limit: { policy, entries, reclaim: 0 } })
  try {
    let hits = 0
    for (const key of keys) {
      if ((await cache.get(key)) !== undefined) hits++
      else await cache.put(key, 1)
    }
    return (100 * hits) / keys.length
  } finally {
    await cache.stop()
  }
}

function ofLruCache(keys: readonly (string | number)[], entries: number): number {
  const cache = new LRUCache<string | number, number>({ max: entries })
  let hits = 0
  for (const key of keys) {
    if (cache.get(key) !== undefined) hits++
    else cache.set(key, 1)
  }
  return (100 * hits) / keys.length
}
