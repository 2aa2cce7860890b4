/** What a decoder throws: `ERR_FRAME` over bytes that are not a value, and what is not their fault as what it is. */
import { CacheError } from '../errors.js'

/** A user's code failed on data that was stored by other code: not the fault of the bytes. */
export class FromDataError extends Error {}

export function malformed(what: string): never {
  throw new CacheError('ERR_FRAME', `malformed value: ${what}`)
}

/** Whatever went wrong below: our own errors as they are; a regular expression that is none, a BigInt that is too large, … are bad bytes. */
export function malformedBy(thrown: unknown): unknown {
  if (thrown instanceof CacheError) return thrown
  if (thrown instanceof FromDataError) return new CacheError('ERR_FUNCTION_FAILED', thrown.message, { cause: thrown.cause })
  return new CacheError('ERR_FRAME', 'malformed value', { cause: thrown })
}
