import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import { invalidArgument } from '../../runtime/errors.js'
import type { Key } from '../../runtime/codec/key.js'
import { get } from './get.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /** The values of several keys, in their order; `undefined` where one is missing. */
    getMany(keys: readonly Key[], options?: CallOptions): Promise<(V | undefined)[]>
  }
}

export const getMany: Action = {
  name: 'getMany', writes: false, arity: 1, options: [],
  call(caller, keys: unknown, options?: CallOptions) {
    checkCallOptions(getMany, options)
    return Promise.all(keysOf(keys, 'getMany').map((key) => get.call(caller, key as never, options as never)))
  },
}

/** The argument of an action on several keys. */
export function keysOf(keys: unknown, action: string): unknown[] {
  if (typeof keys === 'object' && keys !== null && Symbol.iterator in keys) return [...keys as Iterable<unknown>]
  throw invalidArgument(`${action} needs an array of keys`)
}
