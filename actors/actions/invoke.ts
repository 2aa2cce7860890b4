/** By key: runs a command of the cache's options inside the shard, between any two other writes; one of a registered function on its thread. */
import { Commit } from '../functions/commit.js'
import { commandOutcome, unwrapped } from '../functions/command-outcome.js'
import { bounded } from '../calls/deadline.js'
import { readExpire } from '../calls/expiry.js'
import type { Duration } from '../../runtime/duration.js'
import { CacheError, invalidArgument } from '../../runtime/errors.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import type { Caller } from '../calls/caller.js'
import type { CommandConfig } from '../functions/command-options.js'
import { callForUpdate, isRegistered, updateLocked, type LockedUpdate } from '../functions/locked-update.js'
import type { CacheConfig } from '../options.js'
import type { Shard } from '../shards/shard.js'
import type { Key } from '../../runtime/codec/key.js'
import { get } from './get.js'
import { readTimeLimit } from './get-and-update.js'

export interface InvokeOptions<V> extends CallOptions {
  /** The command's further arguments. */
  args?: readonly unknown[] | undefined
  /** What it gets for a missing key. Default `undefined`. */
  default?: V | undefined
  /** How long it may run. Default: the cache's `functionTimeout`. */
  functionTimeout?: Duration | undefined
}

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Runs a command of the option `commands` inside the shard, on `(value | default | undefined, ...args)`; nothing comes between. A function
     * that a thread has registered runs there, with the key locked around it if it is a write command, and may be asynchronous.
     * Resolves with the result: what a read command returns, or the first of the `[result, newValue]` that a write command returns. The entry
     * keeps its expiry and modified time; a new one gets the cache's expiry; `commit([result, newValue], { expire })` says otherwise, and
     * `ignore(result)` stores nothing.
     *
     * Errors: `ERR_INVALID_COMMAND` if there is no such command, or if it returns something else; otherwise as `getAndUpdate`. Nothing is
     * stored then.
     *
     * @example
     * // commands: { age: { type: 'read', execute: people.age }, birthday: { type: 'write', execute: people.birthday } }
     * await users.invoke('age', 'ada')         // → 36
     * await users.invoke('birthday', 'ada')    // → 37
     */
    invoke<R = unknown>(command: string, key: Key, options?: InvokeOptions<V>): Promise<R>
  }
  interface SpecialMessages<V> {
    invoke: readonly ['invoke', string, Key, InvokeOptions<V>?]
  }
}

/** The rest is `[command, args, default, functionTimeoutMs]`. */
export const invoke: Action = {
  name: 'invoke', writes: true, keyed: true, arity: 2, keyAt: 1, options: ['args', 'default', 'functionTimeout'],
  functionIn: ({ config }, [command]) => config.commands.find(({ name }) => name === command)?.function,
  call(caller, command: unknown, key: unknown, options?: InvokeOptions<unknown>) {
    checkCallOptions(invoke, options)
    const { args = [], default: initial, functionTimeout } = options ?? {}
    const timeoutMs = readTimeLimit(functionTimeout)
    if (!Array.isArray(args)) throw invalidArgument('the option args is an array of the command\'s further arguments')
    const found = commandNamed(caller.config, command)
    const { name } = found
    caller.key(key)
    if (isRegistered(caller, found.function)) {
      const call = { args, initial, limitMs: timeoutMs }
      const { telling } = caller
      caller.telling = false
      const invoked = found.type === 'read'
        ? bounded(readAt(caller, key, found, call, options), options, 'the command')
        : updateLocked(caller, { ...call, key, name: found.function, command: found }, options)
      caller.telling = telling
      if (!telling) return invoked
      invoked.catch(() => undefined)
      return true
    }
    caller.rest([name, args, initial, timeoutMs])
    return caller.send(invoke, options)
  },
  apply(shard, request) {
    const [name, args, initial, timeoutMs] = shard.limited(undefined, () => shard.rest(request)) as [string, unknown[], unknown, number | undefined]
    const command = commandNamed(shard.config, name)
    const block = command.type === 'read' ? shard.readable(request) : shard.live(request)
    const value = block === 0 ? initial : shard.valueOf(block)
    const outcome = shard.limited(timeoutMs, () => outcomeOf(shard, command, shard.call(command.function, [value, ...args])))
    if (outcome !== undefined) shard.storeOutcome(request, block, outcome.value, outcome.expire)
    return shard.reply
  },
}

function commandNamed({ commands, name: cache }: CacheConfig, name: unknown): CommandConfig {
  if (typeof name !== 'string') throw invalidArgument('invoke needs the name of a command')
  const command = commands.find((one) => one.name === name)
  if (command !== undefined) return command
  const known = commands.length === 0 ? 'it has none' : `it has ${commands.map((one) => `'${one.name}'`).join(', ')}`
  throw new CacheError('ERR_INVALID_COMMAND', `cache '${cache}' has no command '${name}': ${known}; define it in the option commands`, { cache, command: name })
}

/** Encodes a command's result as the reply, and what it stores, if it stores anything. */
function outcomeOf(shard: Shard, command: CommandConfig, returned: unknown): { value: unknown; expire: number | null | undefined } | undefined {
  const outcome = commandOutcome(command, ...unwrapped(returned))
  const expire = returned instanceof Commit && returned.options.expire !== undefined ? readExpire(returned.options.expire, 'expire of commit') : undefined
  shard.encodeReply(outcome.result)
  return outcome.stores ? { value: shard.encode(outcome.value), expire } : undefined
}

/** A read command of a function that a thread of the application has registered: on the value as it is now, and it waits for no locks. */
async function readAt(caller: Caller, key: unknown, command: CommandConfig, call: Omit<LockedUpdate, 'key' | 'name'>, options: CallOptions | undefined): Promise<unknown> {
  const value: unknown = await get.call(caller, key as never, { timeout: options?.timeout, signal: options?.signal } as never)
  const { kind, value: returned } = await callForUpdate(caller, { ...call, key, name: command.function }, { args: [value === undefined ? call.initial : value, ...call.args] })
  return commandOutcome(command, kind, returned).result
}
