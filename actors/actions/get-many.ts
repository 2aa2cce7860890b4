/** By keys: a snapshot of shared memory, behind what this handle has sent; if writers leave no moment for one, the keys are locked for it. */
import { bounded } from '../calls/deadline.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import { runTransaction, transact } from '../transactions/transaction.js'
import { invalidArgument } from '../../runtime/errors.js'
import { BUSY, MISSING } from '../../runtime/table/reader.js'
import { Snapshot } from '../../runtime/table/snapshot.js'
import type { Caller } from '../calls/caller.js'
import { gathered } from '../cluster/gather.js'
import type { EncodedEntry } from '../walks/entry-batch.js'
import type { Key } from '../../runtime/codec/key.js'
import { get } from './get.js'
import { sync } from './sync.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * The values of several keys, in their order; `undefined` where one is missing. They all held at one moment: never half of what a
     * transaction or `putMany` has written. In a cluster that is so for the keys of each node.
     *
     * @example
     * const [ada, eve] = await users.getMany(['ada', 'eve'])
     * ada?.name    // → 'Ada'
     * eve          // → undefined
     */
    getMany(keys: readonly Key[], options?: CallOptions): Promise<(V | undefined)[]>
  }
}

export const getMany: Action = {
  name: 'getMany', many: true, writes: false, keyed: true, arity: 1, options: [],
  call(caller, keys: unknown, options?: CallOptions) {
    checkCallOptions(getMany, options)
    const all = keysOf(keys, 'getMany')
    if (caller.plan !== undefined) return each(caller, all, options)
    const snapshot = new Snapshot()
    const entries: EncodedEntry[] = []
    let mustWait = false
    for (const key of all) {
      caller.key(key)
      caller.lookIn(snapshot)
      entries.push(caller.entry())
      mustWait ||= caller.hasUnansweredWrite
    }
    if (entries.length === 0) caller.refuseIfStopped()
    if (!mustWait) {
      const values = snapshot.read(caller.readClock)
      if (values !== BUSY) return Promise.resolve(found(caller, values))
    }
    return bounded(readBehind(caller, all, entries, snapshot, options), options, 'getMany')
  },
  keysIn: ([keys]) => keysOf(keys, 'getMany'),
  spread(call) {
    const all = keysOf(call.args[0], 'getMany')
    const groups = [...call.byOwner(all)]
    const parts = groups.map(([node, positions]) => ({ node, run: () => call.at(node, [positions.map((position) => all[position])]) }))
    return gathered(parts, (results) => {
      const values = all.map((): unknown => undefined)
      for (const [part, found] of results) for (const [index, position] of groups[part]![1].entries()) values[position] = (found as unknown[])[index]
      return values
    }, call.options, false)
  },
}

/** Behind this handle's own writes, and with the keys locked if there is no other way. */
async function readBehind(caller: Caller, keys: readonly unknown[], entries: readonly EncodedEntry[], snapshot: Snapshot, options: CallOptions | undefined): Promise<unknown[]> {
  await caller.settled(sync, { timeout: options?.timeout, signal: options?.signal })
  const values = snapshot.read(caller.readClock)
  if (values !== BUSY) return found(caller, values)
  return transact(caller, entries, options, (plan) => runTransaction(caller, plan, (inside) => each(inside, keys, undefined)))
}

function each(caller: Caller, keys: readonly unknown[], options: CallOptions | undefined): Promise<unknown[]> {
  return Promise.all(keys.map((key) => get.call(caller, key as never, options as never)))
}

function found(caller: Caller, values: readonly unknown[]): unknown[] {
  if (caller.counters !== null) for (const value of values) caller.countLookup(value !== MISSING)
  return values.map((value) => (value === MISSING ? undefined : value))
}

/** The argument of an action on several keys. */
export function keysOf(keys: unknown, action: string): unknown[] {
  if (typeof keys === 'object' && keys !== null && Symbol.iterator in keys) return [...keys as Iterable<unknown>]
  throw invalidArgument(`${action} needs an array of keys`)
}
