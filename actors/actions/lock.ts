/** To one shard, by a transaction: locks keys, once nobody else holds them. */
import type { Action } from '../action.js'
import { holderOf } from '../transactions/locks.js'
import type { Shard } from '../shards/shard.js'
import type { Request } from '../../runtime/mailbox/inlet.js'

/** Not public. The rest: `[slot, generation, hashes, exclusive]`. */
export const lock: Action = {
  name: 'lock', writes: false, arity: 0, options: [],
  call: () => undefined,
  claim(shard, request) {
    const { slot, generation, hashes, exclusive } = read(shard, request)
    const holder = holderOf(slot, generation & 0xff)
    return exclusive ? { kind: 'exclusive', holder } : { kind: 'keys', hashes, holder }
  },
  apply(shard, request) {
    const { slot, generation, hashes, exclusive } = read(shard, request)
    shard.transactions.lock({ slot, generation }, hashes, exclusive)
  },
}

function read(shard: Shard, request: Request): { slot: number; generation: number; hashes: number[]; exclusive: boolean } {
  const [slot, generation, hashes, exclusive] = shard.rest(request) as [number, number, number[], boolean]
  return { slot, generation, hashes, exclusive }
}
