/** How long a caller waits for work that goes on without it: `timeout` and `signal` bound the wait, never the work. */
import { DEFAULT_TIMEOUT_MS, readTimeout } from '../runtime/actor.js'
import { CacheError } from '../runtime/errors.js'
import type { CallOptions } from './action.js'

/**
 * `work`, or `ERR_TIMEOUT` when the caller's time is up, or the signal's reason when it is aborted.
 *
 * @param what names the call in the error
 */
export function bounded<T>(work: Promise<T>, options: CallOptions | undefined, what: string): Promise<T> {
  const timeoutMs = options === undefined ? DEFAULT_TIMEOUT_MS : readTimeout(options)
  const signal = options?.signal
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      settle()
      // The reason may be anything.
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
      reject(signal!.reason)
    }
    const timer = setTimeout(() => {
      settle()
      reject(new CacheError('ERR_TIMEOUT', `${what} did not end within ${timeoutMs} ms: it goes on; give a longer timeout`, { outcome: 'unknown', timeout: timeoutMs }))
    }, timeoutMs)
    const settle = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
    signal?.addEventListener('abort', abort, { once: true })
    void work.then(resolve, reject).finally(settle)
  })
}
