/**
 * The delay of the event loop with five million entries under reads and writes, ours against lru-cache, each in a process
 * of its own that is filled once; the processes take turns.
 */
import { startChild, type Child } from '../children/process.js'
import type { DelayAnswer } from '../children/delay-process.js'
import { median } from '../measure.js'
import { compare, runRounds } from '../rounds.js'
import type { Figure } from '../setting.js'

const MODULE = new URL('../children/delay-process.js', import.meta.url)

/** A 99.9th percentile needs a thousand turns and more. */
const SLICES = 3

const HEAP = ['--max-old-space-size=8192']

export const eventLoopDelay: Figure = {
  name: 'delay',
  group: 'delay',
  async run(setting) {
    const entries = setting.quick ? 100_000 : 5_000_000
    const starting = (['ours', 'lru'] as const).map((which) => startChild<DelayAnswer>(MODULE, [which, String(entries)], HEAP))
    const children = await Promise.all(starting).catch(async (error: unknown) => {
      for (const child of await Promise.allSettled(starting)) if (child.status === 'fulfilled') await child.value.end()
      throw error
    })
    const [ours, lru] = children as [Child<DelayAnswer>, Child<DelayAnswer>] // one for each of the two names
    const rates: Record<string, number[]> = { ours: [], lru: [] }
    const slice = async (child: Child<DelayAnswer>, rate: number[], ms: number): Promise<number> => {
      const answer = await child.ask({ ms: ms * SLICES })
      rate.push(answer.rate)
      return answer.p999Ms
    }
    try {
      const results = await runRounds(
        [
          { name: 'ours', slice: (ms) => slice(ours, rates['ours']!, ms) },
          { name: 'lru-cache', slice: (ms) => slice(lru, rates['lru']!, ms) },
        ],
        setting,
      )
      const thousands = (values: readonly number[]): string => (median(values) / 1000).toFixed(0)
      const row = compare(results, { figure: 'event-loop delay p99.9', unit: 'ms', ours: 'ours', peer: 'lru-cache', target: { atMost: 1 / 3 } })
      return [{ ...row, detail: `${entries / 1e6} million entries; thousands of reads, and as many writes, a second: ours ${thousands(rates['ours']!)}, lru-cache ${thousands(rates['lru']!)}` }]
    } finally {
      await Promise.all(children.map((child) => child.end()))
    }
  },
}
