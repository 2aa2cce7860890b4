/** Functions for tests of caches on several nodes. */
import { defineFunctions, type Cache } from 'scatterhoard'

let loads = 0

export const beside = defineFunctions('beside', import.meta.url, {
  /** Another text each time and on each thread. */
  load: (key: string) => `${key} ${process.hrtime.bigint()} ${++loads}`,
  never: () => new Promise<string>(() => undefined),
  /** The value of a key if this node has it, or the code of the error. */
  see: (cache: Cache<unknown>, key: string) => {
    try {
      return cache.getSync(key)
    } catch (error) {
      return (error as { code?: unknown }).code
    }
  },
  /** A pair for each node, and one that says who ran last. */
  pairs: (state: string) => [...Array.from({ length: 20 }, (_, number) => [`${state} ${number}`, number]), [`${state} ran`, `${process.hrtime.bigint()}`]],
  read: (cache: Cache<unknown>, key: string) => cache.get(key),
  isEven: ({ value }: { value: unknown }) => typeof value === 'number' && value % 2 === 0,
})

export const forbidden = defineFunctions('forbidden', import.meta.url, {
  load: () => 'forbidden',
})
