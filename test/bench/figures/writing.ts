/** Writes of one thread: many in flight, one at a time, and counters. */
import { texts, walk, walkKeys } from '../data.js'
import { medianLatency, rateInFlight } from '../measure.js'
import { compare, runRounds, type Contestant } from '../rounds.js'
import type { Figure } from '../setting.js'

const WINDOW = 256
const WIDE_WINDOW = 4096

/** `counter:0` to `counter:999`. */
const COUNTERS = 1000

/** Every write gives a key another value than it had: its neighbour's. */
function value(step: number): string {
  return texts[(walk[step]! + step) % texts.length]!
}

export const putInFlight: Figure = {
  name: 'put-in-flight',
  group: 'put',
  async run(setting) {
    const cache = await setting.strings()
    const { strings } = await setting.lmdb()
    const redis = await setting.redis()
    const contestants: Contestant[] = [
      { name: 'put', slice: (ms) => rateInFlight(ms, WINDOW, (step) => cache.put(walkKeys[step]!, value(step))) },
      { name: 'lmdb put', slice: (ms) => rateInFlight(ms, WINDOW, (step) => strings.put(walkKeys[step]!, value(step))) },
      { name: 'put, wide', slice: (ms) => rateInFlight(ms, WIDE_WINDOW, (step) => cache.put(walkKeys[step]!, value(step))) },
      { name: 'lmdb put, wide', slice: (ms) => rateInFlight(ms, WIDE_WINDOW, (step) => strings.put(walkKeys[step]!, value(step))) },
    ]
    if (redis) contestants.push({ name: 'ioredis set', slice: (ms) => rateInFlight(ms, WINDOW, (step) => redis.set(walkKeys[step]!, value(step))) })
    const results = await runRounds(contestants, setting)
    return [
      compare(results, { figure: 'put, 256 in flight', unit: 'op/s', ours: 'put', peer: 'lmdb put', target: { atLeast: 1.5 } }),
      compare(results, { figure: 'put, 256 in flight', unit: 'op/s', ours: 'put', peer: 'ioredis set', target: { atLeast: 4 } }),
      compare(results, { figure: 'put, 4,096 in flight', unit: 'op/s', ours: 'put, wide', peer: 'lmdb put, wide' }),
    ]
  },
}

export const putLatency: Figure = {
  name: 'put-latency',
  group: 'put',
  async run(setting) {
    const cache = await setting.strings()
    const redis = await setting.redis()
    const contestants: Contestant[] = [{ name: 'put', slice: (ms) => medianLatency(ms, (step) => cache.put(walkKeys[step]!, value(step))) }]
    if (redis) contestants.push({ name: 'ioredis set', slice: (ms) => medianLatency(ms, (step) => redis.set(walkKeys[step]!, value(step))) })
    const results = await runRounds(contestants, setting)
    return [compare(results, { figure: 'put, one at a time, median', unit: 'ms', ours: 'put', peer: 'ioredis set', target: { atMost: 0.25 } })]
  },
}

export const incrInFlight: Figure = {
  name: 'incr-in-flight',
  group: 'incr',
  async run(setting) {
    const cache = await setting.strings()
    const redis = await setting.redis()
    const counters = Array.from(walk, (n) => `counter:${n % COUNTERS}`)
    const contestants: Contestant[] = [{ name: 'incr', slice: (ms) => rateInFlight(ms, WINDOW, (step) => cache.incr(counters[step]!)) }]
    if (redis) contestants.push({ name: 'ioredis incr', slice: (ms) => rateInFlight(ms, WINDOW, (step) => redis.incr(counters[step]!)) })
    const results = await runRounds(contestants, setting)
    return [compare(results, { figure: 'incr, 256 in flight', unit: 'op/s', ours: 'incr', peer: 'ioredis incr', target: { atLeast: 3 } })]
  },
}
