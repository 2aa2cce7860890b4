/**
 * What a supervisor is told to do, as plain data: specs are built anywhere and sent to the system thread.
 *
 * `supervisor` builds a spec from options as users write them; `checkSupervisorSpec` and `checkChildSpec` check one that comes from
 * elsewhere. Both refuse with `ERR_INVALID_OPTION`.
 */
import { parseDuration, positiveDuration, type Duration } from '../duration.js'
import { inside, invalidOption, numberWithin, oneOf, ownOptions } from '../option-checks.js'

export const STRATEGIES = ['one_for_one', 'one_for_all', 'rest_for_one'] as const
/** Which children restart when one of them has to: that one, all, or that one and those started after it. */
export type Strategy = (typeof STRATEGIES)[number]

export const RESTARTS = ['permanent', 'transient', 'temporary'] as const
/** When a child that ended is restarted: always, only after an error, or never. */
export type Restart = (typeof RESTARTS)[number]

/** The delay between restarts: the first, then from `thenMs` growing by `factor` to `maxMs`. */
export interface Backoff {
  firstMs: number
  thenMs: number
  factor: number
  maxMs: number
  /** Up to this fraction of a delay is taken off at random, 0 to 1. */
  jitter: number
  /** A child that ran this long without a failure starts again with `firstMs`. */
  resetAfterMs: number
}

export interface SupervisorSpec {
  kind: 'supervisor'
  /** Unique among its siblings. */
  id: string
  strategy: Strategy
  /** More restarts than this within `withinMs`, and the supervisor ends with `ERR_RESTART_LIMIT`. */
  maxRestarts: number
  withinMs: number
  backoff: Backoff
  children: ChildSpec[]
  restart: Restart
  shutdownMs: number
}

export interface ActorSpec {
  kind: 'actor'
  /** Unique among its siblings. */
  id: string
  restart: Restart
  /** How long it has to stop before it is killed; 0 kills at once, `Infinity` never. */
  shutdownMs: number
  /** What the driver starts; the supervisor does not look inside. */
  actor: unknown
}

export type ChildSpec = SupervisorSpec | ActorSpec

/** The delay between restarts as users write it; what is left out has the default. */
export interface BackoffOptions {
  /** The delay of the first restart. Default 0. */
  first?: Duration
  /** The delay of the second. Default 50 ms, or `max` if that is shorter. */
  then?: Duration
  /** By how much each further delay is longer, at least 1. Default 2. */
  factor?: number
  /** No delay is longer: neither `first` nor `then` may be. Default 5 s, or the longer of them. */
  max?: Duration
  /** Up to this fraction of a delay is taken off at random. Default 0.2. */
  jitter?: number
  /** After so long without a failure the delays start again with the first. Default 10 s. */
  resetAfter?: Duration
}

/** How often and how soon restarts happen: the part of a supervisor's options that a cache has too. */
export interface SupervisionOptions {
  /** Default 20. With 0 the first failure ends the supervisor. */
  maxRestarts?: number
  /** Default 10 s. */
  within?: Duration
  backoff?: BackoffOptions
}

export interface SupervisorOptions extends SupervisionOptions {
  /** Unique among its siblings. `name` is the same. */
  id?: string
  name?: string
  /** Default `'one_for_one'`. */
  strategy?: Strategy
  /** Started in this order, stopped in reverse. Default none. */
  children?: readonly ChildSpec[]
  /** What its own supervisor does when this one ends. Default `'permanent'`. */
  restart?: Restart
  /** How long it has to stop with all its children. Default `Infinity`: as long as they need. */
  shutdown?: Duration
}

const SUPERVISION_NAMES = ['maxRestarts', 'within', 'backoff']
const OPTION_NAMES = ['id', 'name', 'strategy', ...SUPERVISION_NAMES, 'children', 'restart', 'shutdown']
const BACKOFF_NAMES = ['first', 'then', 'factor', 'max', 'jitter', 'resetAfter']
const BACKOFF_FIELDS = ['firstMs', 'thenMs', 'factor', 'maxMs', 'jitter', 'resetAfterMs']
const SUPERVISOR_FIELDS = ['kind', 'id', 'strategy', 'maxRestarts', 'withinMs', 'backoff', 'children', 'restart', 'shutdownMs']
// A definition is its own spec, with a method that is not sent along.
const ACTOR_FIELDS = ['kind', 'id', 'restart', 'shutdownMs', 'actor', 'with']

/** Deeper trees are refused; so is one that contains itself. */
const MAX_DEPTH = 64

/** Builds the spec of a supervisor. Throws `ERR_INVALID_OPTION` for an unknown option, a value that is not allowed, or two children of one id. */
export function supervisor(options: SupervisorOptions): SupervisorSpec {
  // not `??`: null is not left out, it is wrong
  const { id, name, strategy = 'one_for_one', maxRestarts, within, backoff, children = [], restart = 'permanent', shutdown = Infinity } = ownOptions(options, OPTION_NAMES)
  if (id !== undefined && name !== undefined && id !== name) throw invalidOption('name', name, 'the same as id; one of them is enough')
  if (!Array.isArray(children)) throw invalidOption('children', children, 'an array of specs')
  return checkSupervisorSpec({
    kind: 'supervisor',
    id: checkId(id === undefined ? name : id, id === undefined ? 'name' : 'id'),
    strategy: oneOf(strategy, STRATEGIES, 'strategy'),
    ...readSupervision({ maxRestarts, within, backoff }, ''),
    children: [...children as ChildSpec[]], // each is checked
    restart: oneOf(restart, RESTARTS, 'restart'),
    shutdownMs: parseDuration(shutdown, 'shutdown', true),
  })
}

/** A child that ran so long without a failure is restarted at once again. */
const RESET_AFTER_MS = 10_000

/** Reads `{ maxRestarts, within, backoff }` with their defaults; `where` is the option that holds them. */
export function readSupervision(options: unknown, where: string, resetAfterMs = RESET_AFTER_MS): Pick<SupervisorSpec, 'maxRestarts' | 'withinMs' | 'backoff'> {
  const { maxRestarts = 20, within = 10_000, backoff = {} } = ownOptions(options, SUPERVISION_NAMES, where)
  return {
    maxRestarts: numberWithin(maxRestarts, 0, Number.MAX_SAFE_INTEGER, inside(where, 'maxRestarts'), true),
    withinMs: positiveDuration(within, inside(where, 'within')),
    backoff: readBackoff(backoff, inside(where, 'backoff'), resetAfterMs),
  }
}

/** Delays longer than `max` are refused; defaults give way to what is set. */
function readBackoff(options: unknown, where: string, resetAfterDefaultMs: number): Backoff {
  const { first = 0, then, factor = 2, max, jitter = 0.2, resetAfter = resetAfterDefaultMs } = ownOptions(options, BACKOFF_NAMES, where)
  const firstMs = parseDuration(first, inside(where, 'first'))
  const givenThenMs = then === undefined ? undefined : parseDuration(then, inside(where, 'then'))
  const maxMs = max === undefined ? Math.max(5000, firstMs, givenThenMs ?? 0) : parseDuration(max, inside(where, 'max'))
  const thenMs = givenThenMs ?? Math.min(50, maxMs)
  const allowed = `a duration up to ${inside(where, 'max')}, which is ${maxMs} ms`
  if (firstMs > maxMs) throw invalidOption(inside(where, 'first'), first, allowed)
  if (thenMs > maxMs) throw invalidOption(inside(where, 'then'), then, allowed)
  return {
    firstMs, thenMs, maxMs,
    factor: numberWithin(factor, 1, Number.MAX_VALUE, inside(where, 'factor')),
    jitter: numberWithin(jitter, 0, 1, inside(where, 'jitter')),
    resetAfterMs: parseDuration(resetAfter, inside(where, 'resetAfter')),
  }
}

/** Checks a whole spec, its children included, and returns it. */
export function checkSupervisorSpec(spec: SupervisorSpec, where = '', depth = 0): SupervisorSpec {
  const own = ownOptions(spec, SUPERVISOR_FIELDS, where)
  const name = (field: string): string => inside(where, field)
  if (depth >= MAX_DEPTH) throw invalidOption(where, spec, `at most ${MAX_DEPTH} levels of supervisors`)
  oneOf(own['kind'], ['supervisor'], name('kind'))
  checkId(own['id'], name('id'))
  oneOf(own['strategy'], STRATEGIES, name('strategy'))
  oneOf(own['restart'], RESTARTS, name('restart'))
  numberWithin(own['maxRestarts'], 0, Number.MAX_SAFE_INTEGER, name('maxRestarts'), true)
  checkMs(own['withinMs'], name('withinMs'), false)
  checkMs(own['shutdownMs'], name('shutdownMs'), true)
  checkBackoff(own['backoff'], name('backoff'))
  const { children } = own
  if (!Array.isArray(children)) throw invalidOption(name('children'), children, 'an array of specs')
  const ids = new Set<string>()
  for (const [at, child] of (children as ChildSpec[]).entries()) {
    const { id } = checkChildSpec(child, name(`children[${at}]`), depth + 1)
    if (ids.has(id)) throw invalidOption(name(`children[${at}].id`), id, 'an id that no other child of the supervisor has')
    ids.add(id)
  }
  return spec
}

/** Checks the spec of a child and returns it. */
export function checkChildSpec(spec: ChildSpec, where = '', depth = 0): ChildSpec {
  const kind: unknown = typeof spec === 'object' && (spec as unknown) !== null ? spec.kind : undefined
  if (kind === 'supervisor') return checkSupervisorSpec(spec as SupervisorSpec, where, depth)
  const own = ownOptions(spec, ACTOR_FIELDS, where)
  if (kind !== 'actor') throw invalidOption(inside(where, 'kind'), kind, 'actor, supervisor')
  checkId(own['id'], inside(where, 'id'))
  oneOf(own['restart'], RESTARTS, inside(where, 'restart'))
  checkMs(own['shutdownMs'], inside(where, 'shutdownMs'), true)
  return spec
}

function checkBackoff(value: unknown, where: string): void {
  const backoff = ownOptions(value, BACKOFF_FIELDS, where)
  for (const field of ['firstMs', 'thenMs', 'maxMs', 'resetAfterMs']) checkMs(backoff[field], inside(where, field), false)
  numberWithin(backoff['factor'], 1, Number.MAX_VALUE, inside(where, 'factor'))
  numberWithin(backoff['jitter'], 0, 1, inside(where, 'jitter'))
}

function checkMs(value: unknown, option: string, infinite: boolean): void {
  numberWithin(value, 0, infinite ? Infinity : Number.MAX_VALUE, option)
}

function checkId(value: unknown, option: string): string {
  if (typeof value !== 'string' || value === '') throw invalidOption(option, value, 'a string that is not empty')
  return value
}
