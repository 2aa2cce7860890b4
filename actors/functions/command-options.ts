/** The option `commands`: names for functions that read or change a value where it lies, for `invoke`. */
import type { Commit, Ignore } from './commit.js'
import type { RegisteredFunction } from './registered-functions.js'
import { readFunction, type FunctionOption } from './function-option.js'
import { inside, invalidOption, oneOf, ownOptions } from '../../runtime/option-checks.js'

/** Whatever is not a promise. */
type Synchronous = null | undefined | boolean | number | string | bigint | (object & { readonly then?: never })

type Command<R> = (value: never, ...args: never[]) => R

/** A function that gets `(value | default | undefined, ...args)` and returns the result. */
export type ReadCommand = Command<Synchronous>

/** A function that gets the same and returns `[result, newValue]`, `commit([result, newValue], { expire })` or `ignore(result)`. */
export type WriteCommand = Command<Written>

type Written = readonly unknown[] | Commit<readonly unknown[]> | Ignore<unknown>

export type CommandOptions =
  // What a thread has registered runs there, and may be asynchronous.
  | { type: 'read'; execute: FunctionOption<ReadCommand> | RegisteredFunction<Command<unknown>> }
  | { type: 'write'; execute: FunctionOption<WriteCommand> | RegisteredFunction<Command<Written | Promise<Written>>> }

/** A command as its cache uses it: plain data. */
export interface CommandConfig {
  name: string
  type: 'read' | 'write'
  function: string
}

export function readCommands(value: unknown, option: string): CommandConfig[] {
  const prototype: unknown = typeof value === 'object' && value !== null ? Object.getPrototypeOf(value) : undefined
  if (prototype !== Object.prototype && prototype !== null) throw invalidOption(option, value, 'a plain object of commands: name → { type, execute }')
  return Reflect.ownKeys(value as object).map((name) => {
    const where = inside(option, String(name))
    const command: unknown = Reflect.get(value as object, name)
    if (typeof name === 'symbol' || name === '') throw invalidOption(where, command, 'names that are strings and not empty')
    const { type, execute } = ownOptions(command, ['type', 'execute'], where)
    return { name, type: oneOf(type, ['read', 'write'] as const, `${where}.type`), function: readFunction(execute, `${where}.execute`) }
  })
}
