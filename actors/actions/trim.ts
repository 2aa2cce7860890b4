/** To one shard, by the limit's keeper. */
import type { Action } from '../action.js'

/** Not public: the word to a shard to evict what is beyond its limit of entries, in slices between messages. */
export const trim: Action = {
  name: 'trim', writes: false, arity: 0, options: [],
  call: () => undefined,
  apply: (shard) => shard.upkeep.beginTrim(),
}
