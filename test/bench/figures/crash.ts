/**
 * A shard killed under load. One shard holds every key; 64 lanes write numbered values, each to keys of its own, while a
 * reader reads. Then a function ends the shard's thread. Counted: the time from that call until a write that was sent
 * after it is acknowledged, reads that failed or missed, and keys that hold an older value than the last acknowledged one.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { median } from '../measure.js'
import { against } from '../rounds.js'
import { saboteur } from '../saboteur.js'
import type { Figure, Setting } from '../setting.js'
import { startSubject, type CacheUnderTest } from '../subject.js'

const LANES = 64
const KEYS_OF_LANE = 64
const PROBE = 'probe'

export const crashUnderLoad: Figure = {
  name: 'crash',
  group: 'crash',
  async run(setting) {
    const cache = await startSubject<number>('bench-crash', { shards: 1, functions: [saboteur] })
    const took: number[] = []
    let failedReads = 0
    let failedWrites = 0
    let lost = 0
    let writes = 0
    try {
      for (let round = 0; round < setting.rounds; round++) {
        const load = await startLoad(cache)
        await rest(setting)
        took.push(await kill(cache))
        await rest(setting)
        const outcome = await load.stop()
        failedReads += outcome.failedReads
        failedWrites += outcome.failedWrites
        lost += outcome.lost
        writes += outcome.acknowledged
      }
    } finally {
      await cache.stop()
    }
    const worst = `${took.length} kills, the slowest ${Math.max(...took).toFixed(1)} ms; ${writes} writes acknowledged, ${failedWrites} failed with an error`
    return [
      against('a shard killed under load: until it writes again', 'ms', median(took), { atMost: 100 }, worst),
      against('a shard killed under load: reads failed', 'count', failedReads, { atMost: 0 }),
      against('a shard killed under load: acknowledged writes lost', 'count', lost, { atMost: 0 }),
    ]
  },
}

/** Milliseconds until a write behind the killing message is acknowledged. */
async function kill(cache: CacheUnderTest<number>): Promise<number> {
  const start = performance.now()
  const killed = cache.getAndUpdate(PROBE, saboteur.exit).then(
    () => 'it returned',
    () => 'it failed',
  )
  await cache.put(PROBE, 1)
  const took = performance.now() - start
  if ((await killed) === 'it returned') throw new Error('the function that ends its thread returned: no shard was killed')
  return took
}

interface Outcome {
  readonly failedReads: number
  readonly failedWrites: number
  readonly acknowledged: number
  readonly lost: number
}

async function startLoad(cache: CacheUnderTest<number>): Promise<{ stop(): Promise<Outcome> }> {
  const keys = Array.from({ length: LANES * KEYS_OF_LANE }, (_, i) => `crash:${i}`)
  const acknowledged = new Int32Array(keys.length)
  await Promise.all(keys.map((key) => cache.put(key, 0)))
  let open = true
  let failedReads = 0
  let failedWrites = 0
  let total = 0
  const write = async (lane: number): Promise<void> => {
    for (let n = 1; open; n++) {
      const slot = lane * KEYS_OF_LANE + (n % KEYS_OF_LANE)
      try {
        await cache.put(keys[slot]!, n)
        acknowledged[slot] = n
        total++
      } catch {
        failedWrites++
        await turn() // a shard that refuses at once must not keep the event loop from hearing that it is back
      }
      if (n % 64 === 0) await turn()
    }
  }
  const read = async (): Promise<void> => {
    for (let i = 0; open; i = (i + 1) % keys.length) {
      try {
        const value = i % 2 === 0 ? cache.getSync(keys[i]!) : await cache.get(keys[i]!)
        if (value === undefined || value < 0) failedReads++
      } catch {
        failedReads++
      }
      if (i % 64 === 0) await turn()
    }
  }
  const running = [read(), ...Array.from({ length: LANES }, (_, lane) => write(lane))]
  return {
    async stop() {
      open = false
      await Promise.all(running)
      let lost = 0
      for (const [slot, key] of keys.entries()) {
        const value = await cache.get(key)
        if (value === undefined || value < acknowledged[slot]!) lost++
      }
      return { failedReads, failedWrites, acknowledged: total, lost }
    },
  }
}

/** Lets the load run for a slice, without a timer's help in case the event loop is busy. */
async function rest(setting: Setting): Promise<void> {
  const end = performance.now() + setting.sliceMs / 2
  while (performance.now() < end) await turn()
}
