/**
 * What peers ask of this node's caches: each request is checked, carried out by the same code as a handle's call, and answered once. What a
 * peer sends is decoded within the limits of the codec, and nothing that it sends runs code of the application on this thread.
 */
import '../../actors/action-list.js'
import { numberedActions, publicActions } from '../../actors/action-codes.js'
import type { Action } from '../../actors/action.js'
import { callerOf, type Cache } from '../../actors/cache.js'
import { CacheDirectory } from '../../actors/cache-directory.js'
import { runInScope } from '../../actors/functions/call-scope.js'
import type { Caller } from '../../actors/calls/caller.js'
import type { Fingerprint } from '../../actors/cluster/cluster-options.js'
import { routed } from '../../actors/cluster/routed-call.js'
import { readRequest, writeError, writeResult, type CheckReply, type NodeRequest, type RemoteCall, type RemoteRun, type RunReply } from '../../actors/cluster/wire.js'
import { callFunction, type Gift } from '../../actors/functions/function-call.js'
import { isRegistered } from '../../actors/functions/locked-update.js'
import { matchesAny, type NamePattern } from '../../actors/name-patterns.js'
import type { AfarTicket } from '../../actors/transactions/transaction-afar.js'
import { DEADLINELESS_MS } from '../../runtime/actor.js'
import type { Client } from '../../runtime/client.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { CacheError, errorCode, invalidArgument } from '../../runtime/errors.js'
import { BUSY } from '../../runtime/table/reader.js'
import { fingerprintOfCache, type CacheChecks } from './cache-checks.js'
import type { LentFunctions } from './lent-functions.js'
import { OpenTransactions } from './open-transactions.js'
import type { Peer } from '../peers/peer.js'
import { PeerScope } from './peer-scope.js'

/** Actions that peers may have carried out here: of those that handles offer the ones on keys and those that are merged over all nodes, and a few more. */
const OFFERED = new Map<string, Action>([
  ...publicActions().filter(({ keyed, merge }) => keyed === true || merge !== undefined), ...numberedActions().filter(({ isOffered }) => isOffered === true),
].map((action) => [action.name, action]))

export class PeerRequests {
  readonly #node: string
  readonly #allow: readonly NamePattern[] | undefined
  readonly #checks: CacheChecks
  readonly #client: Client
  readonly #lent: LentFunctions
  readonly #open = new OpenTransactions()
  readonly #directory: CacheDirectory
  readonly #scratch = new Scratch()
  #refreshing: Promise<void> | undefined

  /** @param allow what the names of functions have to match that peers may call; `undefined`: every name */
  constructor(client: Client, allow: readonly NamePattern[] | undefined, checks: CacheChecks, lent: LentFunctions) {
    this.#client = client
    this.#lent = lent
    this.#node = client.node
    this.#allow = allow
    this.#checks = checks
    this.#directory = new CacheDirectory(client, false)
  }

  /**
   * The handle of a cache of this node. Throws `ERR_NO_CACHE`.
   *
   * @param isStarting whether it is known to be there, though it has not started yet as a whole
   */
  async cacheNamed(name: string, isStarting: boolean): Promise<Cache<unknown>> {
    let cache = this.#directory.named(name)
    if (cache === undefined && (isStarting || this.#directory.isStale)) {
      await this.#refresh()
      cache = this.#directory.named(name)
    }
    // A look that was under way already may have begun before the cache was there; the next one has not.
    if (cache === undefined && isStarting) {
      await this.#refresh()
      cache = this.#directory.named(name)
    }
    if (cache === undefined) throw this.#noCache(name)
    return cache
  }

  /** All caches of this node. */
  async caches(): Promise<Cache<unknown>[]> {
    await this.#refresh()
    return this.#directory.handles()
  }

  /** Those that were there when it was last looked. */
  get known(): Cache<unknown>[] {
    return this.#directory.handles()
  }

  receive(peer: Peer, ticket: number, timeMs: number, bytes: Buffer, start: number, end: number): void {
    let request: NodeRequest
    try {
      request = readRequest(bytes, start, end)
    } catch (error) {
      return this.#fail(peer, ticket, error)
    }
    // A cache that is known is called in this turn: requests of a peer are carried out in order.
    const cache = this.#directory.named(request.cache)
    if (cache !== undefined) return this.#begin(peer, ticket, timeMs, request, cache)
    this.cacheNamed(request.cache, false).then(
      (found) => this.#begin(peer, ticket, timeMs, request, found),
      (error: unknown) => request.kind === 'check' && errorCode(error) === 'ERR_NO_CACHE' ? this.#answer(peer, ticket, this.#checkReply(peer, request, undefined)) : this.#fail(peer, ticket, error),
    )
  }

  #begin(peer: Peer, ticket: number, timeMs: number, request: NodeRequest, cache: Cache<unknown>): void {
    if (request.kind === 'check') return this.#answer(peer, ticket, this.#checkReply(peer, request, cache))
    let result: unknown
    try {
      result = request.kind === 'run' ? this.#run(peer, callerOf(cache), request) : this.#call(peer, request, cache, timeMs)
    } catch (error) {
      return this.#fail(peer, ticket, error)
    }
    // A reply that is there at once is sent at once: the session then knows of it before it begins the next request.
    if (!(result instanceof Promise)) return this.#answer(peer, ticket, result)
    result.then((value) => this.#answer(peer, ticket, value), (error: unknown) => this.#fail(peer, ticket, this.#seenFromAfar(error, request.cache)))
  }

  #call(peer: Peer, request: RemoteCall, cache: Cache<unknown>, timeMs: number): unknown {
    const caller = callerOf(cache)
    const action = OFFERED.get(request.action)
    // Only functions ask what they run inside of, and a scope is not free.
    if (action?.functionAt === undefined && action?.functionIn === undefined) return this.#carryOut(peer, caller, action, request, timeMs)
    const lent = request.lends ? lentIn(caller, request) : undefined
    return runInScope(new PeerScope(peer, cache, lent, this.#open), () => this.#carryOut(peer, caller, action, request, timeMs))
  }

  #carryOut(peer: Peer, caller: Caller, action: Action | undefined, { cache, action: name, args, options, hops, lends, transaction }: RemoteCall, timeMs: number): unknown {
    if (action === undefined) throw invalidArgument(`node '${this.#node}' does not let other nodes call '${name.slice(0, 64)}'`)
    if (args.length > action.arity || (options !== undefined && ('signal' in options || 'timeout' in options))) throw invalidArgument(`not a call of ${name}`)
    // It is on its way only while this node has it.
    if (caller.cluster === null) throw this.#noCache(cache)
    if (action.functionAt !== undefined && !lends) this.#refuseForbidden(args[action.functionAt])
    const positional = [...args]
    while (positional.length < action.arity) positional.push(undefined)
    positional.push(timeMs >= UNLIMITED_MS ? options : options === undefined ? { timeout: timeMs } : { ...options, timeout: timeMs })
    try {
      if (transaction !== undefined) return this.#part(peer, action, positional, transaction)
      // Whose key it is may have changed on the way.
      if (caller.cluster.follows && action.keyed === true) return routed(caller, caller.cluster, action, positional, hops + 1)
      const read = action.atOnce === undefined ? BUSY : action.atOnce(caller, ...positional as never[])
      return read !== BUSY ? read : action.call(caller, ...positional as never[])
    } catch (error) {
      throw this.#seenFromAfar(error, cache)
    }
  }

  /** An action of a transaction whose function runs on the other node. */
  #part(peer: Peer, { name }: Action, args: unknown[], number: number): unknown {
    const handle = this.#open.find(peer, number) as unknown as Record<string, ((...args: unknown[]) => unknown) | undefined> | undefined
    if (handle === undefined) throw new CacheError('ERR_NOT_IN_TRANSACTION', 'the transaction has ended: its function has returned, or its time was up')
    const method = publicActions().some((action) => action.name === name) ? handle[name] : undefined
    if (method === undefined) throw invalidArgument(`transactions have no '${name}'`)
    return method.call(handle, ...args)
  }

  /** Runs a function of a thread of this node's, with which a call of that thread is under way. */
  async #run(peer: Peer, caller: Caller, { cache, name, args, limitMs, purpose }: RemoteRun): Promise<RunReply> {
    if (!this.#lent.has(cache, name) || !isRegistered(caller, name)) throw new CacheError('ERR_UNKNOWN_FUNCTION', `node '${this.#node}' has no function '${name}' to run for a call of its own`, { function: name, node: this.#node })
    const { kind, expireMs, value } = await callFunction(this.#client, { name, args, limitMs, cacheId: caller.description.id, modules: [], rerun: false, ...purpose && { gift: giftFor(peer, purpose) } })
    return [kind, expireMs, value]
  }

  #refuseForbidden(name: unknown): void {
    // What is no name is refused by the action, unless it needs none.
    if (this.#allow === undefined || typeof name !== 'string' || matchesAny(name, this.#allow)) return
    throw new CacheError('ERR_UNKNOWN_FUNCTION', `node '${this.#node}' does not let other nodes call the function '${name}'; its bridge's option allow says which`, { function: name, node: this.#node })
  }

  /** Called with what peers say of caches that they run. */
  onHeard: (cache: string, node: string, fingerprint: Fingerprint) => void = () => undefined

  #checkReply(peer: Peer, { cache: name, fingerprint }: Extract<NodeRequest, { kind: 'check' }>, cache: Cache<unknown> | undefined): CheckReply {
    this.#checks.heard(name, peer.name, fingerprint)
    this.onHeard(name, peer.name, fingerprint)
    return cache === undefined ? null : fingerprintOfCache(cache)
  }

  async #refresh(): Promise<void> {
    this.#refreshing ??= this.#directory.refresh().finally(() => (this.#refreshing = undefined))
    await this.#refreshing
  }

  #answer(peer: Peer, ticket: number, result: unknown): void {
    writeResult(result, this.#scratch)
    peer.reply(ticket, this.#scratch.bytes, 0, this.#scratch.end)
  }

  #fail(peer: Peer, ticket: number, error: unknown): void {
    writeError(error, this.#scratch)
    peer.reply(ticket, this.#scratch.bytes, 0, this.#scratch.end)
  }

  /** Whoever asked has not stopped: it is this node that does not run the cache any more. */
  #seenFromAfar(error: unknown, cache: string): unknown {
    return error instanceof CacheError && error.code === 'ERR_STOPPED' ? this.#noCache(cache, error) : error
  }

  #noCache(cache: string, cause?: CacheError): CacheError {
    return new CacheError('ERR_NO_CACHE', `node '${this.#node}' does not run the cache '${cache}' with other nodes`, { cache, node: this.#node, cause, outcome: cause?.outcome ?? 'none' })
  }
}

function giftFor({ name: node }: Peer, purpose: NonNullable<RemoteRun['purpose']>): Gift {
  if ('load' in purpose) return { what: 'loading', data: purpose.load }
  return { what: 'transaction afar', place: 'first', data: { node, transaction: purpose.transaction } satisfies AfarTicket }
}

/** The function of a call that its node has lent with it. */
function lentIn(caller: Caller, { action, args }: RemoteCall): string | undefined {
  const { functionAt, functionIn } = OFFERED.get(action) ?? {}
  const name = functionAt === undefined ? functionIn?.(caller, args) : args[functionAt]
  return typeof name === 'string' ? name : undefined
}

/** From here on there was no deadline. */
const UNLIMITED_MS = DEADLINELESS_MS / 2
