/** By keys: one `get` for each, all in flight at once. */
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
    const all = keysOf(keys, 'getMany')
    const values: unknown[] = []
    try {
      for (const key of all) values.push(get.call(caller, key as never, options as never))
    } catch (error) {
      // With the others, so that none of them fails unheard.
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
      values.push(Promise.reject(error))
    }
    return Promise.all(values)
  },
}

/** The argument of an action on several keys. */
export function keysOf(keys: unknown, action: string): unknown[] {
  if (typeof keys === 'object' && keys !== null && Symbol.iterator in keys) return [...keys as Iterable<unknown>]
  throw invalidArgument(`${action} needs an array of keys`)
}
