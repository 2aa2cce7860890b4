/**
 * The errors of the project: one class, one stable code each, kept across threads and nodes.
 *
 * `describeError` and `reviveError` turn an error into structured data and back; every boundary
 * (mailbox replies, the control plane, the bridge) uses these two and nothing else.
 */

/** Every code that a `CacheError` can carry. */
export const ERROR_CODES = [
  'ERR_INVALID_OPTION', 'ERR_INVALID_ARGUMENT', 'ERR_NAME_TAKEN', 'ERR_STOPPED', 'ERR_TIMEOUT', 'ERR_MAILBOX_FULL',
  'ERR_BUSY', 'ERR_SHARD_CRASHED', 'ERR_DEADLOCK',
  'ERR_INVALID_KEY', 'ERR_UNSUPPORTED_VALUE', 'ERR_UNKNOWN_CLASS', 'ERR_TOO_LARGE', 'ERR_FULL', 'ERR_NON_NUMERIC_VALUE',
  'ERR_FUNCTION_NOT_REGISTERED', 'ERR_UNKNOWN_FUNCTION', 'ERR_ASYNC_FUNCTION', 'ERR_FUNCTION_FAILED',
  'ERR_FUNCTION_TIMEOUT', 'ERR_MODULE_LOAD', 'ERR_INVALID_COMMAND',
  'ERR_KEY_NOT_LOCKED', 'ERR_NOT_IN_TRANSACTION', 'ERR_CROSS_SLOT', 'ERR_REMOTE_KEY',
  'ERR_STATS_DISABLED', 'ERR_JANITOR_DISABLED', 'ERR_BAD_DUMP',
  'ERR_NODE_UNREACHABLE', 'ERR_NODE_DOWN', 'ERR_NO_CACHE', 'ERR_OPTIONS_DIFFER', 'ERR_PARTIAL',
  'ERR_UNAUTHENTICATED', 'ERR_FRAME',
  // of the runtime: an actor that is not a shard, and a message that no actor waits for
  'ERR_ACTOR_CRASHED', 'ERR_NO_ACTOR', 'ERR_UNKNOWN_MESSAGE', 'ERR_RESTART_LIMIT',
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

/** Whether the operation that failed has taken effect: certainly not, or nobody can say. */
export type Outcome = 'none' | 'unknown'

export interface ErrorDetails {
  /** The error behind this one. */
  cause?: unknown
  /** Whether it has happened all the same. Default `'none'`. */
  outcome?: Outcome
  /** Anything else becomes a property of the error: `key`, `node`, `option`, `function`, … */
  [detail: string]: unknown
}

/** What every failure of the library is: a stable `code`, an `outcome`, and a message that says what to do. */
export class CacheError extends Error {
  readonly code: ErrorCode
  readonly outcome: Outcome;
  readonly [detail: string]: unknown

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const { cause, outcome = 'none', ...rest } = details
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'CacheError'
    this.code = code
    this.outcome = outcome
    assignDetails(this, rest)
  }
}

/** A `TypeError` with `code: 'ERR_INVALID_ARGUMENT'`: an argument of the wrong kind. */
export function invalidArgument(message: string, details: Record<string, unknown> = {}): TypeError {
  const error = new TypeError(message)
  assignDetails(error, { code: 'ERR_INVALID_ARGUMENT', outcome: 'none', ...details })
  return error
}

/** The `code` of an error, whatever kind of thing was thrown. */
export function errorCode(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null ? (error as { code?: unknown }).code : undefined
  return typeof code === 'string' ? code : undefined
}

function assignDetails(error: Error, details: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(details)) {
    if (value === undefined || RESERVED.has(name)) continue
    Object.defineProperty(error, name, { value, enumerable: true, configurable: true, writable: true })
  }
}

const RESERVED = new Set(['name', 'message', 'stack', 'cause', '__proto__', 'constructor'])

const BUILT_IN = { Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError } as const

/** An error as structured data: what crosses a thread or a wire. */
export interface ErrorDescription {
  name: string
  message: string
  stack?: string
  cause?: unknown
  /** Own enumerable properties that are primitives, `code` and `outcome` among them. */
  details?: Record<string, string | number | boolean | null>
}

/** At most this many errors in a chain of causes are described. */
const MAX_CAUSES = 8

/** Describes whatever was thrown, so that `reviveError` can rebuild it elsewhere. Never throws. */
export function describeError(thrown: unknown, depth = 0): ErrorDescription {
  if (!isError(thrown)) return { name: 'Error', message: `non-error thrown: ${printable(thrown)}` }
  try {
    // Whoever made the error may have put anything there.
    const { name, message } = thrown as { name: unknown; message: unknown }
    const description: ErrorDescription = { name: typeof name === 'string' ? name : 'Error', message: typeof message === 'string' ? message : printable(message) }
    if (typeof thrown.stack === 'string') description.stack = thrown.stack
    if (thrown.cause !== undefined && depth < MAX_CAUSES) {
      description.cause = isError(thrown.cause) ? describeError(thrown.cause, depth + 1) : printable(thrown.cause)
    }
    const details: Record<string, string | number | boolean | null> = {}
    for (const [name, value] of Object.entries(thrown) as [string, unknown][]) {
      if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
        details[name] = value
      }
    }
    if (Object.keys(details).length > 0) description.details = details
    return description
  } catch {
    return { name: 'Error', message: 'an error that could not be described' }
  }
}

/** Rebuilds an error from its description: a `CacheError` where the code is one of ours, else the nearest built-in. */
export function reviveError(description: ErrorDescription): Error {
  const { name, message, stack, cause, details = {} } = description
  const revivedCause = isDescription(cause) ? reviveError(cause) : cause
  const options = revivedCause === undefined ? undefined : { cause: revivedCause }
  const code = details['code']
  const error = name === 'CacheError' && typeof code === 'string' && (ERROR_CODES as readonly string[]).includes(code)
    ? new CacheError(code as ErrorCode, message, { cause: revivedCause, outcome: details['outcome'] === 'unknown' ? 'unknown' : 'none' })
    : new (Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name as keyof typeof BUILT_IN] : Error)(message, options)
  if (error.name !== name) Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true })
  if (stack !== undefined) Object.defineProperty(error, 'stack', { value: stack, configurable: true, writable: true })
  assignDetails(error, details)
  return error
}

function isDescription(value: unknown): value is ErrorDescription {
  return typeof value === 'object' && value !== null && typeof (value as ErrorDescription).message === 'string'
}

/** `instanceof` that no proxy can make fail. */
function isError(value: unknown): value is Error {
  try {
    return value instanceof Error
  } catch {
    return false
  }
}

/** As `String`, for whatever was thrown. */
export function printable(value: unknown): string {
  try {
    return String(value)
  } catch {
    return typeof value
  }
}
