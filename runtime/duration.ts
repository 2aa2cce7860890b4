/** Durations as users write them: milliseconds as a number, or a string such as `'10s'`, `'5m'`, `'1.5h'`. */
import ms, { type StringValue } from 'ms'
import { invalidOption } from './option-checks.js'

/** A duration: milliseconds, or a number with a unit (`ms`, `s`, `m`, `h`, `d`, `w`, `y`, or their names). */
export type Duration = number | string

const ALLOWED = 'milliseconds as a number that is not negative, or a string such as \'250ms\', \'10s\', \'5m\', \'2h\''

/**
 * The milliseconds of `value`. Throws `ERR_INVALID_OPTION` for what is negative, not a number or not readable;
 * for `Infinity` too, unless `infinite` is set.
 */
export function parseDuration(value: unknown, optionName: string, infinite = false): number {
  const parsed = typeof value === 'number' ? value : typeof value === 'string' ? parseString(value) : NaN
  if (!(parsed >= 0) || (parsed === Infinity && !(infinite && value === Infinity))) {
    throw invalidOption(optionName, value, infinite ? `${ALLOWED}, or Infinity` : ALLOWED)
  }
  return parsed === 0 ? 0 : parsed // not -0
}

/** The milliseconds of a number or a string with a unit, negative ones too; NaN for anything else. */
export function readDuration(value: unknown): number {
  const parsed = typeof value === 'number' ? value : typeof value === 'string' ? parseString(value) : NaN
  return Number.isFinite(parsed) ? parsed : NaN
}

/** NaN, or against its type `undefined`, for what `ms` cannot read; it throws for the empty and the very long. */
function parseString(value: string): number {
  return value === '' || value.length > 100 ? NaN : ms(value as StringValue) // the type lists the units, and any string may come
}

/** As `parseDuration`, above zero. */
export function positiveDuration(value: unknown, option: string): number {
  const ms = parseDuration(value, option)
  if (ms > 0) return ms
  throw invalidOption(option, value, 'a duration above 0')
}
