/** To all shards, as `clear`, and to the hooks. */
import { DEFAULT_TIMEOUT_MS, readTimeout } from '../../runtime/actor.js'
import { invalidArgument } from '../../runtime/errors.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import { TO_HOOKS } from '../watching/notice.js'
import { clear } from './clear.js'

export interface ResetOptions extends CallOptions {
  /** Only the entries, or only the hooks. Default both. */
  only?: readonly ('cache' | 'hooks')[] | undefined
  /** Names of the hooks that start again. Default all. */
  hooks?: readonly string[] | undefined
}

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Empties the cache, and starts its hooks again from their first states, behind what they were told before. Counters go on.
     *
     * Errors: `ERR_INVALID_ARGUMENT` for a hook that there is not; `ERR_PARTIAL` where another node of a cache that is spread over nodes does not have it.
     *
     * @example
     * await users.reset()
     * await users.size()                         // → 0
     * await users.reset({ only: ['hooks'] })     // their states are the first ones again
     */
    reset(options?: ResetOptions): Promise<void>
  }
}

const PARTS = ['cache', 'hooks']

export const reset: Action = {
  name: 'reset', writes: true, arity: 0, options: ['only', 'hooks'],
  call(caller, options?: ResetOptions) {
    checkCallOptions(reset, options)
    const { only = PARTS, hooks, timeout, signal } = options ?? {}
    if (!Array.isArray(only) || !only.every((part: unknown) => PARTS.includes(part as string))) throw invalidArgument('the option only of reset is an array of \'cache\' and \'hooks\'')
    if (hooks !== undefined && (!Array.isArray(hooks) || !hooks.every((name: unknown) => typeof name === 'string'))) throw invalidArgument('the option hooks of reset is an array of names of hooks')
    const known = caller.config.hooks.map(({ name }) => name)
    for (const name of hooks ?? []) if (!known.includes(name)) throw invalidArgument(`there is no hook '${name}', only ${known.length === 0 ? 'none' : known.join(', ')}`)
    caller.refuseIfStopped()
    const parts: unknown[] = []
    if (only.includes('cache')) parts.push(clear.call(caller, ...[{ timeout, signal }] as never[]))
    if (only.includes('hooks')) parts.push(caller.watch.ask(TO_HOOKS.reset, hooks, timeout === undefined ? DEFAULT_TIMEOUT_MS : readTimeout({ timeout }), signal))
    const done = Promise.all(parts).then(() => undefined)
    if (!caller.telling) return done
    done.catch(() => undefined)
    return parts[0] !== false
  },
  merge: () => undefined,
}
