/** Several messages of one call. */
import { CacheError } from '../../runtime/errors.js'

/**
 * Sends something for each of `targets`: one that fails at once fails like one that fails later. If some failed and others did
 * not, what has happened is unknown as a whole.
 */
export async function together<T>(targets: readonly T[], send: (target: T, index: number) => unknown): Promise<unknown[]> {
  const sent = targets.map((target, index) => {
    try {
      return Promise.resolve(send(target, index))
    } catch (error) {
      // The reason of an aborted signal may be anything.
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
      return Promise.reject(error)
    }
  })
  const ends = await Promise.allSettled(sent)
  const failed = ends.find((end) => end.status === 'rejected')
  if (failed === undefined) return ends.map((end) => (end as PromiseFulfilledResult<unknown>).value)
  const error: unknown = failed.reason
  if (!(error instanceof CacheError) || error.outcome === 'unknown' || ends.every((end) => end.status === 'rejected' && isWithoutEffect(end.reason))) throw error
  throw new CacheError(error.code, error.message, { ...error, cause: error.cause, outcome: 'unknown' })
}

function isWithoutEffect(error: unknown): boolean {
  return error instanceof CacheError && error.outcome === 'none'
}
