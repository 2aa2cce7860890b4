/** To one shard, by the janitor. */
import type { Action } from '../action.js'

/** Not public: the janitor's word to a shard to begin a sweep of expired entries, in slices between messages. */
export const sweep: Action = {
  name: 'sweep', writes: false, arity: 0, options: [],
  call: () => undefined,
  apply: (shard) => shard.upkeep.beginSweep(),
}
