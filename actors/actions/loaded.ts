/** By key, by whoever has loaded it: the result of a load, or its error. */
import type { Action } from '../action.js'

/** Not public. The second section is the encoded value, or the description of an error; the rest `[number, isError, stores, expireMs]`. Resolves with whether it was stored. */
export const loaded: Action = {
  name: 'loaded', writes: true, keyed: true, arity: 0, options: [],
  call: () => undefined,
  apply(shard, request) {
    const [number, isError, stores, expireMs] = shard.rest(request) as [number, boolean, boolean, number | null | undefined]
    const mayStore = shard.loads.mayStore(request, number)
    if (mayStore === undefined) return false
    let stored = false
    if (mayStore && stores) {
      try {
        shard.putRequest(request, expireMs === undefined ? shard.config.defaultExpireMs : expireMs)
        stored = true
      } catch {
        // Full, or too large: those who wait get it all the same.
      }
    }
    shard.loads.end(request, isError, request.bytes, request.aEnd, request.bEnd)
    return stored
  },
}
