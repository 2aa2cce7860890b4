/** One actor on its host thread: its behaviour, its state and the inlets of its mailbox. */
import { decodeValue, encodeValue } from '../codec/value.js'
import { CacheError, describeError } from '../errors.js'
import { behaviourOf, type ActorContext, type Behaviour, type Blueprint } from '../actor.js'
import { Bell } from '../mailbox/bell.js'
import { Inlet, replyScratch } from '../mailbox/inlet.js'
import { STATUS } from '../mailbox/lane.js'
import type { LaneGrant, Report } from './protocol.js'

export class HostedActor {
  readonly id: string
  /** The system lane first, then the others in the order in which they were opened. */
  readonly inlets: Inlet[] = []
  readonly behaviour: Behaviour
  state: unknown = undefined
  /** An asynchronous handler has not finished. */
  busy = false
  /** It ended itself: no further message is taken. */
  exiting = false

  readonly #report: (report: Report) => void

  private constructor(id: string, behaviour: Behaviour, report: (report: Report) => void) {
    this.id = id
    this.behaviour = behaviour
    this.#report = report
  }

  /** Loads the module, fails what a predecessor left unfinished, and makes the state. */
  static async start(
    id: string, blueprint: Blueprint, lanes: LaneGrant[], recoverAs: number, context: ActorContext, report: (report: Report) => void,
  ): Promise<HostedActor> {
    const behaviour = await load(blueprint)
    const actor = new HostedActor(id, behaviour, report)
    actor.state = await behaviour.init(context, blueprint.args)
    // Only now: if the start fails, the next incarnation finds the mailbox as it was.
    for (const lane of lanes) {
      actor.adopt(lane).recover(recoverAs)
      // Without being asked: the predecessor may have died between its last reply and the ring.
      new Bell(lane.bell).ring()
    }
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

  /** Forgets a client that is gone, once what it sent has run. */
  forgetIfGone(inlet: Inlet): void {
    if (!inlet.leaving) return
    this.inlets.splice(this.inlets.indexOf(inlet), 1)
    this.#report({ report: 'laneDropped', id: this.id, client: inlet.client })
  }

  get pending(): boolean {
    for (const inlet of this.inlets) if (inlet.pending) return true
    return false
  }

  /** Handles the tuple that `inlet` has taken. Returns a promise if the handler did. */
  handle(inlet: Inlet): Promise<void> | undefined {
    let result: unknown
    try {
      const message = decodeValue(inlet.bytes, inlet.start, inlet.aEnd) as [string, ...unknown[]]
      const handler = this.behaviour.handlers.get(message[0])
      if (handler === undefined) {
        throw new CacheError('ERR_UNKNOWN_MESSAGE', `${this.id} has no handler '${String(message[0])}'; it has ${[...this.behaviour.handlers.keys()].join(', ')}`)
      }
      result = handler(this.state, ...message.slice(1))
    } catch (error) {
      fail(inlet, error)
      return undefined
    }
    if (!isThenable(result)) {
      reply(inlet, result)
      return undefined
    }
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

/** Replies with `value` and marks the request done. */
export function reply(inlet: Inlet, value: unknown): void {
  if (value === true) return inlet.finish(STATUS.true)
  if (value === false) return inlet.finish(STATUS.false)
  if (value === undefined) return inlet.finish(STATUS.undefined)
  replyScratch.reset()
  try {
    encodeValue(value, replyScratch)
  } catch (error) {
    return fail(inlet, error)
  }
  inlet.finishWith(STATUS.value, replyScratch.bytes, 0, replyScratch.end)
}

/** Replies with an error and marks the request done. */
export function fail(inlet: Inlet, error: unknown): void {
  replyScratch.reset()
  encodeValue(describeError(error), replyScratch)
  inlet.finishWith(STATUS.error, replyScratch.bytes, 0, replyScratch.end)
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function'
}
