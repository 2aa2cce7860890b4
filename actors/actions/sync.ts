/** To one shard: for actions on the whole cache that read shared memory behind what was sent. */
import type { Action } from '../action.js'

/** Not public: does nothing, behind everything that the caller sent before, what waits for a transaction included. */
export const sync: Action = {
  name: 'sync', writes: false, arity: 0, options: [],
  call: () => undefined,
  claim: (_shard, { client }) => ({ kind: 'read', hash: undefined, client }),
  apply: () => undefined,
}
