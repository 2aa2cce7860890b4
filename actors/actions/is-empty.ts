/** Over all shards, in shared memory: looks for one entry, behind what this handle has sent. */
import type { Action, CallOptions } from '../action.js'
import { checkCallOptions } from '../action.js'
import { Patience } from '../calls/patience.js'
import { scanEntries } from '../walks/walk.js'
import { sync } from './sync.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Whether there is no entry, expired ones left out.
     *
     * @example
     * await users.isEmpty()    // → false
     */
    isEmpty(options?: CallOptions): Promise<boolean>
  }
}

export const isEmpty: Action = {
  name: 'isEmpty', writes: false, arity: 0, options: [],
  async call(caller, options?: CallOptions) {
    checkCallOptions(isEmpty, options)
    caller.refuseIfStopped()
    const patience = Patience.ofAll(options)
    await caller.settled(sync, patience.step)
    if (caller.readers.every((reader) => reader.entries === 0)) return true
    let empty = true
    await scanEntries(caller, { expired: caller.readClock === null, patience, everywhere: false }, () => {
      empty = false
      return 'stop'
    })
    return empty
  },
  merge: (results) => results.every(Boolean),
}
