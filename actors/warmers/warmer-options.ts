/** The option `warmers`: functions that fill the cache, at its start and now and then. */
import type { Commit, Ignore } from '../functions/commit.js'
import type { Expire } from '../calls/expiry.js'
import { readFunction, type FunctionOption } from '../functions/function-option.js'
import { encodeOption, readNamed, readOwnName } from '../watching/hook-options.js'
import type { Key } from '../../runtime/codec/key.js'
import { positiveDuration, type Duration } from '../../runtime/duration.js'
import { or, ownOptions, trueOrFalse } from '../../runtime/option-checks.js'

/** What is put into the cache: pairs `[key, value]`, also where TypeScript sees no more than arrays, or a map. */
export type WarmPairs = readonly (readonly unknown[])[] | ReadonlyMap<Key, unknown>

/** What a warmer may return. */
export type Warmed = WarmPairs | { readonly pairs: WarmPairs; readonly expire?: Expire } | Commit<WarmPairs> | Ignore<unknown>

/** What a warmer calls: a function that gets its state. */
export type WarmerFunction = (state: never) => Warmed | Promise<Warmed>

export interface WarmerOptions {
  /** Unique among the warmers of the cache. */
  name: string
  execute: FunctionOption<WarmerFunction>
  /** What the function gets. Default `undefined`. */
  state?: unknown
  /** How long after a run the next one begins. Default: once, at the start. */
  interval?: Duration
  /** Whether the cache starts only when it has succeeded, and fails to start if it does not. Default `false`. */
  required?: boolean
}

/** A warmer as its cache uses it: plain data. */
export interface WarmerConfig {
  name: string
  function: string
  /** What the function gets, encoded: it may be of classes that only the application knows. */
  state: Uint8Array
  intervalMs: number | null
  required: boolean
}

const NAMES = ['name', 'execute', 'state', 'interval', 'required']

export function readWarmers(value: unknown, option: string): WarmerConfig[] {
  return readNamed(value, option, (warmer, where) => {
    const own = ownOptions(warmer, NAMES, where)
    return {
      name: readOwnName(own['name'], `${where}.name`),
      function: readFunction(own['execute'], `${where}.execute`),
      state: encodeOption(own['state'], `${where}.state`),
      intervalMs: own['interval'] === undefined ? null : positiveDuration(own['interval'], `${where}.interval`),
      required: trueOrFalse(or(own['required'], false), `${where}.required`),
    }
  })
}
