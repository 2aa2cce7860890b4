/** A function module whose function ends the thread that runs it: called in a shard, it kills the shard at work. */
import { isMainThread } from 'node:worker_threads'
import { library } from './subject.js'

const { defineFunctions } = await library()

export const saboteur = defineFunctions('saboteur', import.meta.url, {
  exit(value: unknown): unknown {
    if (!isMainThread) process.exit(1)
    return value
  },
})
