/** What a function returned, as it travels. */
import { Scratch } from '../../runtime/codec/scratch.js'
import { encodeValue } from '../../runtime/codec/value.js'
import { CacheError } from '../../runtime/errors.js'
import { functionFailed } from '../../runtime/functions.js'
import { Commit, Ignore } from './commit.js'
import { readExpire } from '../calls/expiry.js'
import type { ValueReply } from './function-wire.js'

/** A result, encoded, with what is to become of it. Throws a `CacheError` if it cannot be sent. */
export function encodeResult(name: string, result: unknown): ValueReply {
  const kind = result instanceof Commit ? 'commit' : result instanceof Ignore ? 'ignore' : 'value'
  const value: unknown = result instanceof Commit || result instanceof Ignore ? result.value : result
  const expire = result instanceof Commit ? result.options.expire : undefined
  try {
    const expireMs = expire === undefined ? undefined : readExpire(expire, 'the expire of commit')
    const scratch = new Scratch(256)
    encodeValue(value, scratch)
    return [kind, expireMs, scratch.bytes.subarray(0, scratch.end)]
  } catch (error) {
    if (error instanceof CacheError) throw error
    throw functionFailed(name, error)
  }
}
