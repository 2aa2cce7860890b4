/** Reads of one thread: synchronous, of strings and of objects, and awaited. */
import { NAME_LENGTH, VALUE_BYTES, WALK_MASK, walkKeys, type Person } from '../data.js'
import type { LmdbStore } from '../peers/lmdb.js'
import { BATCH, rateAwaited, rateInFlight, rateSync } from '../measure.js'
import { compare, runRounds, type Contestant } from '../rounds.js'
import type { Figure } from '../setting.js'

/** Operations in flight of a client that pipelines. */
const WINDOW = 256

export const getSyncString: Figure = {
  name: 'get-sync-string',
  group: 'get',
  async run(setting) {
    const cache = await setting.strings()
    const { strings, stringsOnly } = await setting.lmdb()
    const ours = (from: number): number => {
      let sum = 0
      for (let i = from; i < from + BATCH; i++) sum += cache.getSync(walkKeys[i & WALK_MASK]!)?.length ?? 0
      return sum
    }
    const lmdb = (store: LmdbStore<string>) => (from: number): number => {
      let sum = 0
      for (let i = from; i < from + BATCH; i++) sum += store.get(walkKeys[i & WALK_MASK]!)?.length ?? 0
      return sum
    }
    const results = await runRounds(
      [
        { name: 'getSync', slice: (ms) => rateSync(ms, VALUE_BYTES, ours) },
        { name: 'lmdb get', slice: (ms) => rateSync(ms, VALUE_BYTES, lmdb(strings)) },
        { name: 'lmdb get, strings only', slice: (ms) => rateSync(ms, VALUE_BYTES, lmdb(stringsOnly)) },
      ],
      setting,
    )
    return [
      compare(results, { figure: 'getSync, string', unit: 'op/s', ours: 'getSync', peer: 'lmdb get', target: { atLeast: 2.5 } }),
      compare(results, { figure: 'getSync, string', unit: 'op/s', ours: 'getSync', peer: 'lmdb get, strings only' }),
    ]
  },
}

export const getSyncObject: Figure = {
  name: 'get-sync-object',
  group: 'get',
  async run(setting) {
    const cache = await setting.objects()
    const { objects, structured } = await setting.lmdb()
    const ours = (from: number): number => {
      let sum = 0
      for (let i = from; i < from + BATCH; i++) sum += cache.getSync(walkKeys[i & WALK_MASK]!)?.name.length ?? 0
      return sum
    }
    const lmdb = (store: LmdbStore<Person>) => (from: number): number => {
      let sum = 0
      for (let i = from; i < from + BATCH; i++) sum += store.get(walkKeys[i & WALK_MASK]!)?.name.length ?? 0
      return sum
    }
    const results = await runRounds(
      [
        { name: 'getSync', slice: (ms) => rateSync(ms, NAME_LENGTH, ours) },
        { name: 'lmdb get', slice: (ms) => rateSync(ms, NAME_LENGTH, lmdb(objects)) },
        { name: 'lmdb get, structured', slice: (ms) => rateSync(ms, NAME_LENGTH, lmdb(structured)) },
      ],
      setting,
    )
    return [
      compare(results, { figure: 'getSync, object', unit: 'op/s', ours: 'getSync', peer: 'lmdb get', target: { atLeast: 2.5 } }),
      compare(results, { figure: 'getSync, object', unit: 'op/s', ours: 'getSync', peer: 'lmdb get, structured' }),
    ]
  },
}

export const getAwaited: Figure = {
  name: 'get-awaited',
  group: 'get',
  async run(setting) {
    const cache = await setting.strings()
    const { strings } = await setting.lmdb()
    const redis = await setting.redis()
    const ours = async (from: number): Promise<number> => {
      let sum = 0
      for (let i = from; i < from + BATCH; i++) sum += (await cache.get(walkKeys[i & WALK_MASK]!))?.length ?? 0
      return sum
    }
    const lmdb = (from: number): number => {
      let sum = 0
      for (let i = from; i < from + BATCH; i++) sum += strings.get(walkKeys[i & WALK_MASK]!)?.length ?? 0
      return sum
    }
    const contestants: Contestant[] = [
      { name: 'get', slice: (ms) => rateAwaited(ms, VALUE_BYTES, ours) },
      { name: 'lmdb get', slice: (ms) => rateSync(ms, VALUE_BYTES, lmdb) },
    ]
    if (redis) contestants.push({ name: 'ioredis get', slice: (ms) => rateInFlight(ms, WINDOW, (step) => redis.get(walkKeys[step]!)) })
    const results = await runRounds(contestants, setting)
    return [
      compare(results, { figure: 'get, awaited one by one', unit: 'op/s', ours: 'get', peer: 'lmdb get', target: { atLeast: 1.2 } }),
      compare(results, { figure: 'get, awaited one by one; peer pipelined', unit: 'op/s', ours: 'get', peer: 'ioredis get', target: { atLeast: 8 } }),
    ]
  },
}
