/** How long a caller waits for work that goes on without it: `timeout` and `signal` bound the wait, never the work. */
import { DEFAULT_TIMEOUT_MS, readTimeout } from '../../runtime/actor.js'
import { CacheError } from '../../runtime/errors.js'
import type { CallOptions } from '../action.js'

/**
 * `work`, or `ERR_TIMEOUT` when the caller's time is up, or the signal's reason when it is aborted. Made for very many at a time.
 *
 * @param what names the call in the error
 * @param map what the caller gets of the result
 * @param giveUp is called when the caller's time is up; the error that it gets, if that is another one
 */
export function bounded<T, R = T>(work: Promise<T>, options: CallOptions | undefined, what: string, map?: (result: T) => R, giveUp?: (timeoutMs: number) => CacheError | undefined): Promise<R> {
  const timeoutMs = options === undefined ? DEFAULT_TIMEOUT_MS : readTimeout(options)
  const signal = options?.signal
  return new Promise((resolve, reject) => {
    let abort: (() => void) | undefined
    const settle = (): void => {
      clearTimeout(timer)
      if (abort !== undefined) signal!.removeEventListener('abort', abort)
    }
    const late = (): void => {
      settle()
      reject(giveUp?.(timeoutMs) ?? new CacheError('ERR_TIMEOUT', `${what} did not end within ${timeoutMs} ms: it goes on; give a longer timeout`, { outcome: 'unknown', timeout: timeoutMs }))
    }
    const timer = setTimeout(late, timeoutMs)
    if (signal !== undefined) {
      abort = () => {
        settle()
        // The reason may be anything.
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
        reject(signal.reason)
      }
      signal.addEventListener('abort', abort, { once: true })
    }
    const mapped = map === undefined ? work as unknown as Promise<R> : work.then(map) // without a map R is T
    mapped.then((value) => {
      settle()
      resolve(value)
    }, () => {
      settle()
      resolve(mapped)
    })
  })
}
