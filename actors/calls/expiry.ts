/** How callers write a time to live: milliseconds or a string such as `'5m'`, not positive for "at once", `null` for none. */
import { readDuration, type Duration } from '../../runtime/duration.js'
import { invalidArgument } from '../../runtime/errors.js'

/** A time to live as an argument. `Infinity` is none. */
export type Expire = Duration | null

/** Milliseconds, possibly not positive; `null` for none. Throws a `TypeError` for anything else. */
export function readExpire(value: unknown, argument: string): number | null {
  if (value === null || value === Infinity) return null
  if (value === -Infinity) return -1
  const read = readDuration(value)
  if (!Number.isNaN(read)) return read
  throw invalidArgument(`${argument} is a number of milliseconds, a string such as '5m', or null for none`)
}
