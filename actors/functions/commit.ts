/** What a function returns to say what is to become of its result: `commit` and `ignore`. */
import type { Duration } from '../../runtime/duration.js'

/** A result that is stored with an expiry of its own. */
export class Commit<T> {
  readonly value: T
  readonly options: { readonly expire?: Duration | null }

  constructor(value: T, options: { readonly expire?: Duration | null }) {
    this.value = value
    this.options = options
  }
}

/** A result that is returned to the caller and not stored. */
export class Ignore<T> {
  readonly value: T

  constructor(value: T) {
    this.value = value
  }
}

/** Stores `value` with an expiry of its own: `{ expire }` in milliseconds or as `'5m'`, `null` for none. */
export function commit<T>(value: T, options: { readonly expire?: Duration | null } = {}): Commit<T> {
  return new Commit(value, options)
}

/** Returns `value` to the caller without storing anything. */
export function ignore(): Ignore<undefined>
export function ignore<T>(value: T): Ignore<T>
export function ignore(value?: unknown): Ignore<unknown> {
  return new Ignore(value)
}
