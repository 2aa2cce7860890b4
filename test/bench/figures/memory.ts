/** Bytes of shared memory that an entry takes beyond its key and its value. */
import { text } from '../data.js'
import { against } from '../rounds.js'
import type { Figure } from '../setting.js'
import { startSubject, type CacheUnderTest } from '../subject.js'

const KEY_BYTES = 10
const VALUE_BYTES = 100
const FILL = 0.7
const FILL_TOLERANCE = 0.02

/** The first guess of an entry's bytes; the table is then made again to the size that these entries fill to 70%. */
const GUESSED_ENTRY_BYTES = KEY_BYTES + VALUE_BYTES + 40

const MOST_TABLES = 4
const WINDOW = 4096

export const memoryOverhead: Figure = {
  name: 'memory',
  group: 'memory',
  async run(setting) {
    const entries = setting.quick ? 50_000 : 1_000_000
    let bytes = entries * GUESSED_ENTRY_BYTES
    let memory = 0
    for (let table = 0; table < MOST_TABLES; table++) {
      memory = Math.ceil(bytes / FILL)
      const cache = await startSubject<string>(`bench-memory-${table}`, { memory })
      try {
        await fill(cache, entries)
        bytes = await cache.inspect(['memory', 'bytes'])
      } finally {
        await cache.stop()
      }
      if (Math.abs(bytes / memory - FILL) <= FILL_TOLERANCE) break
    }
    const each = bytes / entries - KEY_BYTES - VALUE_BYTES
    const filled = `${(entries / 1e6).toFixed(2)} million entries, tables of ${(memory / 2 ** 20).toFixed(0)} MB, ${((bytes / memory) * 100).toFixed(0)}% full`
    return [against('memory beyond key and value, an entry', 'bytes', each, { atMost: 48 }, filled)]
  },
}

/** Stores the entries and makes sure that none was evicted: an entry that is gone would make the others look small. */
async function fill(cache: CacheUnderTest<string>, entries: number): Promise<void> {
  const key = (n: number): string => `k${String(n).padStart(KEY_BYTES - 1, '0')}`
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < entries) {
      const n = next++
      await cache.put(key(n), text(n))
    }
  }
  await Promise.all(Array.from({ length: WINDOW }, lane))
  for (let n = 0; n < entries; n++) {
    if (cache.getSync(key(n)) === undefined) throw new Error(`entry ${n} of ${entries} is gone: the table was too small to hold them all`)
  }
}
