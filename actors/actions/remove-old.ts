/** To one shard, by `prune`. */
import type { Action } from '../action.js'

/** Which entries go: those written before `last`, and of those written at that very time so many as `ties`; from a cursor on. */
export interface OldRequest {
  readonly cursor: number
  readonly last: number
  readonly ties: number
}

/** Where the next slice begins, 0 at the end; the ties that are left; how many were removed. */
export interface OldReply {
  readonly cursor: number
  readonly ties: number
  readonly removed: number
}

/** How long a shard removes for one message, in milliseconds. */
const SLICE_MS = 2

/** Not public: removes a slice of the entries that were written longest ago. */
export const removeOld: Action = {
  name: 'removeOld', writes: true, arity: 0, options: [],
  call: () => undefined,
  apply: (shard, request): OldReply => shard.upkeep.removeOld(shard.rest(request) as OldRequest, SLICE_MS),
}
