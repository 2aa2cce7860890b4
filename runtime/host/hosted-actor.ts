/** One actor on its host thread: its behaviour, its state and the inlets of its mailbox. */
import { decodeValue, encodeValue } from '../codec/value.js'
import { CacheError, describeError } from '../errors.js'
import { behaviourOf, type ActorContext, type Behaviour, type Blueprint } from '../actor.js'
import { Bell } from '../mailbox/bell.js'
import type { Replier } from '../mailbox/deferral.js'
import { Inlet, replyScratch } from '../mailbox/inlet.js'
import { STATUS } from '../mailbox/lane.js'
import type { LaneGrant, Report } from './protocol.js'

/** The ends of an actor's lanes at one moment. */
export type QueueMarks = readonly { readonly inlet: Inlet; readonly mark: number }[]

export class HostedActor {
  readonly id: string
  /** The system lane first, then the others in the order in which they were opened. */
  readonly inlets: Inlet[] = []
  readonly behaviour: Behaviour
  state: unknown = undefined
  /** An asynchronous handler has not finished. */
  busy = false
  /** It ended itself: no further message is taken, and it is gone when the current one is done. */
  exit: { readonly error: Error | undefined } | undefined
  /** What timers brought, to be run between messages. */
  readonly chores: (() => unknown)[] = []
  /** Cancels of its timers. */
  readonly timers = new Set<() => void>()
  /** The lane that was looked at last. */
  turn = 0

  readonly #report: (report: Report) => void

  /** The lane of the message that an asynchronous handler works on. */
  #current: Inlet | undefined

  private constructor(id: string, behaviour: Behaviour, report: (report: Report) => void) {
    this.id = id
    this.behaviour = behaviour
    this.#report = report
  }

  /** Loads the module, fails what a predecessor left unfinished, and makes the state. */
  static async start(
    id: string, blueprint: Blueprint, lanes: LaneGrant[], recoverAs: number, contextOf: (actor: HostedActor) => ActorContext, report: (report: Report) => void,
  ): Promise<HostedActor> {
    const behaviour = await load(blueprint)
    const actor = new HostedActor(id, behaviour, report)
    try {
      actor.state = await behaviour.init(contextOf(actor), blueprint.args)
    } catch (error) {
      actor.cancelTimers()
      throw error
    }
    // Only now: if the start fails, the next incarnation finds the mailbox as it was.
    for (const lane of lanes) {
      actor.adopt(lane).recover(recoverAs, behaviour.raw?.durableDeferrals === true)
      // Without being asked: the predecessor may have died between its last reply and the ring.
      new Bell(lane.bell).ring()
    }
    behaviour.raw?.takeUp?.(actor.state, (client) => actor.inlets.find((inlet) => inlet.client === client))
    return actor
  }

  adopt(grant: LaneGrant): Inlet {
    const known = this.inlets.find((inlet) => inlet.client === grant.client)
    if (known !== undefined) return known
    const inlet = new Inlet(grant.lane, grant.client, new Bell(grant.bell))
    for (const [largeId, body] of grant.large) inlet.large.set(largeId, body)
    inlet.onLargeDone = (largeId) => this.#report({ report: 'largeDone', id: this.id, client: grant.client, largeId })
    this.inlets.push(inlet)
    this.inlets.sort((a, b) => a.client - b.client)
    return inlet
  }

  /** Forgets a client that is gone, once what it sent has run. True if it was forgotten. */
  forgetIfGone(inlet: Inlet): boolean {
    if (!inlet.leaving || inlet.pending || (this.busy && this.#current === inlet)) return false
    this.inlets.splice(this.inlets.indexOf(inlet), 1)
    this.#report({ report: 'laneDropped', id: this.id, client: inlet.client, isQuiet: inlet.isQuiet })
    return true
  }

  /** Whether something waits, if only for its client to read replies. */
  get pending(): boolean {
    const { accepts } = this
    for (const inlet of this.inlets) if (accepts ? inlet.pending : inlet.holdsReplies) return true
    return this.exit !== undefined || this.chores.length > 0
  }

  /** Whether it takes requests at present. */
  get accepts(): boolean {
    const { raw } = this.behaviour
    return raw?.accepts === undefined || raw.accepts(this.state)
  }

  /** Whether there is something to do. */
  get ready(): boolean {
    for (const inlet of this.inlets) if (inlet.ready) return true
    return this.exit !== undefined || this.chores.length > 0
  }

  /** Whether replies wait until a client has made room for them. */
  get holdsReplies(): boolean {
    return this.inlets.some((inlet) => inlet.holdsReplies)
  }

  /** Sends what was held back, as far as there is room. */
  flush(): void {
    for (const inlet of this.inlets) if (inlet.holdsReplies) inlet.flush()
  }

  /** As `exit !== undefined` and `busy`, for loops in which they change under way. */
  isExiting(): boolean {
    return this.exit !== undefined
  }

  isBusy(): boolean {
    return this.busy
  }

  /** Where its queue ends now. */
  marks(): QueueMarks {
    return this.inlets.map((inlet) => ({ inlet, mark: inlet.mark() }))
  }

  /** Whether what was queued then is done. */
  drained(marks: QueueMarks): boolean {
    return !this.busy && (this.exit !== undefined || marks.every(({ inlet, mark }) => inlet.reached(mark)))
  }

  cancelTimers(): void {
    for (const cancel of this.timers) cancel()
    this.timers.clear()
    this.chores.length = 0
  }

  /**
   * Handles the request that `inlet` has taken. Returns a promise if the handler did; unless it `mayWait`, that is
   * an error of the message.
   */
  handle(inlet: Inlet, mayWait: boolean): Promise<void> | undefined {
    const { raw } = this.behaviour
    if (raw !== undefined) {
      raw.receive(this.state, inlet)
      return undefined
    }
    let result: unknown
    let waits: boolean
    try {
      const message = decodeValue(inlet.bytes, inlet.start, inlet.aEnd) as [string, ...unknown[]]
      const handler = this.behaviour.handlers.get(message[0])
      if (handler === undefined) {
        throw new CacheError('ERR_UNKNOWN_MESSAGE', `${this.id} has no handler '${message[0]}'; it has ${[...this.behaviour.handlers.keys()].join(', ')}`)
      }
      result = handler(this.state, ...message.slice(1))
      waits = isThenable(result)
      if (waits && !mayWait) {
        Promise.resolve(result).catch(() => undefined)
        throw new CacheError('ERR_ASYNC_FUNCTION', `the handler '${message[0]}' of ${this.id} returned a promise, and its host blocks; define the actor with host: 'own' or 'shared'`, { outcome: 'unknown' })
      }
    } catch (error) {
      fail(inlet, error)
      return undefined
    }
    if (!waits) {
      reply(inlet, result)
      return undefined
    }
    this.#current = inlet
    return Promise.resolve(result).then((value) => reply(inlet, value), (error: unknown) => fail(inlet, error))
  }
}

async function load(blueprint: Blueprint): Promise<Behaviour> {
  const { module, definition } = blueprint
  try {
    await import(module)
  } catch (error) {
    throw new CacheError('ERR_MODULE_LOAD', `the module ${module} of actor '${definition}' could not be loaded: ${String(error)}`, { cause: error })
  }
  const behaviour = behaviourOf(module, definition)
  if (behaviour === undefined) {
    throw new CacheError('ERR_MODULE_LOAD', `the module ${module} does not define an actor '${definition}' at its top level; call defineActor('${definition}', import.meta.url, …) there`)
  }
  return behaviour
}

/** Replies with `value`: at once, which marks the request done, or to one that was deferred. */
export function reply(replier: Replier, value: unknown): void {
  if (value === true) return replier.finish(STATUS.true)
  if (value === false) return replier.finish(STATUS.false)
  if (value === undefined) return replier.finish(STATUS.undefined)
  replyScratch.reset()
  try {
    encodeValue(value, replyScratch)
  } catch (error) {
    return fail(replier, error)
  }
  replier.finishWith(STATUS.value, replyScratch.bytes, 0, replyScratch.end)
}

/** Replies with an error, as `reply`. */
export function fail(replier: Replier, error: unknown): void {
  replyScratch.reset()
  try {
    encodeValue(describeError(error), replyScratch)
  } catch {
    replyScratch.reset()
    encodeValue(describeError(new Error('an error that could not be sent')), replyScratch)
  }
  replier.finishWith(STATUS.error, replyScratch.bytes, 0, replyScratch.end)
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function'
}
