/** To one shard, by a reader that has met an entry whose time has come, where somebody watches for that. */
import type { Action } from '../action.js'

/** Not public: removes the entry of a key if its time has come. */
export const lapse: Action = {
  name: 'lapse', writes: true, keyed: true, arity: 1, options: [],
  call: () => undefined,
  apply: (shard, request) => shard.lapse(request),
}
