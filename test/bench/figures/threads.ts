/** What threads cost each other: two that read at the same time, and one that reads while another one writes. */
import { countOneBatch } from '../children/gate.js'
import { GatedThread } from '../children/gated-thread.js'
import { VALUE_BYTES, WALK_MASK, walk, walkKeys } from '../data.js'
import { BATCH, median, rateAwaited, rateSync } from '../measure.js'
import { compare, runRounds } from '../rounds.js'
import type { Figure } from '../setting.js'
import { filledShardTable, shardTableReader } from '../shard-table.js'

/** Below this, two threads that only count show that the second core was not free. */
const FREE_CORES_RATIO = 1.8

/**
 * The main thread and a worker with an attached handle, counted over the same window, against the main thread alone. A
 * second row counts in registers instead: what two threads can reach here and now.
 */
export const getFromTwoThreads: Figure = {
  name: 'get-two-threads',
  group: 'threads',
  async run(setting) {
    const cache = await setting.strings()
    const { descriptor, transfer } = cache.attachment()
    const thread = await GatedThread.start(new URL('../children/reading-thread.js', import.meta.url), descriptor, transfer)
    const batch = async (from: number): Promise<number> => {
      let sum = 0
      for (let i = from; i < from + BATCH; i++) sum += (await cache.get(walkKeys[i & WALK_MASK]!))?.length ?? 0
      return sum
    }
    const read = (ms: number): Promise<number> => rateAwaited(ms, VALUE_BYTES, batch)
    const readBeside = async (ms: number): Promise<number> => {
      const { here, batches } = await thread.beside('read', () => read(ms))
      return here + batches * BATCH
    }
    const countBeside = async (ms: number): Promise<number> => {
      const { here, batches } = await thread.beside('count', () => count(ms))
      return here + batches
    }
    try {
      const results = await runRounds(
        [
          { name: 'two threads', slice: readBeside },
          { name: 'one thread', slice: read },
          { name: 'two threads counting', slice: countBeside },
          { name: 'one thread counting', slice: count },
        ],
        setting,
      )
      const machine = compare(results, { figure: 'get from two threads at once: the machine', unit: 'op/s', ours: 'two threads counting', peer: 'one thread counting' })
      if ((machine.ratio ?? 0) < FREE_CORES_RATIO) setting.note('get-two-threads: two cores were not free, see the row of the machine')
      return [compare(results, { figure: 'get from two threads at once', unit: 'op/s', ours: 'two threads', peer: 'one thread', target: { atLeast: 1.8 } }), machine]
    } finally {
      await thread.end()
    }
  },
}

/** Batches a second. */
function count(ms: number): number {
  let batches = 0
  const start = performance.now()
  let now = start
  while (now - start < ms) {
    countOneBatch()
    batches++
    now = performance.now()
  }
  return (batches / (now - start)) * 1000
}

/** A shard's table read while its writer overwrites it, against the same while that thread only keeps its core busy. */
export const getWhileWritten: Figure = {
  name: 'get-while-written',
  group: 'threads',
  async run(setting) {
    const table = filledShardTable()
    const read = shardTableReader(table)
    const batch = (from: number): number => {
      let sum = 0
      for (let i = from; i < from + BATCH; i++) sum += read(walk[i & WALK_MASK]!)
      return sum
    }
    const thread = await GatedThread.start(new URL('../children/writing-thread.js', import.meta.url), table)
    const writes: number[] = []
    const reads = (ms: number) => (): number => rateSync(ms, VALUE_BYTES, batch)
    const besideWrites = async (ms: number): Promise<number> => {
      const { here, batches } = await thread.beside('write', reads(ms))
      writes.push(batches * BATCH)
      return here
    }
    try {
      const results = await runRounds(
        [
          { name: 'beside a writer', slice: besideWrites },
          { name: 'beside a spinning thread', slice: async (ms) => (await thread.beside('count', reads(ms))).here },
        ],
        setting,
      )
      const row = compare(results, { figure: 'get while the shard is written', unit: 'op/s', ours: 'beside a writer', peer: 'beside a spinning thread', target: { atLeast: 0.7 } })
      return [{ ...row, detail: `${(median(writes) / 1e6).toFixed(2)} million writes a second beside it` }]
    } finally {
      await thread.end()
    }
  },
}
