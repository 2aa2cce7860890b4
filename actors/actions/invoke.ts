/** By key: runs a command of the cache's options inside the shard, between any two other writes. */
import { Commit, Ignore } from '../commit.js'
import { readExpire } from '../expiry.js'
import type { Duration } from '../../runtime/duration.js'
import { CacheError, invalidArgument, printable } from '../../runtime/errors.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import type { CommandConfig } from '../command-options.js'
import type { CacheConfig } from '../options.js'
import type { Shard } from '../shard.js'
import type { Key } from '../../runtime/codec/key.js'
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
     * Runs a command of the option `commands` inside the shard, on `(value | default | undefined, ...args)`; nothing comes between.
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
  name: 'invoke', writes: true, keyed: true, arity: 2, options: ['args', 'default', 'functionTimeout'],
  call(caller, command: unknown, key: unknown, options?: InvokeOptions<unknown>) {
    checkCallOptions(invoke, options)
    const { args = [], default: initial, functionTimeout } = options ?? {}
    const timeoutMs = readTimeLimit(functionTimeout)
    if (!Array.isArray(args)) throw invalidArgument('the option args is an array of the command\'s further arguments')
    const { name } = commandNamed(caller.config, command)
    caller.key(key)
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
function outcomeOf(shard: Shard, { name, type, function: run }: CommandConfig, returned: unknown): { value: unknown; expire: number | null | undefined } | undefined {
  const invalid = (allowed: string): CacheError => new CacheError('ERR_INVALID_COMMAND',
    `the ${type} command '${name}' (${run}) returned ${show(returned)}; it may return ${allowed}`, { command: name, function: run })
  if (returned instanceof Ignore || type === 'read') {
    if (returned instanceof Commit) throw invalid('any value that is not a promise; only write commands commit')
    shard.encodeReply(returned instanceof Ignore ? returned.value : returned)
    return undefined
  }
  const pair: unknown = returned instanceof Commit ? returned.value : returned
  if (!Array.isArray(pair) || pair.length !== 2) throw invalid('[result, newValue], commit([result, newValue], { expire }) or ignore(result)')
  const [result, value] = pair as unknown[]
  if (value === undefined) throw new CacheError('ERR_UNSUPPORTED_VALUE', `the command '${name}' returned undefined as the new value, which cannot be stored; use ignore(result)`, { command: name, function: run })
  const expire = returned instanceof Commit && returned.options.expire !== undefined ? readExpire(returned.options.expire, 'expire of commit') : undefined
  shard.encodeReply(result)
  return { value: shard.encode(value), expire }
}

function show(value: unknown): string {
  if (value instanceof Commit) return `commit(${show(value.value)})`
  if (Array.isArray(value)) return `an array of ${value.length}`
  return typeof value === 'object' && value !== null ? 'an object' : printable(value)
}
