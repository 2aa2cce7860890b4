/** The option `hooks`: functions that are called for what is done in the cache. */
import { Scratch } from '../../runtime/codec/scratch.js'
import { encodeValue } from '../../runtime/codec/value.js'
import { positiveDuration, type Duration } from '../../runtime/duration.js'
import { CacheError } from '../../runtime/errors.js'
import { inside, invalidOption, oneOf, or, ownOptions, trueOrFalse } from '../../runtime/option-checks.js'
import { readFunction, type FunctionOption } from '../functions/function-option.js'
import { readWatched, type WatchedName } from './watched-actions.js'

/** What a hook calls: a function that gets `(message, result, state, cache)` and returns the next state. */
export type HookFunction = (message: never, result: never, state: never, cache: never) => unknown

export interface HookOptions {
  /** Unique among the hooks of the cache. */
  name: string
  /** What it is called for. Default `'all'`. */
  actions?: readonly WatchedName[] | 'all'
  /** Before the action, without a result, or after it. Default `'after'`. */
  when?: 'before' | 'after'
  /** `false`: the caller waits until the function has returned. Default `true`. */
  async?: boolean
  /** How long one call of the function may take. Default: the cache's `functionTimeout`, 5 s. */
  timeout?: Duration
  /** The first state. Default `undefined`. */
  args?: unknown
  handle: FunctionOption<HookFunction>
}

/** A hook as its cache uses it: plain data. */
export interface HookConfig {
  name: string
  actions: readonly string[] | 'all'
  when: 'before' | 'after'
  async: boolean
  timeoutMs: number
  function: string
  /** The first state, encoded: it may be of classes that only the application knows. */
  state: Uint8Array
}

const NAMES = ['name', 'actions', 'when', 'async', 'timeout', 'args', 'handle']

export function readHooks(value: unknown, option: string, defaultTimeoutMs: number): HookConfig[] {
  return readNamed(value, option, (hook, where) => {
    const own = ownOptions(hook, NAMES, where)
    return {
      name: readOwnName(own['name'], `${where}.name`),
      actions: readWatched(or(own['actions'], 'all'), `${where}.actions`),
      when: oneOf(or(own['when'], 'after'), ['before', 'after'] as const, `${where}.when`),
      async: trueOrFalse(or(own['async'], true), `${where}.async`),
      timeoutMs: own['timeout'] === undefined ? defaultTimeoutMs : positiveDuration(own['timeout'], `${where}.timeout`),
      function: readFunction(own['handle'], `${where}.handle`),
      state: encodeOption(own['args'], `${where}.args`),
    }
  })
}

/** An array of things with names of their own. */
export function readNamed<T extends { name: string }>(value: unknown, option: string, read: (one: unknown, where: string) => T): T[] {
  if (!Array.isArray(value)) throw invalidOption(option, value, 'an array')
  const names = new Set<string>()
  return (value as unknown[]).map((one, index) => {
    const where = inside(option, String(index))
    const config = read(one, where)
    if (names.has(config.name)) throw invalidOption(`${where}.name`, config.name, 'a name that no other one here has')
    names.add(config.name)
    return config
  })
}

export function readOwnName(value: unknown, option: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw invalidOption(option, value, 'a string that is not empty')
}

/** Whatever can be stored, encoded. */
export function encodeOption(value: unknown, option: string): Uint8Array {
  const scratch = new Scratch(256)
  try {
    encodeValue(value, scratch)
  } catch (error) {
    if (!(error instanceof CacheError)) throw error
    throw new CacheError('ERR_INVALID_OPTION', `option '${option}' cannot be sent to another thread: ${error.message}; allowed: what can be stored as a value, or undefined`, { option, value, allowed: 'what can be stored as a value, or undefined', cause: error })
  }
  return Uint8Array.from(scratch.bytes.subarray(0, scratch.end))
}
