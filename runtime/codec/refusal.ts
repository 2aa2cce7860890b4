/**
 * How an encoder says where in a value it stopped: thrown at the bottom, given a step of the path at each level on
 * the way up, and turned into a `CacheError` at the top. Levels that succeed pay nothing for it.
 */
import { CacheError, errorCode, type ErrorCode } from '../errors.js'

/** A path longer than this many steps is shortened in the middle. */
const MAX_STEPS = 24

/** Thrown inside an encoder and nowhere else. */
export class Refusal extends Error {
  /** The steps from the refused value up to the root: innermost first. */
  readonly steps: string[] = []
}

/** Whatever was thrown below, as a refusal that knows one more step of its path. */
export function stepUp(thrown: unknown, step: string): unknown {
  if (isTooLarge(thrown)) return thrown
  const refusal = asRefusal(thrown)
  refusal.steps.push(step)
  return refusal
}

/** The error that the caller sees. */
export function refused(thrown: unknown, code: ErrorCode, subject: string): CacheError {
  if (isTooLarge(thrown)) return thrown
  const refusal = asRefusal(thrown)
  const steps = refusal.steps.reverse()
  const shown = steps.length <= MAX_STEPS ? steps : [...steps.slice(0, MAX_STEPS - 4), '…', ...steps.slice(-4)]
  const path = `$${shown.join('')}`
  return new CacheError(code, `${subject} at ${path}: ${refusal.message}`, { path, cause: refusal.cause })
}

/** A property's step of a path: `.name`, or `["odd name"]`. */
export function propertyStep(name: string): string {
  if (/^[A-Za-z_$][\w$]{0,63}$/.test(name)) return `.${name}`
  return `[${JSON.stringify(name.length > 64 ? `${name.slice(0, 64)}…` : name)}]`
}

/** What kind of thing a value is, for a message: never calls the value's own code in a way that may throw. */
export function kindOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) {
    return value === undefined || value === null ? String(value) : `a ${typeof value}`
  }
  try {
    const named: unknown = (Object.getPrototypeOf(value) as { constructor?: { name?: unknown } } | null)?.constructor?.name
    return typeof named === 'string' && named !== '' ? `an instance of ${named.slice(0, 64)}` : 'an object of an unnamed class'
  } catch {
    return 'a proxy that throws'
  }
}

function asRefusal(thrown: unknown): Refusal {
  if (thrown instanceof Refusal) return thrown
  if (isStackOverflow(thrown)) return new Refusal('it is nested too deeply; flatten it')
  return new Refusal('reading it threw an error (see cause); pass plain data', { cause: thrown })
}

function isStackOverflow(thrown: unknown): boolean {
  return thrown instanceof RangeError && thrown.message === 'Maximum call stack size exceeded'
}

function isTooLarge(thrown: unknown): thrown is CacheError {
  return thrown instanceof CacheError && errorCode(thrown) === 'ERR_TOO_LARGE'
}
