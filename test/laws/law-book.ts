/** All laws of the actions, and what a cache has to be started with for them to hold. */
import type { Cache, CacheOptions } from 'scatterhoard'
import { COMMANDS } from '../actors/functions.js'
import { ARGUMENTS_LAWS } from './arguments.js'
import { EXPIRY_LAWS } from './expiry.js'
import { FUNCTIONS_LAWS } from './functions.js'
import type { Call, Law } from './law.js'
import { LOADING_LAWS } from './loading.js'
import { READING_LAWS } from './reading.js'
import { WALK_LAWS } from './walks.js'
import { WHOLE_CACHE_LAWS } from './whole-cache.js'
import { WRITING_LAWS } from './writing.js'

export const LAWS: readonly Law[] = [...READING_LAWS, ...WRITING_LAWS, ...EXPIRY_LAWS, ...WHOLE_CACHE_LAWS, ...WALK_LAWS, ...LOADING_LAWS, ...FUNCTIONS_LAWS, ...ARGUMENTS_LAWS]

export const FUNCTIONS: readonly URL[] = ['functions', 'transactions/transaction-functions', 'loading/loaders', 'walks/walk-functions', 'watching/watch-functions'].map((path) => new URL(`../actors/${path}.js`, import.meta.url))

/** Warmers are required, so that they have run when a cache has started. */
export const OPTIONS: CacheOptions = {
  commands: COMMANDS,
  warmers: [
    { name: 'numbers', execute: 'watching.pairs', state: 3, required: true },
    { name: 'brief', execute: 'watching.pairsFor', state: { expire: '2m' }, required: true },
  ],
}

/** Calls the methods of a handle. */
export function methodsOf(cache: Cache<unknown>): Call {
  return (name, ...args) => (cache as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[name]!(...args)
}

export async function collect(cache: Cache<unknown>, options: object): Promise<unknown[]> {
  const all: unknown[] = []
  for await (const item of cache.stream(options)) all.push(item)
  return all
}
