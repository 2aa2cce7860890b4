/** The error of everything that can be wrong with a dump's file. */
import { CacheError } from '../errors.js'

export function dumpError(path: string, what: string, cause?: unknown): CacheError {
  const why = cause instanceof Error ? `: ${cause.message}` : ''
  return new CacheError('ERR_BAD_DUMP', `the dump ${path} ${what}${why}`, { path, cause })
}
