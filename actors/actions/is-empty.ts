/** Over all shards, in shared memory: looks for one entry, behind what this handle has sent. */
import type { Action, CallOptions } from '../action.js'
import { checkCallOptions } from '../action.js'
import { scanEntries } from '../scan.js'
import { sync } from './sync.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /** Whether there is no entry, expired ones left out. */
    isEmpty(options?: CallOptions): Promise<boolean>
  }
}

export const isEmpty: Action = {
  name: 'isEmpty', writes: false, arity: 0, options: [],
  async call(caller, options?: CallOptions) {
    checkCallOptions(isEmpty, options)
    caller.refuseIfStopped()
    await caller.settled(sync, options)
    if (caller.readers.every((reader) => reader.entries === 0)) return true
    let empty = true
    await scanEntries(caller, { values: false, expired: caller.readClock === null }, () => {
      empty = false
      return 'stop'
    })
    return empty
  },
}
