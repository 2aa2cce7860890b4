/** Over all shards of all nodes: a walk in batches, behind what this handle has sent. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Key } from '../../runtime/codec/key.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import { errorCode } from '../../runtime/errors.js'
import { withResult } from '../cluster/cluster-walk.js'
import { KeyRuns } from '../walks/key-runs.js'
import { Patience } from '../calls/patience.js'
import { keyAt, scanEntries } from '../walks/walk.js'
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
    const { ordered } = caller.config
    const runs = new KeyRuns()
    let failure: unknown
    try {
      await scanEntries(caller, { expired, patience, everywhere: options?.local !== true }, (batch, index) => void (ordered ? runs.add(keyAt(batch, index)) : found.push(keyAt(batch, index))))
    } catch (error) {
      if (errorCode(error) !== 'ERR_PARTIAL') throw error
      failure = error
    }
    if (ordered) await takeOut(runs, found, patience)
    if (failure !== undefined) throw withResult(failure, found)
    return found
  },
}

async function takeOut(runs: KeyRuns, into: unknown[], patience: Patience): Promise<void> {
  for (const key of runs.merged()) {
    if (into.push(key) % TURN_KEYS !== 0) continue
    await nextTurn()
    patience.check()
  }
}
