/** Functions for tests of walks: filters as an application would have them, and bad ones. */
import { defineFunctions, type Entry } from 'scatterhoard'

export const filters = defineFunctions('filters', import.meta.url, {
  even: ({ value }: Entry) => (value as number) % 2 === 0,
  all: (_entry: Entry) => true,
  none: (_entry: Entry) => undefined,
  whole: (entry: Entry) => Object.keys(entry).join() === 'key,value,modified,expires' && Number.isInteger(entry.modified) && (entry.expires === null || Number.isInteger(entry.expires)),
  spoiling: (entry: Entry) => {
    const had = entry.key
    entry.key = 'spoiled'
    entry.value = 'spoiled'
    return had !== 'spoiled'
  },
  slow: (_entry: Entry) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    return true
  },
  fail: ({ key }: Entry): boolean => {
    if (key === 'bad') throw new RangeError('not this one')
    return true
  },
  hang: (_entry: Entry): boolean => { for (;;); },
  exit: (_entry: Entry): boolean => process.exit(3),
  later: async (_entry: Entry) => true,
})
