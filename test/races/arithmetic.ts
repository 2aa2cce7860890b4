/** Functions that run in shards under test: one that counts, and two that end the shard. */
import { defineFunctions } from 'scatterhoard'
import { isMainThread } from 'node:worker_threads'

export const arithmetic = defineFunctions('arithmetic', import.meta.url, {
  plus: (value: unknown, by: number) => (typeof value === 'number' ? value : 0) + by,
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
