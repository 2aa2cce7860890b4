/** What functions get besides their arguments, made on the thread where they run. */
import type { Cache } from './cache.js'
import { CacheError } from '../runtime/errors.js'
import type { Gift } from './function-call.js'

export function makeGift({ what }: Gift, cache: Cache<unknown>): unknown {
  if (what === 'cache') return cache
  throw new CacheError('ERR_INVALID_ARGUMENT', `nothing makes a ${what} for a function here`)
}
