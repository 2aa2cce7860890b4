/** Over all shards, in shared memory: a scan in batches, behind what this handle has sent. */
import { decodeKey, type Key } from '../../runtime/codec/key.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import { scanEntries } from '../scan.js'
import { sync } from './sync.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /** All keys that have not expired, in no order. A key that is there throughout is met exactly once. */
    keys(options?: CallOptions): Promise<Key[]>
  }
}

export const keys: Action = {
  name: 'keys', writes: false, arity: 0, options: [],
  async call(caller, options?: CallOptions) {
    checkCallOptions(keys, options)
    caller.refuseIfStopped()
    await caller.settled(sync, options)
    const found: unknown[] = []
    await scanEntries(caller, { values: false, expired: caller.readClock === null }, (batch, index) => {
      found.push(decodeKey(batch.scratch.bytes, batch.keyStarts[index]!, batch.keyEnds[index]!))
    })
    return found
  },
}
