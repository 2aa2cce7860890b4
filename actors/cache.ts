/**
 * The handle of a cache: every action as a method, the same as messages, the synchronous reads, and the way to hand it to
 * other threads. The methods come from the list of actions.
 */
import type { AskOptions } from '../runtime/actor.js'
import type { Client } from '../runtime/client.js'
import { CacheError, invalidArgument } from '../runtime/errors.js'
import type { Key } from '../runtime/codec/key.js'
import type { NodeAttachment } from '../runtime/node.js'
import { setTableState, TABLE_STATE } from '../runtime/table/layout.js'
import { BUSY, MISSING } from '../runtime/table/reader.js'
import type { MessagePort } from 'node:worker_threads'
import { codeOf } from './action-codes.js'
import { ACTIONS } from './action-list.js'
import { exists } from './actions/exists.js'
import { get } from './actions/get.js'
import type { Action, CacheActions, SpecialMessages, SpecialReplies } from './action.js'
import { openStream, type CacheStream } from './actions/stream.js'
import type { CacheDescription } from './cache-description.js'
import { Caller } from './calls/caller.js'
import { routed } from './cluster/routed-call.js'
import { callsOf, COUNTER } from './counters.js'
import { openEvents, type CacheEvents, type CacheSubscriptions, type EventsOptions } from './watching/events.js'
import { noteRead, watchedCall } from './watching/watched-call.js'

/** Names of actions that are messages too. */
export type ActionName = keyof CacheActions<unknown>

/** Every message of a cache: the name of an action and its arguments. */
export type CacheMessage<V> = {
  [K in ActionName]: K extends keyof SpecialMessages<V> ? SpecialMessages<V>[K] : readonly [K, ...Parameters<CacheActions<V>[K]>]
}[ActionName]

/** What an ask with a message resolves to. */
export type CacheReply<V, M extends readonly [ActionName, ...unknown[]]> = M[0] extends keyof SpecialReplies<V, M>
  ? SpecialReplies<V, M>[M[0]]
  : Awaited<ReturnType<CacheActions<V>[M[0]]>>

/** What `attachment()` returns: the descriptor, to be sent to one thread, and what has to be in its transfer list. */
export interface Attachment {
  descriptor: CacheDescriptor
  transfer: MessagePort[]
}

/** Plain data and ports that make a handle of the same cache on another thread of the application. */
export interface CacheDescriptor {
  node: NodeAttachment
  cache: CacheDescription
}

/** A cache, on one thread. Values come back as deep copies. */
export interface Cache<V> extends CacheActions<V>, CacheStream<V>, CacheSubscriptions<V>, AsyncDisposable {
  readonly name: string
  /**
   * Sends an action as a message and resolves with its result. `timeout` and `signal` are options of the call, not of the message.
   *
   * @example
   * await users.ask(['incr', 'logins', 2], { timeout: '1s' })    // → 2
   */
  ask<const M extends CacheMessage<V>>(message: M, options?: AskOptions): Promise<CacheReply<V, M>>
  /**
   * Sends an action as a message, without a reply. True if it was queued, false (and counted) if the mailbox was full. A read is carried out, for those
   * who watch or count it.
   *
   * @example
   * users.tell(['expire', 'ada', '1h'])    // → true
   */
  tell(message: CacheMessage<V>): boolean
  /**
   * The value of a key, read from shared memory at once; `undefined` if it is missing. Does not wait for this thread's own
   * unanswered writes.
   *
   * Errors: `ERR_BUSY` if the entry is rewritten without pause for 100 ms.
   *
   * @example
   * users.getSync('ada')    // → { name: 'Ada', age: 36, visits: 1 }
   */
  getSync(key: Key): V | undefined
  /**
   * Whether there is an entry, as `getSync`.
   *
   * @example
   * users.existsSync('eve')    // → false
   */
  existsSync(key: Key): boolean
  /**
   * The name of the node that owns a key.
   *
   * Errors: `ERR_NODE_DOWN` if there is none, which only happens with routers that follow nodes.
   *
   * @example
   * users.nodeOf('ada')    // → 'node'
   */
  nodeOf(key: Key): string
  /**
   * What another thread of the application needs for a handle of its own: for one thread, once. To be made on the thread that started the cache.
   *
   * @example
   * const { descriptor, transfer } = users.attachment()
   * worker.postMessage({ users: descriptor }, transfer)
   * // There: const users = await attachCache<User>(message.users)
   */
  attachment(): Attachment
  /**
   * Stops the cache after what is queued was done, at most 5 s; then everything answers `ERR_STOPPED`, everywhere. May be called twice.
   *
   * @example
   * const orders = await startCache('orders', { memory: '1mb' })
   * await orders.stop()
   * users.getSync('bob')?.age    // → 16
   */
  stop(): Promise<void>
}

/** How a handle reaches the node that it belongs to. */
export interface CacheHome {
  readonly client: Client
  /** Stops the cache's tree. */
  stopCache(description: CacheDescription): Promise<void>
  /** Makes another thread a client of the node. */
  attach(): NodeAttachment
}

/** A synchronous read gives up after so many milliseconds of a writer that rewrites the entry without pause. */
const SYNC_READ_MS = 100

const GET = codeOf(get)
const EXISTS = codeOf(exists)

const BY_NAME = new Map<string, Action>(ACTIONS.map((action) => [action.name, action]))

class Handle {
  readonly name: string
  readonly #caller: Caller
  /** No hook hears of its calls. */
  readonly isQuiet: boolean
  readonly #home: CacheHome
  #quiet: Handle | undefined
  #stopping: Promise<void> | undefined

  constructor(home: CacheHome, caller: Caller, isQuiet: boolean) {
    this.name = caller.config.name
    this.isQuiet = isQuiet
    this.#home = home
    this.#caller = caller
  }

  /** The same handle, but no hook hears of its calls. */
  get quiet(): Handle {
    return this.#quiet ??= this.isQuiet ? this : new Handle(this.#home, this.#caller, true)
  }

  get caller(): Caller {
    return this.#caller
  }

  getSync(key: unknown): unknown {
    const caller = this.#caller
    caller.key(key)
    caller.cluster?.refuseRemote(caller)
    let value = caller.read()
    if (value === BUSY) value = persevere(caller, () => caller.read())
    if (caller.counters !== null) countSync(caller, COUNTER.getSync, value !== MISSING)
    const result = value === MISSING ? undefined : value
    if (caller.watch.concerns(GET) && !this.isQuiet) noteRead(caller, get, key, result)
    return result
  }

  existsSync(key: unknown): boolean {
    const caller = this.#caller
    caller.key(key)
    caller.cluster?.refuseRemote(caller)
    let found: unknown = caller.locate()
    if (found === -1) found = persevere(caller, () => locateOrBusy(caller))
    if (caller.counters !== null) countSync(caller, COUNTER.existsSync, found === 1)
    if (caller.watch.concerns(EXISTS) && !this.isQuiet) noteRead(caller, exists, key, found === 1)
    return found === 1
  }

  nodeOf(key: unknown): string {
    const caller = this.#caller
    caller.key(key)
    return caller.cluster?.ownerOf(caller) ?? caller.client.node
  }

  stream(options?: unknown): AsyncGenerator<unknown, void, undefined> {
    return openStream(this.#caller, options)
  }

  events(options?: EventsOptions): CacheEvents<unknown> {
    return openEvents(this.#caller, options)
  }

  // Not every path waits: an error of the arguments has to become a rejection too.
  // eslint-disable-next-line @typescript-eslint/require-await
  async ask(message: unknown, options: AskOptions = {}): Promise<unknown> {
    const [action, args] = this.#parse(message)
    if (typeof options !== 'object' || (options as unknown) === null) throw invalidArgument('the options of ask are an object with timeout and signal')
    for (const name in options) if (name !== 'timeout' && name !== 'signal') throw invalidArgument(`ask has no option '${name}', only timeout and signal; options of the action belong into the message`)
    while (args.length < action.arity) args.push(undefined)
    const own = args[action.arity]
    if (own !== undefined && (typeof own !== 'object' || own === null)) throw invalidArgument(`the last argument of ${action.name} is an object of options`)
    args[action.arity] = { ...own, ...options }
    return this.#perform(action, args)
  }

  tell(message: unknown): boolean {
    const [action, args] = this.#parse(message)
    const caller = this.#caller
    if (!action.writes && action.acts !== true) {
      // It is carried out as if it were asked: that shows in what is counted, and in what goes when the cache is full.
      Promise.resolve(this.#perform(action, args)).catch(() => undefined)
      return true
    }
    caller.telling = true
    try {
      return this.#perform(action, args) as boolean
    } finally {
      caller.telling = false
    }
  }

  attachment(): Attachment {
    this.#caller.refuseIfStopped()
    const node = this.#home.attach()
    return { descriptor: { node, cache: this.#caller.description }, transfer: [node.control, node.lifeline] }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** A method of a quiet handle. */
  // eslint-disable-next-line @typescript-eslint/require-await
  async quietly(action: Action, args: unknown[]): Promise<unknown> {
    return this.#perform(action, args)
  }

  #perform(action: Action, args: unknown[]): unknown {
    const caller = this.#caller
    if (this.isQuiet) return perform(action, caller, unnoticed(action, args))
    if (caller.watch.concerns(codeOf(action))) return watchedCall(caller, action, args, (passed) => perform(action, caller, passed))
    return perform(action, caller, args)
  }

  #parse(message: unknown): [Action, unknown[]] {
    const [name, ...args] = Array.isArray(message) ? message as unknown[] : []
    const action = typeof name === 'string' ? BY_NAME.get(name) : undefined
    if (action === undefined) throw invalidArgument(`a message is an array that begins with the name of an action (${[...BY_NAME.keys()].join(', ')}), such as ['get', key]`)
    if (args.length > action.arity + 1) throw invalidArgument(`the message '${action.name}' has ${args.length} arguments; it takes at most ${action.arity} and its options`)
    return [action, args]
  }

  async #stop(): Promise<void> {
    const { description } = this.#caller
    if (description.id.includes('/')) throw new CacheError('ERR_INVALID_ARGUMENT', `cache '${this.name}' belongs to a supervisor of the application; stop that one`)
    // From now on new calls are refused, on every thread; what is queued is done.
    for (const { table } of description.shards) setTableState(table, TABLE_STATE.stopping)
    await this.#home.stopCache(description)
    for (const { table } of description.shards) setTableState(table, TABLE_STATE.stopped)
  }
}

/** Carries out an action and counts the call, unless its arguments are refused. */
function perform(action: Action, caller: Caller, args: unknown[]): unknown {
  const { cluster } = caller
  const result = cluster === null ? action.call(caller, ...args as never[]) : routed(caller, cluster, action, args)
  caller.counters?.add(callsOf(action))
  return result
}

/** With `notify: false`, which is for what a call makes others do. What is wrong with its options stays so. */
function unnoticed({ arity }: Action, args: unknown[]): unknown[] {
  const options = args[arity]
  if (options !== undefined && (typeof options !== 'object' || options === null)) return args
  return [...Array.from({ length: arity }, (_, index) => args[index]), { ...options, notify: false }]
}

/** As a method, which returns a promise. */
function routedMethod(caller: Caller, action: Action, args: unknown[]): Promise<unknown> {
  const result = perform(action, caller, args)
  return result instanceof Promise ? result : Promise.resolve(result)
}

function countSync(caller: Caller, calls: number, found: boolean): void {
  caller.counters!.add(calls)
  caller.countLookup(found)
}

function locateOrBusy(caller: Caller): unknown {
  const found = caller.locate()
  return found < 0 ? BUSY : found
}

/** Reads again and again for a bounded time. */
function persevere(caller: Caller, read: () => unknown): unknown {
  const until = performance.now() + SYNC_READ_MS
  do {
    const value = read()
    if (value !== BUSY) return value
  } while (performance.now() < until)
  throw new CacheError('ERR_BUSY', `the entry was rewritten without pause for ${SYNC_READ_MS} ms; read it with get, which asks shard ${caller.shard}`)
}

// Each action becomes a method. Up to four parameters are passed on one by one: an array for each call would cost on hot paths.
for (const action of ACTIONS) {
  const calls = callsOf(action)
  const number = codeOf(action)
  const { arity } = action
  Object.defineProperty(Handle.prototype, action.name, {
    configurable: true,
    writable: true,
    value: function method(this: Handle, a: unknown, b: unknown, c: unknown, d: unknown): Promise<unknown> {
      try {
        const { caller } = this
        if (this.isQuiet) return this.quietly(action, [a, b, c, d].slice(0, arity + 1))
        if (caller.watch.concerns(number)) {
          return watchedCall(caller, action, [a, b, c, d].slice(0, arity + 1), (args) => perform(action, caller, args)) as Promise<unknown>
        }
        if (caller.cluster !== null) return routedMethod(caller, action, [a, b, c, d].slice(0, arity + 1))
        const result = action.call(caller, a as never, b as never, c as never, d as never) as Promise<unknown>
        if (caller.counters !== null) caller.counters.add(calls)
        return result
      } catch (error) {
        // The reason of an aborted signal may be anything.
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
        return Promise.reject(error)
      }
    },
  })
}

/** The caller's side that a handle works on. */
export function callerOf(cache: Cache<unknown>): Caller {
  return (cache as unknown as Handle).caller
}

/** Makes a handle on this thread. */
export function createHandle<V>(home: CacheHome, description: CacheDescription): Cache<V> {
  return new Handle(home, new Caller(home.client, description), false) as unknown as Cache<V>
}

/** A handle of the same cache whose calls no hook hears of: for hooks, which would otherwise hear of their own. */
export function quiet<V>(cache: Cache<V>): Cache<V> {
  return (cache as unknown as Handle).quiet as unknown as Cache<V>
}
