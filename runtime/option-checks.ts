/**
 * How options are refused: `ERR_INVALID_OPTION` with the option's name, the value and what is allowed.
 *
 * Only own properties of plain objects count as options: what is inherited, or called `__proto__`, is refused
 * like any other unknown name.
 */
import { CacheError } from './errors.js'

/** The error for an option that cannot be used. */
export function invalidOption(option: string, value: unknown, allowed: string): CacheError {
  return new CacheError('ERR_INVALID_OPTION', `option '${option}' is ${show(value)}; allowed: ${allowed}`, { option, value, allowed })
}

/**
 * The own properties of `value` without a prototype, those that are `undefined` left out.
 * `where` is the option that holds them, `''` at the top. Throws for anything but a plain object with known names.
 */
export function ownOptions(value: unknown, names: readonly string[], where = ''): Record<string, unknown> {
  const plain = `a plain object with ${names.join(', ')}`
  if (typeof value !== 'object' || value === null) throw invalidOption(where || 'options', value, plain)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw invalidOption(where || 'options', value, plain)
  const own = Object.create(null) as Record<string, unknown>
  for (const name of Reflect.ownKeys(value)) {
    const option: unknown = Reflect.get(value, name)
    if (typeof name === 'symbol' || !names.includes(name)) {
      throw invalidOption(inside(where, String(name)), option, `no option of this name, only ${names.join(', ')}`)
    }
    if (option !== undefined) own[name] = option
  }
  return own
}

/** The name of an option inside another one. */
export function inside(where: string, name: string): string {
  return where === '' ? name : `${where}.${name}`
}

/** `value`, or what stands for it if it is left out. Not `??`: `null` is not left out, it is wrong. */
export function or(value: unknown, otherwise: unknown): unknown {
  return value === undefined ? otherwise : value
}

export function trueOrFalse(value: unknown, option: string): boolean {
  if (typeof value === 'boolean') return value
  throw invalidOption(option, value, 'true or false')
}

/** One of `words`. */
export function oneOf<Word extends string>(value: unknown, words: readonly Word[], option: string): Word {
  if (!(words as readonly unknown[]).includes(value)) throw invalidOption(option, value, words.join(', '))
  return value as Word // it is one of them
}

/** A number from `least` to `most`; an integer if `integer` is set. */
export function numberWithin(value: unknown, least: number, most: number, option: string, integer = false): number {
  if (typeof value !== 'number' || !(value >= least && value <= most) || (integer && !Number.isSafeInteger(value))) {
    throw invalidOption(option, value, `${integer ? 'an integer' : 'a number'} from ${least}${most >= Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`}`)
  }
  return value
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  return typeof value === 'function' ? 'a function' : String(value)
}
