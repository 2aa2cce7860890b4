/**
 * Actors: what they are (`defineActor`), what is sent to them (typed tuples), and how they are named.
 *
 * A definition stands at the top level of a module. The module is loaded on the thread that hosts the actor,
 * where `defineActor` registers the definition under its name; a spec carries only the module's URL, the name
 * and arguments as data.
 */
import { CacheError, invalidArgument } from './errors.js'
import { parseDuration, type Duration } from './duration.js'
import { DEFAULT_BOUNDS, type MailboxBounds } from './mailbox/lane.js'
import type { Inlet } from './mailbox/inlet.js'
import type { MessagePort } from 'node:worker_threads'
import type { ActorSpec, Restart } from './supervision/supervisor-spec.js'
import { invalidOption, numberWithin, oneOf, ownOptions } from './option-checks.js'

/**
 * Where an actor runs: `shared` with others on an evented thread (the default), `own` on an evented thread of
 * its own, `blocking` on a thread that sleeps between messages and runs synchronous handlers only. `system` is
 * the system thread, for actors of this package.
 */
export const HOST_KINDS = ['shared', 'own', 'blocking', 'system'] as const
export type HostKind = (typeof HOST_KINDS)[number]

/** What a handler's first parameter, its actor's state, came from. */
export interface ActorContext {
  /** The path of the actor in the tree, unique on the node. */
  readonly id: string
  /** The name that it is found by, if it has one. */
  readonly name: string | undefined
  /** Counts its starts, from 1. */
  readonly incarnation: number
  /** How many of its starts it has failed since one succeeded; those that died with their thread do not count. */
  readonly failedStarts: number
  readonly node: string
  /** Shared buffers that its spec asked for, by name. They outlive the actor. */
  readonly buffers: Readonly<Record<string, SharedArrayBuffer>>
  /** Other actors. Not to be called by an actor on a blocking host: it may `tell`, never `ask`. */
  whereis<S extends ActorSpec = ActorSpec>(name: string, definition?: S): Promise<ActorRef<HandlersOf<S>> | undefined>
  /** Milliseconds since the epoch, by the node's clock. */
  now(): number
  /** Runs `run` on the actor's thread after `delayMs` of the node's time, not beside a message. Returns a cancel. Evented hosts only. */
  after(delayMs: number, run: () => void | Promise<void>): () => void
  /** Ends this actor when its current message is done: in good order, or with an error, as its supervisor sees it. */
  exit(error?: Error): void
}

// Handlers are stored together whatever their parameters; the types of a definition are recovered from its own.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Handler<S> = (state: S, ...args: any[]) => unknown
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Handlers<S = any> = Readonly<Record<string, Handler<S>>>

type Tail<F> = F extends (state: never, ...args: infer A) => unknown ? A : never

/** Every message of an actor with these handlers: `['name', ...arguments]`. */
export type MessageOf<H> = { [K in keyof H & string]: readonly [K, ...Tail<H[K]>] }[keyof H & string]

/** What an ask with message `M` resolves to. */
export type ReplyOf<H, M extends readonly [string, ...unknown[]]> = M[0] extends keyof H
  ? H[M[0]] extends (...args: never[]) => infer R ? Awaited<R> : never
  : never

export interface AskOptions {
  /** How long the caller waits, in milliseconds or as `'5s'`. Default 5 s. It bounds the wait, never the work. */
  timeout?: Duration | undefined
  /** Rejects the ask with its reason. */
  signal?: AbortSignal | undefined
}

/** An address of an actor. Stays good across restarts. */
export interface ActorRef<H = Handlers> {
  readonly id: string
  readonly name: string | undefined
  /** Sends a message and resolves with the reply. Settles exactly once, with the reply or a typed error. */
  ask<const M extends MessageOf<H>>(message: M, options?: AskOptions): Promise<ReplyOf<H, M>>
  /** Sends without a reply. True if it was queued; false, and counted, if the mailbox was full. */
  tell(message: MessageOf<H>): boolean
}

/** Makes the state of an actor; what follows the context are the arguments of its specs. */
// `any`, so that an argument with a default value and no type of its own is accepted.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Init = (context: ActorContext, ...args: any[]) => unknown

/** The state that an `init` makes. */
export type StateOf<I extends Init> = Awaited<ReturnType<I>>

type ArgumentsOf<I extends Init> = I extends (context: ActorContext, ...args: infer A) => unknown ? A : never

export interface ActorOptions<I extends Init, H extends Handlers<StateOf<I>>> {
  /** Default `'shared'`. */
  host?: 'shared' | 'own' | 'blocking'
  /** Limit of the host thread's heap in MiB; for `own` and `blocking`. */
  heapMb?: number
  /** Bounds of each lane of its mailbox. */
  mailbox?: Partial<MailboxBounds>
  /** Makes the state. Runs at every start; what it throws fails the start. */
  init?: I
  /** One message at a time, in order from each sender. An error thrown here is the reply; it does not end the actor. */
  handlers: H
  /** Called when it is stopped in good order, after its queue was drained. */
  stop?: (state: StateOf<I>) => void | Promise<void>
}

/** How a low-level actor of this package takes requests: bytes in, bytes out, no tuples. */
export interface RawActor<S> {
  init(context: ActorContext, args: unknown): S | Promise<S>
  /** Handles the request that `inlet` has taken, and finishes or defers it. */
  receive(state: S, inlet: Inlet): void
  /**
   * It keeps what it has deferred where its next incarnation finds it, and makes those deferrals again (`Inlet.deferral`). Default:
   * they fail as unknown when it dies.
   */
  readonly durableDeferrals?: boolean
  /** Called once, when what its predecessor had taken is failed and before it takes anything: to answer what that one had deferred. */
  takeUp?(state: S, inletOf: (client: number) => Inlet | undefined): void
  /** Called when a client has gone; what it had sent may still be in its lane. */
  clientGone?(state: S, client: number): void
  /** Whether it takes requests at present; evented hosts only. When it does again it rings its host. Default: always. */
  accepts?(state: S): boolean
  /** Takes a port that a client handed to it (`SystemApi.connect`): a way of its own to that client, for as long as both are there. */
  connect?(state: S, port: MessagePort): void
  /** Called between batches; true if there is more to do soon. */
  idle?(state: S): boolean
  stop?(state: S): void | Promise<void>
}

export interface SpawnOptions<A extends unknown[]> {
  /** Its place among its siblings. Default: the definition's name. */
  id?: string
  /** The name by which `whereis` finds it. Unique on the node. */
  name?: string
  args?: A
  /** Default `'permanent'`. */
  restart?: Restart
  /** How long it has to stop. Default 5 s; 0 kills at once. */
  shutdown?: Duration
}

/** What a host needs to start an actor: plain data. */
export interface Blueprint {
  module: string
  definition: string
  args: unknown
  /** `pool` and `index` place it on one of the threads of a pool that the node sized; without, it has a thread of its own. */
  host: { kind: HostKind; pool?: string; index?: number; heapMb?: number }
  mailbox: MailboxBounds
  /** Modules that its `init` loads besides. */
  preload?: readonly string[]
  /** Shared buffers by name, with their sizes in bytes. */
  buffers: Record<string, number>
  /** Buffers that it has in common with others below the supervisor `up` levels above it, by name, with their sizes. They live as long as that supervisor's place in the tree. */
  common?: { up: number; buffers: Record<string, number> }
  name?: string
  crashCode: 'ERR_SHARD_CRASHED' | 'ERR_ACTOR_CRASHED'
}

/** What `defineActor` returns: a spec of one such actor with default options, and a way to make others. */
export interface ActorDefinition<A extends unknown[], H> extends ActorSpec {
  readonly actor: Blueprint
  /** A spec for `spawn` or a supervisor's `children`. */
  with(options: SpawnOptions<A>): ActorSpec & { readonly actor: Blueprint; readonly [HANDLERS]?: H }
  readonly [HANDLERS]?: H
}

/** Carries the handlers' types; never present at run time. */
export declare const HANDLERS: unique symbol

/** The handlers of a definition or spec. */
export type HandlersOf<S> = S extends { readonly [HANDLERS]?: infer H } ? NonNullable<H> : Handlers

/** A definition as the host uses it. */
export interface Behaviour {
  readonly raw: RawActor<unknown> | undefined
  readonly init: (context: ActorContext, args: unknown) => unknown
  readonly handlers: ReadonlyMap<string, Handler<unknown>>
  readonly stop: (state: unknown) => unknown
}

const behaviours = new Map<string, Behaviour>()

/** The definition of that name in a module that this thread has loaded. */
export function behaviourOf(module: string, definition: string): Behaviour | undefined {
  return behaviours.get(`${module}#${definition}`)
}

const OPTION_NAMES = ['host', 'heapMb', 'mailbox', 'init', 'handlers', 'stop']
const SPAWN_NAMES = ['id', 'name', 'args', 'restart', 'shutdown']

/**
 * Defines a kind of actor. Call it at the top level of a module with that module's `import.meta.url`: the host
 * thread loads the module to find it.
 *
 * @throws `ERR_INVALID_OPTION` for an unknown option or a value that is not allowed.
 */
export function defineActor<H extends Handlers<StateOf<I>>, I extends Init = () => undefined>(
  name: string, module: string, options: ActorOptions<I, H>,
): ActorDefinition<ArgumentsOf<I>, H> {
  const own = ownOptions(options, OPTION_NAMES)
  if (typeof own['handlers'] !== 'object' || own['handlers'] === null) {
    throw invalidOption('handlers', own['handlers'], 'an object of functions')
  }
  const handlers = new Map<string, Handler<unknown>>()
  for (const [key, handler] of Object.entries(options.handlers)) {
    if (typeof handler !== 'function') throw invalidOption(`handlers.${key}`, handler, 'a function')
    handlers.set(key, handler as Handler<unknown>)
  }
  const { init, stop } = options
  const host = oneOf(own['host'] ?? 'shared', ['shared', 'own', 'blocking'] as const, 'host')
  behaviours.set(`${module}#${name}`, {
    raw: undefined,
    handlers,
    init: (context, args) => init?.(context, ...(args as never[])),
    stop: (state) => stop?.(state as StateOf<I>),
  })
  const heapMb = own['heapMb'] === undefined ? undefined : numberWithin(own['heapMb'], 8, 65_536, 'heapMb')
  const mailbox = readBounds(own['mailbox'])
  return definition<ArgumentsOf<I>, H>(name, (args) => ({
    module, definition: name, args, host: { kind: host, ...(heapMb === undefined ? {} : { heapMb }) },
    mailbox, buffers: {}, crashCode: 'ERR_ACTOR_CRASHED',
  }))
}

/** Registers a low-level actor; its specs are made by its module. */
export function defineRawActor<S>(name: string, module: string, raw: RawActor<S>): void {
  behaviours.set(`${module}#${name}`, {
    raw: raw,
    handlers: new Map(),
    init: (context, args) => raw.init(context, args),
    stop: (state) => raw.stop?.(state as S),
  })
}

function definition<A extends unknown[], H>(name: string, blueprint: (args: unknown[]) => Blueprint): ActorDefinition<A, H> {
  const make = (options: SpawnOptions<A>): ActorSpec & { actor: Blueprint } => {
    const own = ownOptions(options, SPAWN_NAMES)
    const args = own['args'] ?? []
    if (!Array.isArray(args)) throw invalidOption('args', args, 'an array')
    const actor = blueprint(args)
    if (own['name'] !== undefined) actor.name = checkName(own['name'])
    return {
      kind: 'actor',
      id: own['id'] === undefined ? actor.name ?? name : checkName(own['id'], 'id'),
      restart: oneOf(own['restart'] ?? 'permanent', ['permanent', 'transient', 'temporary'] as const, 'restart'),
      shutdownMs: parseDuration(own['shutdown'] ?? 5000, 'shutdown', true),
      actor,
    }
  }
  const spec = make({})
  // Not enumerable: the definition itself is sent as the spec that it is.
  return Object.defineProperty(spec, 'with', { value: make }) as ActorDefinition<A, H>
}

function checkName(value: unknown, option = 'name'): string {
  if (typeof value === 'string' && value !== '' && !value.includes('/')) return value
  throw invalidOption(option, value, 'a string that is not empty and has no "/"')
}

/** Checks the bounds of a mailbox and fills in the defaults. */
export function readBounds(value: unknown, where = 'mailbox', parseBytes: (value: unknown, option: string) => number = bytesOnly): MailboxBounds {
  const own = ownOptions(value === undefined ? {} : value, ['messages', 'bytes', 'overflow', 'waiting'], where)
  return {
    messages: numberWithin(own['messages'] === undefined ? DEFAULT_BOUNDS.messages : own['messages'], 1, 1 << 24, `${where}.messages`, true),
    bytes: numberWithin(own['bytes'] === undefined ? DEFAULT_BOUNDS.bytes : parseBytes(own['bytes'], `${where}.bytes`), 1024, 1 << 28, `${where}.bytes`, true),
    overflow: oneOf(own['overflow'] === undefined ? DEFAULT_BOUNDS.overflow : own['overflow'], ['wait', 'reject', 'drop'] as const, `${where}.overflow`),
    waiting: numberWithin(own['waiting'] === undefined ? DEFAULT_BOUNDS.waiting : own['waiting'], 0, 1 << 24, `${where}.waiting`, true),
  }
}

function bytesOnly(value: unknown, option: string): number {
  return numberWithin(value, 1024, 1 << 28, option, true)
}

/** Where a message goes: what every thread needs to open a lane. */
export interface ActorAddress {
  readonly id: string
  readonly name: string | undefined
  readonly mailbox: MailboxBounds
  readonly crashCode: Blueprint['crashCode']
}

/** Reads the caller's options of one ask. */
export function readTimeout(options: AskOptions | undefined): number {
  const timeout = options?.timeout
  if (timeout === undefined) return DEFAULT_TIMEOUT_MS
  if (typeof timeout === 'number' && timeout >= 0) return Math.min(timeout, MAX_TIMEOUT_MS)
  return Math.min(parseTimeout(timeout), MAX_TIMEOUT_MS)
}

export const DEFAULT_TIMEOUT_MS = 5000
/** Deadlines are compared as wrapping 32-bit milliseconds: about 12 days. */
const MAX_TIMEOUT_MS = 2 ** 30
/** For asks that something else bounds. */
export const DEADLINELESS_MS = MAX_TIMEOUT_MS

function parseTimeout(timeout: Duration): number {
  try {
    return parseDuration(timeout, 'timeout', true)
  } catch (error) {
    throw invalidArgument((error as CacheError).message)
  }
}
