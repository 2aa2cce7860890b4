/** Caches of one thread's heap beside ours, to know the price of sharing. Nothing is promised here. */
import { KEYS, VALUE_BYTES, WALK_MASK, keys, texts, walkKeys } from '../data.js'
import { BATCH, rateAwaited, rateInFlight, rateSync } from '../measure.js'
import { createBento } from '../peers/bentocache.js'
import { createKeyv } from '../peers/keyv.js'
import { createLru } from '../peers/lru.js'
import { compare, runRounds } from '../rounds.js'
import type { Figure } from '../setting.js'

const WINDOW = 256

/** A loop of its own for each contestant, so that each one's call is compiled for it alone. */
function awaitedReads(get: (key: string) => Promise<string | undefined>): (ms: number) => Promise<number> {
  const batch = async (from: number): Promise<number> => {
    let sum = 0
    for (let i = from; i < from + BATCH; i++) sum += (await get(walkKeys[i & WALK_MASK]!))?.length ?? 0
    return sum
  }
  return (ms) => rateAwaited(ms, VALUE_BYTES, batch)
}

function writesInFlight(put: (key: string, value: string) => Promise<unknown>): (ms: number) => Promise<number> {
  return (ms) => rateInFlight(ms, WINDOW, (step) => put(walkKeys[step]!, texts[step % KEYS]!))
}

export const peersReading: Figure = {
  name: 'peers-get',
  group: 'peers',
  async run(setting) {
    const cache = await setting.strings()
    const keyv = await createKeyv()
    const bento = await createBento()
    const lru = createLru(KEYS * 2)
    for (const [i, key] of keys.entries()) lru.set(key, texts[i]!)
    const ours = (from: number): number => {
      let sum = 0
      for (let i = from; i < from + BATCH; i++) sum += cache.getSync(walkKeys[i & WALK_MASK]!)?.length ?? 0
      return sum
    }
    const theirs = (from: number): number => {
      let sum = 0
      for (let i = from; i < from + BATCH; i++) sum += lru.get(walkKeys[i & WALK_MASK]!)?.length ?? 0
      return sum
    }
    try {
      const results = await runRounds(
        [
          { name: 'get', slice: awaitedReads((key) => cache.get(key)) },
          { name: 'keyv get', slice: awaitedReads((key) => keyv.get(key)) },
          { name: 'bentocache get', slice: awaitedReads((key) => bento.get(key)) },
          { name: 'getSync', slice: (ms) => rateSync(ms, VALUE_BYTES, ours) },
          { name: 'lru-cache get', slice: (ms) => rateSync(ms, VALUE_BYTES, theirs) },
        ],
        setting,
      )
      return [
        compare(results, { figure: 'get, awaited one by one', unit: 'op/s', ours: 'get', peer: 'keyv get' }),
        compare(results, { figure: 'get, awaited one by one', unit: 'op/s', ours: 'get', peer: 'bentocache get' }),
        compare(results, { figure: 'getSync, string', unit: 'op/s', ours: 'getSync', peer: 'lru-cache get' }),
      ]
    } finally {
      await bento.close()
    }
  },
}

export const peersWriting: Figure = {
  name: 'peers-put',
  group: 'peers',
  async run(setting) {
    const cache = await setting.strings()
    const keyv = await createKeyv()
    const bento = await createBento()
    const lru = createLru(KEYS * 2)
    const theirs = (from: number): number => {
      for (let i = from; i < from + BATCH; i++) lru.set(walkKeys[i & WALK_MASK]!, texts[i % KEYS]!)
      return BATCH
    }
    try {
      const results = await runRounds(
        [
          { name: 'put', slice: writesInFlight((key, value) => cache.put(key, value)) },
          { name: 'keyv set', slice: writesInFlight((key, value) => keyv.set(key, value)) },
          { name: 'bentocache set', slice: writesInFlight((key, value) => bento.set(key, value)) },
          { name: 'lru-cache set', slice: (ms) => rateSync(ms, 1, theirs) },
        ],
        setting,
      )
      return [
        compare(results, { figure: 'put, 256 in flight', unit: 'op/s', ours: 'put', peer: 'keyv set' }),
        compare(results, { figure: 'put, 256 in flight', unit: 'op/s', ours: 'put', peer: 'bentocache set' }),
        compare(results, { figure: 'put, 256 in flight', unit: 'op/s', ours: 'put', peer: 'lru-cache set' }),
      ]
    } finally {
      await bento.close()
    }
  },
}
