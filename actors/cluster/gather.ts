/** One call that several nodes carry out: their results as one, and what becomes of it when some of them fail. */
import { CacheError, errorCode } from '../../runtime/errors.js'
import type { CallOptions } from '../action.js'

/** What one node does of a call. */
export interface Part {
  readonly node: string
  readonly run: () => unknown
}

/** A result, and which of the parts it is of. */
export type PartResult = readonly [part: number, result: unknown]

/**
 * Runs all parts, and merges what they return. What the first part throws at once is an error of the arguments: nothing else is run then.
 *
 * @param merge of those that have succeeded, in order
 * @param writes whether something may have happened where it failed
 * @throws `ERR_PARTIAL` if some have failed, with `errors` by node, and `result` merged from the others; the first error if all have
 */
export async function gathered<T>(parts: readonly Part[], merge: (results: readonly PartResult[]) => T, options: CallOptions | undefined, writes: boolean): Promise<T> {
  const [first, ...others] = parts
  if (first === undefined) return merge([])
  const begun = first.run()
  const ends = await Promise.allSettled([begun, ...others.map(attempt)])
  const results: PartResult[] = []
  const errors: Record<string, unknown> = Object.create(null) as Record<string, unknown>
  let failure: { readonly error: unknown } | undefined
  for (const [index, end] of ends.entries()) {
    if (end.status === 'fulfilled') {
      results.push([index, end.value])
      continue
    }
    errors[parts[index]!.node] = end.reason
    failure ??= { error: end.reason }
  }
  if (failure === undefined) return merge(results)
  if (options?.signal?.aborted === true) throw options.signal.reason
  if (results.length === 0 || errorCode(failure.error) === 'ERR_INVALID_ARGUMENT') throw failure.error
  const names = Object.keys(errors)
  throw new CacheError('ERR_PARTIAL', `${names.length} of ${parts.length} nodes failed: ${names.map((name) => `${name} (${errorCode(errors[name]) ?? String(errors[name])})`).join(', ')}; 'errors' has why, 'result' what the others did`, {
    errors, result: merge(results), outcome: writes ? 'unknown' : 'none',
  })
}

// An error that is thrown at once is a failure of its part.
// eslint-disable-next-line @typescript-eslint/require-await
async function attempt({ run }: Part): Promise<unknown> {
  return run()
}
