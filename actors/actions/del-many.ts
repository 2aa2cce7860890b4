/** By keys: one `del` for each, once all of them are known to be keys. */
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import { together } from '../calls/together.js'
import type { Key } from '../../runtime/codec/key.js'
import { gathered } from '../cluster/gather.js'
import { sum } from './clear.js'
import { del } from './del.js'
import { keysOf } from './get-many.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Removes several keys, each on its own. Resolves with how many were there.
     *
     * @example
     * await users.delMany(['ada', 'eve'])    // → 1
     */
    delMany(keys: readonly Key[], options?: CallOptions): Promise<number>
  }
}

export const delMany: Action = {
  name: 'delMany', many: true, writes: true, keyed: true, arity: 1, options: [],
  call(caller, keys: unknown, options?: CallOptions) {
    checkCallOptions(delMany, options)
    const all = keysOf(keys, 'delMany')
    // Every key is looked at before the first one is removed.
    for (const key of all) caller.key(key)
    if (all.length === 0) caller.refuseIfStopped()
    const remove = (key: unknown): unknown => del.call(caller, key as never, options as never)
    if (caller.telling) return all.map(remove).every(Boolean)
    return together(all, remove).then((were) => were.filter(Boolean).length)
  },
  keysIn: ([keys]) => keysOf(keys, 'delMany'),
  spread(call) {
    const all = keysOf(call.args[0], 'delMany')
    const parts = [...call.byOwner(all)].map(([node, positions]) => ({ node, run: () => call.at(node, [positions.map((position) => all[position])]) }))
    if (call.caller.telling) return parts.map(({ run }) => run()).every(Boolean)
    return gathered(parts, (results) => sum(results.map(([, count]) => count)), call.options, true)
  },
}
