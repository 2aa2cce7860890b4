/** To one shard, by whoever ends a transaction: publishes or drops what it prepared there, and gives its locks back. */
import type { Action } from '../action.js'

/** Not public. The rest: `[slot, generation]`. May be done again. */
export const conclude: Action = {
  name: 'conclude', writes: false, arity: 0, options: [],
  call: () => undefined,
  apply(shard, request) {
    const [slot, generation] = shard.rest(request) as [number, number]
    shard.transactions.conclude({ slot, generation })
  },
}
