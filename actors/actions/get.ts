/** By key: reads shared memory, and asks the shard only behind a write of this handle or beside a busy writer. */
import type { Action, CallOptions } from '../action.js'
import { checkCallOptions } from '../action.js'
import { BUSY, MISSING } from '../../runtime/table/reader.js'
import type { Key } from '../../runtime/codec/key.js'

export interface GetOptions<D> extends CallOptions {
  /** What a missing key reads as. Default `undefined`. */
  default?: D
}

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * The value of a key; the default, or `undefined`, if it is missing. Reads shared memory, without a message, unless
     * a write of this handle to the key is unanswered: then it goes behind it.
     *
     * @example
     * await users.get('ada')                        // → { name: 'Ada', age: 36, visits: 1 }
     * await users.get('eve')                        // → undefined
     * await users.get('eve', { default: null })     // → null
     */
    get<D = undefined>(key: Key, options?: GetOptions<D>): Promise<V | D>
  }
  interface SpecialReplies<V, M extends readonly unknown[]> {
    get: V | (M extends readonly ['get', unknown, { readonly default: infer D }] ? D : undefined)
  }
}

export const get: Action = {
  name: 'get', writes: false, keyed: true, arity: 1, options: ['default'],
  call(caller, key: unknown, options?: GetOptions<unknown>) {
    if (options !== undefined) checkCallOptions(get, options)
    caller.key(key)
    if (!caller.hasUnansweredWrite) {
      const value = caller.read()
      if (value !== BUSY) {
        if (caller.counters !== null) caller.countLookup(value !== MISSING)
        return Promise.resolve(value === MISSING ? options?.default : value)
      }
    }
    const reply = caller.send(get, options)
    // A stored value is never undefined.
    return options?.default === undefined ? reply : reply.then((value) => value ?? (value === undefined ? options.default : value))
  },
  // As the beginning of `call`, which is slower if it calls this.
  atOnce(caller, key: unknown, options?: GetOptions<unknown>) {
    checkCallOptions(get, options)
    caller.key(key)
    const value = caller.hasUnansweredWrite ? BUSY : caller.read()
    if (value === BUSY) return BUSY
    if (caller.counters !== null) caller.countLookup(value !== MISSING)
    return value === MISSING ? options?.default : value
  },
  spread(call) {
    const value = call.at(call.ownerOf(call.args[0]), call.args, ['default'])
    // A stored value is never undefined.
    return call.options?.['default'] === undefined ? value : (value as Promise<unknown>).then((found) => (found === undefined ? call.options!['default'] : found))
  },
  apply(shard, request) {
    const block = shard.readable(request)
    shard.countLookup(block !== 0)
    if (block === 0) return undefined
    shard.writer.noteRead(block)
    return shard.replyValueOf(block)
  },
}
