/** By key: reads the expiry in shared memory, and asks the shard only behind a write of this handle or beside a busy writer. */
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import type { Key } from '../../runtime/codec/key.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Milliseconds that an entry has left, `null` if it has no expiry, `undefined` if it is missing.
     *
     * @example
     * await users.ttl('ada')    // → null
     * await users.ttl('eve')    // → undefined
     * const leftMs = await users.ttl('bob')
     */
    ttl(key: Key, options?: CallOptions): Promise<number | null | undefined>
  }
}

export const ttl: Action = {
  name: 'ttl', writes: false, keyed: true, arity: 1, options: [],
  call(caller, key: unknown, options?: CallOptions) {
    checkCallOptions(ttl, options)
    caller.key(key)
    if (!caller.hasUnansweredWrite) {
      const found = caller.locate()
      if (found === 0) return Promise.resolve(undefined)
      if (found === 1) return Promise.resolve(left(caller.readers[caller.shard]!.expiresAt, caller.clock.now()))
    }
    return caller.send(ttl, options)
  },
  apply(shard, request) {
    const block = shard.readable(request)
    return block === 0 ? undefined : left(shard.writer.expiresAt(block), shard.context.now())
  },
}

function left(expiresAt: number, now: number): number | null {
  return expiresAt === 0 ? null : Math.max(0, Math.ceil(expiresAt - now))
}
