/** By key, by whoever has called a registered function: stores what it has made of the entry. */
import type { Action } from '../action.js'

/** Not public. The rest is the time to live that was committed, if one was. The entry keeps its modified time, and without that its expiry too. */
export const storeMade: Action = {
  name: 'storeMade', writes: true, keyed: true, arity: 0, options: [],
  call: () => undefined,
  apply(shard, request) {
    const expireMs = shard.rest(request) as number | null | undefined
    const block = shard.live(request)
    if (block !== 0 && expireMs === undefined) shard.updateRequest(request, block)
    else shard.putRequest(request, expireMs === undefined ? shard.config.defaultExpireMs : expireMs, block === 0 ? undefined : shard.writer.modifiedAt(block))
  },
}
