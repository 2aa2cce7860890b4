/** Functions that run in shards under test: two that update a value, and two that end the shard. */
import { defineFunctions } from 'scatterhoard'
import { isMainThread } from 'node:worker_threads'

export const arithmetic = defineFunctions('arithmetic', import.meta.url, {
  plus: (value: unknown, by: number) => (typeof value === 'number' ? value : 0) + by,
  append: (value: unknown, item: unknown) => [...Array.isArray(value) ? value as unknown[] : [], item],
  /** Ends the thread. */
  exit: (value: unknown) => {
    if (!isMainThread) process.exit(1)
    return value
  },
  /** Ends with its time limit. */
  hang: (): unknown => {
    for (;;);
  },
})
