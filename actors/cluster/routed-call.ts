/**
 * Calls of a cache that is spread over nodes: each goes to the node that owns its key, or to all, or stays here, as its action says.
 *
 * The handle counts and watches them as it does every call, so that an action is seen once, on the node that called it; on other nodes it is
 * carried out without that.
 */
import { DEADLINELESS_MS, DEFAULT_TIMEOUT_MS, readTimeout } from '../../runtime/actor.js'
import { monotonicMs } from '../../runtime/clock.js'
import { CacheError, errorCode } from '../../runtime/errors.js'
import { functionName } from '../../runtime/functions.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import type { Caller } from '../calls/caller.js'
import { isRegistered } from '../functions/locked-update.js'
import type { Cluster } from './cluster.js'
import { gathered } from './gather.js'
import { argumentsOf } from './wire.js'

/** A call of an action, on its way to where it is carried out. */
export class RoutedCall {
  readonly caller: Caller
  readonly cluster: Cluster
  readonly action: Action
  /** The positional arguments. */
  readonly args: unknown[]
  readonly options: (CallOptions & Readonly<Record<string, unknown>>) | undefined
  /** How often it was sent on before. */
  readonly hops: number
  /** Whether other nodes take part. */
  isSent = false
  /** The call as it was sent, if all of it went to one node and it may have to be made again. */
  #kept: Buffer | undefined
  /** The number of the transaction on another node that it is a part of. */
  readonly #transaction: number | undefined

  constructor(caller: Caller, cluster: Cluster, action: Action, args: readonly unknown[], hops: number, transaction?: number) {
    checkCallOptions(action, args[action.arity] as object | undefined)
    this.hops = hops
    this.#transaction = transaction
    this.caller = caller
    this.cluster = cluster
    this.action = action
    const own = this.args = args.slice(0, action.arity)
    if (action.many === true) own[0] = walked(own[0])
    this.options = args[action.arity] as CallOptions & Record<string, unknown>
  }

  /** The keys that it is about. */
  get keys(): readonly unknown[] {
    const { action, args } = this
    return action.keysIn?.(args) ?? (action.keyed === true ? [args[action.keyAt ?? 0]] : [])
  }

  /** Carries it out on this node, with these arguments. */
  here(args: readonly unknown[] = this.args, options: object | undefined = this.options): unknown {
    return this.action.call(this.caller, ...[...args, ...Array<undefined>(this.action.arity - args.length).fill(undefined), options] as never[])
  }

  /**
   * Has a node carry it out, this one or another.
   *
   * @param without options that are not for that node
   */
  at(node: string, args: readonly unknown[] = this.args, without: readonly string[] = []): unknown {
    if (node === this.cluster.self) return this.here(args)
    const { caller, action, hops } = this
    this.isSent = true
    // A function that was lent is known to its own node only.
    if (hops >= MAX_HOPS || (hops > 0 && this.#lent !== undefined)) throw new CacheError('ERR_NODE_DOWN', `the nodes do not agree on the owner of the key, as while one of them comes or goes: '${node}' after ${hops} others`, { node })
    const { telling } = caller
    // Code of the user's may run while the arguments are encoded.
    caller.telling = false
    try {
      const timeoutMs = this.#timeoutMs
      const written = hops === 0 && args === this.args && this.cluster.follows ? (bytes: Buffer) => void (this.#kept = bytes) : undefined
      const sent = this.cluster.call(node, action.name, this.#sendable(args), this.#ownOptions(without), timeoutMs, this.options?.signal, { hops, lent: this.#lent, transaction: this.#transaction, written })
      // What it was sent on for is for the node that it came from.
      const result = action.answered === undefined || hops > 0 ? sent : this.#answered(action.answered, sent, telling ? 0 : monotonicMs() + timeoutMs)
      if (!telling) return result
      result.catch(() => undefined)
      return true
    } catch (error) {
      if (telling && errorCode(error) === 'ERR_MAILBOX_FULL') return false
      throw error
    } finally {
      caller.telling = telling
    }
  }

  /** The same call once more, with what its arguments were when it was made. */
  again(timeout: number): RoutedCall {
    const args = this.#kept === undefined ? this.args : argumentsOf(this.#kept)
    const missing = Array.from({ length: this.action.arity - args.length }, () => undefined)
    // What is about the whole cache takes as long as it takes.
    const isBound = this.action.merge === undefined || this.options?.timeout !== undefined
    return new RoutedCall(this.caller, this.cluster, this.action, [...args, ...missing, { ...this.options, ...isBound && { timeout } }], this.hops)
  }

  /** The same call as another action, which has more arguments. */
  as(action: Action, ...more: readonly unknown[]): RoutedCall {
    this.isSent = true
    return new RoutedCall(this.caller, this.cluster, action, [...this.args, ...more, this.options], this.hops)
  }

  /** The positions of keys by the nodes that own them. Throws `ERR_INVALID_KEY`. */
  byOwner(keys: readonly unknown[]): Map<string, number[]> {
    const positions = new Map<string, number[]>()
    if (keys.length === 0) this.caller.refuseIfStopped()
    for (const [index, key] of keys.entries()) {
      const owner = this.ownerOf(key)
      const known = positions.get(owner)
      if (known === undefined) positions.set(owner, [index])
      else known.push(index)
    }
    return positions
  }

  /** The one node that owns all of these keys; this one if there are none. Throws `ERR_CROSS_SLOT`. */
  oneOwnerOf(keys: readonly unknown[]): string {
    const owners = [...this.byOwner(keys).keys()]
    if (owners.length <= 1) return owners[0] ?? this.cluster.self
    throw new CacheError('ERR_CROSS_SLOT', `the keys of one ${this.action.name} belong to several nodes (${owners.join(', ')}): give them a common tag, such as '{ada}:profile', or split the call`, { nodes: owners.join(', ') })
  }

  /** The owner of a key. Throws `ERR_INVALID_KEY`. */
  ownerOf(key: unknown): string {
    this.caller.key(key)
    return this.cluster.ownerOf(this.caller)
  }

  async #answered(make: NonNullable<Action['answered']>, sent: Promise<unknown>, untilMs: number): Promise<unknown> {
    return make(this, await sent, untilMs)
  }

  /** References travel as names. */
  #sendable(args: readonly unknown[]): readonly unknown[] {
    return this.action.functionAt === undefined ? args : args.map((argument, index) => (index === this.action.functionAt ? functionName(argument) : argument))
  }

  /** The name of its function, if that has to run on this node because a thread of it has registered it. */
  get #lent(): string | undefined {
    const { action: { functionAt, functionIn }, caller, args } = this
    const name = functionAt === undefined ? functionIn?.(caller, args) : functionName(args[functionAt])
    return name !== undefined && isRegistered(caller, name) ? name : undefined
  }

  /** Its own options, which the other node needs. */
  #ownOptions(without: readonly string[]): Record<string, unknown> | undefined {
    if (this.options === undefined) return undefined
    const own: Record<string, unknown> = {}
    for (const [name, value] of Object.entries(this.options)) {
      // Of its parts a transaction's node keeps what the hooks are to hear.
      if (value !== undefined && (!OF_THE_CALL.includes(name) || (name === 'notify' && this.#transaction !== undefined)) && !without.includes(name)) own[name] = value
    }
    return own
  }

  /** What is about the whole cache takes as long as it takes, unless the caller says otherwise. */
  get #timeoutMs(): number {
    if (this.options?.timeout !== undefined) return readTimeout(this.options)
    return this.action.merge === undefined ? DEFAULT_TIMEOUT_MS : DEADLINELESS_MS
  }
}

/** So often a call is sent on to who is the owner in the eyes of the one who got it. */
const MAX_HOPS = 3

const OF_THE_CALL = ['timeout', 'signal', 'notify', 'local']

/**
 * Carries out a call of a cache that is spread over nodes.
 *
 * @param hops how often it was sent on before
 */
export function routed(caller: Caller, cluster: Cluster, action: Action, args: readonly unknown[], hops = 0): unknown {
  const call = new RoutedCall(caller, cluster, action, args, hops)
  return cluster.follows && hops === 0 ? cluster.moving.carryOut(call, carryOut) : carryOut(call)
}

function carryOut(call: RoutedCall): unknown {
  const { action } = call
  if (call.options?.local === true) return atHome(call)
  if (action.spread !== undefined) return action.spread(call)
  if (action.merge !== undefined) return overAll(call, action.merge)
  if (action.keyed === true) return call.at(call.ownerOf(call.args[action.keyAt ?? 0]))
  return call.here()
}

/** With `local`: what it is about has to be this node's own. */
function atHome(call: RoutedCall): unknown {
  const { caller, cluster } = call
  for (const key of call.keys) {
    caller.key(key)
    cluster.refuseRemote(caller)
  }
  return call.here()
}

function overAll(call: RoutedCall, merge: (results: readonly unknown[]) => unknown): unknown {
  const { cluster, caller, action, options } = call
  if (caller.telling) return cluster.nodes.map((node) => call.at(node)).every(Boolean)
  const parts = cluster.nodes.map((node) => ({ node, run: () => call.at(node) }))
  return gathered(parts, (results) => merge(results.map(([, result]) => result)), options, action.writes)
}

/** What can perhaps be walked only once, as an array. */
function walked(collection: unknown): unknown {
  const isWalkable = typeof collection === 'object' && collection !== null && Symbol.iterator in collection
  return isWalkable ? [...collection as Iterable<unknown>] : collection
}
