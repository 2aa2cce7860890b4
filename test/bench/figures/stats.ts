/** What counting costs: reads with `stats` on beside reads with it off. */
import { VALUE_BYTES, WALK_MASK, keys, texts, walkKeys } from '../data.js'
import { BATCH, rateAwaited, rateSync } from '../measure.js'
import { compare, runRounds } from '../rounds.js'
import type { Figure } from '../setting.js'
import { startSubject, type CacheUnderTest } from '../subject.js'

/** At most 10 % slower. */
const TARGET = { atLeast: 1 / 1.1 }

export const readsWithStats: Figure = {
  name: 'stats',
  group: 'stats',
  async run(setting) {
    const off = await startSubject<string>('bench-stats-off', { memory: '32mb' })
    const on = await startSubject<string>('bench-stats-on', { memory: '32mb', stats: true })
    try {
      for (const cache of [off, on]) await Promise.all(keys.map((key, i) => cache.put(key, texts[i]!)))
      const sync = (cache: CacheUnderTest<string>) => (from: number): number => {
        let sum = 0
        for (let i = from; i < from + BATCH; i++) sum += cache.getSync(walkKeys[i & WALK_MASK]!)?.length ?? 0
        return sum
      }
      const awaited = (cache: CacheUnderTest<string>) => async (from: number): Promise<number> => {
        let sum = 0
        for (let i = from; i < from + BATCH; i++) sum += (await cache.get(walkKeys[i & WALK_MASK]!))?.length ?? 0
        return sum
      }
      const results = await runRounds(
        [
          { name: 'getSync, on', slice: (ms) => rateSync(ms, VALUE_BYTES, sync(on)) },
          { name: 'getSync, off', slice: (ms) => rateSync(ms, VALUE_BYTES, sync(off)) },
          { name: 'on', slice: (ms) => rateAwaited(ms, VALUE_BYTES, awaited(on)) },
          { name: 'off', slice: (ms) => rateAwaited(ms, VALUE_BYTES, awaited(off)) },
        ],
        setting,
      )
      return [
        compare(results, { figure: 'getSync with stats', unit: 'op/s', ours: 'getSync, on', peer: 'getSync, off', target: TARGET }),
        compare(results, { figure: 'get with stats, awaited', unit: 'op/s', ours: 'on', peer: 'off', target: TARGET }),
      ]
    } finally {
      await Promise.all([off.stop(), on.stop()])
    }
  },
}
