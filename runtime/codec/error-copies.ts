/** Which errors a decoder makes, and which properties they may be given. */
import { CacheError } from '../errors.js'
import type { ERROR_KINDS } from './tags.js'

const ERROR_CLASSES = { Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError } as const

/** Names that a stored error may not give its copy. */
export const REFUSED_NAMES = new Set(['__proto__', 'constructor', 'message'])

/** Properties that built-in errors have, but do not show. */
export const HIDDEN = new Set(['name', 'stack', 'cause'])

/** An error of that kind, without a stack: its own is that of where it came from, and comes as a property. */
export function newError(kind: (typeof ERROR_KINDS)[number], message: string | undefined): Error {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    if (kind === 'CacheError') return new CacheError('ERR_FRAME', message ?? '')
    if (kind === 'AggregateError') return new AggregateError([], message)
    return new ERROR_CLASSES[kind](message)
  } finally {
    Error.stackTraceLimit = limit
  }
}
