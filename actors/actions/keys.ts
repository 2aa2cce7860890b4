/** Over all shards, in shared memory: a walk in batches, behind what this handle has sent. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Key } from '../../runtime/codec/key.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import { Patience } from '../patience.js'
import { collectKeys, keyAt, scanEntries } from '../walk.js'
import { sync } from './sync.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * All keys that have not expired; in order if the cache is `ordered`, else in none. A key that is there throughout is met exactly once.
     *
     * @example
     * const keys = await users.keys()
     * keys.sort()    // → ['ada', 'bob']
     */
    keys(options?: CallOptions): Promise<Key[]>
  }
}

/** Keys that are merged between two turns of the event loop. */
const TURN_KEYS = 10_000

export const keys: Action = {
  name: 'keys', writes: false, arity: 0, options: [],
  async call(caller, options?: CallOptions) {
    checkCallOptions(keys, options)
    caller.refuseIfStopped()
    const patience = Patience.ofAll(options)
    await caller.settled(sync, patience.step)
    const expired = caller.readClock === null
    const found: unknown[] = []
    if (!caller.config.ordered) {
      await scanEntries(caller, { expired, patience }, (batch, index) => void found.push(keyAt(batch, index)))
      return found
    }
    for (const key of (await collectKeys(caller, expired, patience)).merged()) {
      if (found.push(key) % TURN_KEYS !== 0) continue
      await nextTurn()
      patience.check()
    }
    return found
  },
}
