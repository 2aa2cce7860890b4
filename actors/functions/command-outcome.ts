/** What the function of a command has returned, read as the command's type allows. */
import { CacheError, printable } from '../../runtime/errors.js'
import type { CommandConfig } from './command-options.js'
import { Commit, Ignore } from './commit.js'
import type { FunctionResult } from './function-call.js'

/** What is to become of it: the call's result, and what is stored, if anything is. */
export type CommandOutcome = { readonly result: unknown; readonly stores: false } | { readonly result: unknown; readonly stores: true; readonly value: unknown }

/**
 * @param kind whether `returned` stood in a `commit` or an `ignore`
 * @throws `ERR_INVALID_COMMAND` for what the type does not allow; `ERR_UNSUPPORTED_VALUE` for a new value that is undefined
 */
export function commandOutcome({ name, type, function: run }: CommandConfig, kind: FunctionResult['kind'], returned: unknown): CommandOutcome {
  const invalid = (allowed: string): CacheError => new CacheError('ERR_INVALID_COMMAND',
    `the ${type} command '${name}' (${run}) returned ${kind === 'commit' ? `commit(${show(returned)})` : show(returned)}; it may return ${allowed}`, { command: name, function: run })
  if (kind === 'ignore') return { result: returned, stores: false }
  if (type === 'read') {
    if (kind === 'commit') throw invalid('any value that is not a promise; only write commands commit')
    return { result: returned, stores: false }
  }
  if (!Array.isArray(returned) || returned.length !== 2) throw invalid('[result, newValue], commit([result, newValue], { expire }) or ignore(result)')
  const [result, value] = returned as unknown[]
  if (value === undefined) throw new CacheError('ERR_UNSUPPORTED_VALUE', `the command '${name}' returned undefined as the new value, which cannot be stored; use ignore(result)`, { command: name, function: run })
  return { result, stores: true, value }
}

/** What a function returned, without the `commit` or `ignore` that it stood in. */
export function unwrapped(returned: unknown): readonly [kind: FunctionResult['kind'], value: unknown] {
  if (returned instanceof Commit) return ['commit', returned.value]
  return returned instanceof Ignore ? ['ignore', returned.value] : ['value', returned]
}

function show(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`
  return typeof value === 'object' && value !== null ? 'an object' : printable(value)
}
