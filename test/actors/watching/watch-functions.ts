/** Hooks and warmers for tests, as an application would have them. What they see they put into the cache that they get, under keys of their own. */
import { commit, defineFunctions, ignore, registerClass, type Cache, type Key } from 'scatterhoard'
import { setTimeout as sleep } from 'node:timers/promises'
import { Point } from '../point.js'

registerClass('Point', Point, { toData: ({ x, y }) => [x, y], fromData: ([x, y]) => new Point(x!, y!) })

/** What a hook was called with, as it puts it down. */
export interface Seen {
  message: unknown[]
  result: unknown
  state: unknown
}

let running = 0

async function note(name: string, cache: Cache<unknown>, seen: Seen): Promise<void> {
  await cache.getAndUpdate(`seen:${name}`, 'watching.append', { args: [seen] })
}

export const watching = defineFunctions('watching', import.meta.url, {
  append: (list: unknown[] | undefined, item: unknown) => [...list ?? [], item],
  /** Puts down what it sees, and counts: its state is a number. */
  log: async (message: unknown[], result: unknown, state: number, cache: Cache<unknown>) => {
    await note('log', cache, { message, result, state })
    return state + 1
  },
  logSecond: async (message: unknown[], result: unknown, state: unknown, cache: Cache<unknown>) => {
    await note('second', cache, { message, result, state })
    return state
  },
  /** Fails, hangs, or goes on, as the value of the message says. */
  moody: async (message: unknown[], result: unknown, state: number, cache: Cache<unknown>) => {
    const mood = message[2]
    if (mood === 'throw') throw new Error('in a mood')
    if (mood === 'never') await new Promise(() => undefined)
    if (mood === 'block') for (;;);
    if (mood === 'exit') process.exit(1)
    if (mood === 'closure') return () => 1
    if (mood === 'ignore') return ignore('not a state')
    if (mood === 'commit') return commit(100)
    await note('moody', cache, { message, result, state })
    return state + 1
  },
  /** Takes a while, and would notice another call of it beside it. */
  slow: async (message: unknown[], _result: unknown, _state: unknown, cache: Cache<unknown>) => {
    running++
    await sleep(5)
    await note('slow', cache, { message, result: running, state: undefined })
    running--
  },
  /** Looks what is there when it is called. */
  look: async (message: unknown[], result: unknown, _state: unknown, cache: Cache<unknown>) => {
    await note('look', cache, { message, result, state: await cache.get(message[1] as Key) })
  },
  /** Reads the point that was put. */
  point: async (message: unknown[], _result: unknown, state: Point | undefined, cache: Cache<unknown>) => {
    const put = message[2] as Point
    await note('point', cache, { message: [put instanceof Point, put.x], result: undefined, state: state instanceof Point ? state.x : state })
    return put
  },

  pairs: (count: number) => Array.from({ length: count }, (_, index) => [`warm:${index}`, index]),
  pairsFor: async (state: { expire: number | string | null }) => ({ pairs: [['timed', 1]] as const, expire: state.expire }),
  map: () => new Map([[{ a: 1 }, 'by a key that is an object']]),
  nothing: () => ignore(),
  badPairs: () => ({ pairs: 'none' }) as never,
  badKey: () => [[undefined as never, 1]],
  fails: () => {
    throw new RangeError('the source is down')
  },
  never: () => new Promise<never>(() => undefined),
})

/** Counts the runs of a warmer in the cache itself. */
export const rounds = defineFunctions('rounds', import.meta.url, {
  next: async (state: { name: string }) => {
    const { getCache } = await import('scatterhoard')
    const cache = getCache<number>(state.name)
    return [['round', (await cache.get('round') ?? 0) + 1]] as const
  },
})
