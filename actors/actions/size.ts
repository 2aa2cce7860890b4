/** Over all shards of all nodes, in shared memory: adds up their counters, or scans if expired entries are left out. */
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import { invalidArgument } from '../../runtime/errors.js'
import { Patience } from '../calls/patience.js'
import { scanEntries } from '../walks/walk.js'
import { sum } from './clear.js'
import { sync } from './sync.js'

export interface SizeOptions extends CallOptions {
  /** `false`: only those that have not expired, counted one by one. Default `true`: also those not removed yet. */
  expired?: boolean | undefined
}

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * How many entries there are.
     *
     * @example
     * await users.size()                       // → 2
     * await users.size({ expired: false })     // → 2
     */
    size(options?: SizeOptions): Promise<number>
  }
}

export const size: Action = {
  name: 'size', writes: false, arity: 0, options: ['expired'],
  async call(caller, options?: SizeOptions) {
    checkCallOptions(size, options)
    if (options?.expired !== undefined && typeof options.expired !== 'boolean') throw invalidArgument('the option expired of size is true or false')
    caller.refuseIfStopped()
    const patience = Patience.ofAll(options)
    await caller.settled(sync, patience.step)
    let entries = 0
    if (options?.expired === false) await scanEntries(caller, { expired: false, patience, everywhere: false }, () => void entries++)
    else for (const reader of caller.readers) entries += reader.entries
    return entries
  },
  merge: sum,
}
