/** Patterns of names of nodes and functions, as users write them: `'web-*'`, with `*` for any characters and `?` for one, or a regular expression. */
import { inside, invalidOption } from '../runtime/option-checks.js'

/** A pattern as plain data, so that nodes can compare theirs. */
export interface NamePattern {
  readonly source: string
  readonly flags: string
}

const ALLOWED = 'a name, with * for any characters and ? for one, or a regular expression; or an array of these'

/** Reads one pattern or an array of them. Throws `ERR_INVALID_OPTION`. */
export function readPatterns(value: unknown, option: string): NamePattern[] {
  if (!Array.isArray(value)) return [readPattern(value, option)]
  return value.map((pattern: unknown, index) => readPattern(pattern, inside(option, String(index))))
}

function readPattern(value: unknown, option: string): NamePattern {
  if (value instanceof RegExp) return { source: value.source, flags: value.flags.replace(/[gy]/g, '') } // those that remember where they were
  if (typeof value !== 'string' || value === '') throw invalidOption(option, value, ALLOWED)
  const source = value.replace(/[\\^$+.()|[\]{}]/g, '\\$&').replace(/\*+/g, '.*').replaceAll('?', '.')
  return { source: `^${source}$`, flags: 's' }
}

const compiled = new WeakMap<NamePattern, RegExp>()

/** Whether the name matches one of the patterns. */
export function matchesAny(name: string, patterns: readonly NamePattern[]): boolean {
  return patterns.some((pattern) => {
    let expression = compiled.get(pattern)
    if (expression === undefined) compiled.set(pattern, expression = new RegExp(pattern.source, pattern.flags))
    return expression.test(name)
  })
}
