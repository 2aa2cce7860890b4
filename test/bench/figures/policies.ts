/** What the other policies cost beside `fifo`: reads of what is there, and writes of which most evict. */
import { KEYS, VALUE_BYTES, WALK_MASK, keys, texts, walkKeys } from '../data.js'
import { BATCH, rateInFlight, rateSync } from '../measure.js'
import { compare, runRounds } from '../rounds.js'
import type { Figure } from '../setting.js'
import { startSubject, type CacheUnderTest } from '../subject.js'

const POLICIES = ['fifo', 'lrw', 'lru', 's3-fifo', 'w-tinylfu'] as const

const WINDOW = 256

/** At most 15 % slower. */
const TARGET = { atLeast: 1 / 1.15 }

export const policies: Figure = {
  name: 'policies',
  group: 'policies',
  async run(setting) {
    const caches = await Promise.all(POLICIES.map((policy) => startSubject<string>(`bench-${policy}`, { memory: '32mb', limit: { policy } })))
    const bounded = await Promise.all(POLICIES.map((policy) => startSubject<string>(`bench-bounded-${policy}`, { memory: '32mb', limit: { policy, entries: KEYS / 10 } })))
    try {
      for (const cache of caches) await Promise.all(keys.map((key, i) => cache.put(key, texts[i]!)))
      const read = (cache: CacheUnderTest<string>) => (from: number): number => {
        let sum = 0
        for (let i = from; i < from + BATCH; i++) sum += cache.getSync(walkKeys[i & WALK_MASK]!)?.length ?? 0
        return sum
      }
      const reading = await runRounds(POLICIES.map((name, i) => ({ name, slice: (ms) => rateSync(ms, VALUE_BYTES, read(caches[i]!)) })), setting)
      const writing = await runRounds(POLICIES.map((name, i) => ({ name, slice: (ms) => rateInFlight(ms, WINDOW, (step) => bounded[i]!.put(walkKeys[step]!, texts[step % KEYS]!)) })), setting)
      return [
        ...POLICIES.slice(1).map((ours) => compare(reading, { figure: `getSync, policy ${ours}`, unit: 'op/s', ours, peer: 'fifo', target: TARGET })),
        ...POLICIES.slice(1).map((ours) => compare(writing, { figure: `put that evicts, 256 in flight, policy ${ours}`, unit: 'op/s', ours, peer: 'fifo', target: TARGET })),
      ]
    } finally {
      await Promise.all([...caches, ...bounded].map((cache) => cache.stop()))
    }
  },
}
