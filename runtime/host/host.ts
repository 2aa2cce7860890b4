/**
 * The entry of every thread that hosts actors: takes orders from the system thread and runs their mailboxes,
 * blocking or in the event loop.
 */
import { receiveMessageOnPort } from 'node:worker_threads'
import { Client, type Connection } from '../client.js'
import { NodeClock, ClockTimers, deadlineMsWord, monotonicMs } from '../clock.js'
import { ControlLink } from '../control.js'
import { CacheError, describeError } from '../errors.js'
import { Bell } from '../mailbox/bell.js'
import type { ActorAddress, ActorContext } from '../actor.js'
import { HostedActor } from './hosted-actor.js'
import { FUNCTION_DUE, ORDERS, type HostStart, type Order, type Report } from './protocol.js'
import { runBlocking } from './blocking.js'
import { runEvented } from './evented.js'
import { markHostThread } from './host-thread.js'

/** The state of this host thread that both loops work on. */
export class Host {
  readonly start: HostStart
  readonly bell: Bell
  readonly clock: NodeClock
  readonly client: Client
  readonly timers: ClockTimers
  readonly actors = new Map<string, HostedActor>()
  /** The same actors, for the loops. */
  list: HostedActor[] = []
  exiting = false
  readonly #words: Int32Array
  #ordersSeen = 0
  readonly #deferred: Order[] = []

  constructor(start: HostStart) {
    this.start = start
    this.bell = new Bell(start.bell)
    this.clock = new NodeClock(start.clock)
    this.timers = new ClockTimers(this.clock)
    this.#words = new Int32Array(start.words)
    const link: Connection['link'] = new ControlLink(start.client.control)
    this.client = new Client({
      id: start.client.id, node: start.node, clock: this.clock, bell: new Bell(start.client.bell),
      // A host dies with its system thread: there is no other link to wait for.
      connection: { link, replaced: () => Promise.reject(new CacheError('ERR_STOPPED', 'the node has stopped')) },
    })
  }

  report(report: Report): void {
    this.start.port.postMessage(report)
  }

  get hasOrders(): boolean {
    return this.#deferred.length > 0 || Atomics.load(this.#words, ORDERS) !== this.#ordersSeen
  }

  /** Reads new orders and carries out those that need no waiting; the others are kept for `carryOut`. */
  intake(): void {
    this.#ordersSeen = Atomics.load(this.#words, ORDERS)
    for (let received; (received = receiveMessageOnPort(this.start.port)) !== undefined;) {
      const order = received.message as Order
      if (order.order === 'lane') this.actors.get(order.id)?.adopt(order.lane)
      else if (order.order === 'large') this.#inlet(order.id, order.client)?.large.set(order.largeId, order.body)
      else if (order.order === 'dropLane') this.#leave(order.id, order.client)
      else this.#deferred.push(order)
    }
  }

  /** Carries out the next order that was kept. `drain` runs an actor's queue dry, at most until a monotonic time. */
  async carryOut(drain: (actor: HostedActor, untilMs: number) => Promise<void>): Promise<void> {
    const order = this.#deferred.shift()
    switch (order?.order) {
      case 'start': return this.#startActor(order)
      case 'stop': return this.#stopActor(order, drain)
      case 'clockMoved': return this.timers.recheck()
      case 'exit': this.exiting = true
    }
  }

  /** For shards: a user's function begins and may run for `limitMs`. */
  functionBegins(limitMs: number): void {
    Atomics.store(this.#words, FUNCTION_DUE, deadlineMsWord(monotonicMs() + limitMs))
  }

  functionEnds(): void {
    Atomics.store(this.#words, FUNCTION_DUE, 0)
  }

  #leave(id: string, client: number): void {
    const inlet = this.#inlet(id, client)
    if (inlet === undefined) return
    inlet.leaving = true
    if (!inlet.pending) this.actors.get(id)!.forgetIfGone(inlet)
  }

  #inlet(id: string, client: number): HostedActor['inlets'][number] | undefined {
    return this.actors.get(id)?.inlets.find((inlet) => inlet.client === client)
  }

  async #startActor({ id, blueprint, buffers, lanes, incarnation, failedStarts, recoverAs }: Extract<Order, { order: 'start' }>): Promise<void> {
    try {
      const context = this.#context({ id, name: blueprint.name, incarnation, failedStarts, buffers })
      const actor = await HostedActor.start(id, blueprint, lanes, recoverAs, context, (report) => this.report(report))
      this.actors.set(id, actor)
      this.list = [...this.actors.values()]
      this.report({ report: 'started', id })
    } catch (error) {
      this.report({ report: 'failed', id, error: describeError(error) })
    }
  }

  async #stopActor({ id, deadlineMs }: Extract<Order, { order: 'stop' }>, drain: (actor: HostedActor, untilMs: number) => Promise<void>): Promise<void> {
    const actor = this.actors.get(id)
    if (actor !== undefined) {
      await drain(actor, monotonicMs() + deadlineMs)
      this.actors.delete(id)
      this.list = [...this.actors.values()]
      try {
        await actor.behaviour.stop(actor.state)
      } catch (error) {
        process.emitWarning(`stopping ${id} failed: ${String(error)}`)
      }
    }
    this.report({ report: 'stopped', id })
  }

  /** An actor ends itself: it is not in the list any more when its current message is done. */
  #exit(id: string, error: Error | undefined): void {
    const actor = this.actors.get(id)
    if (actor === undefined) return
    actor.exiting = true
    this.actors.delete(id)
    this.list = [...this.actors.values()]
    this.report({ report: 'exited', id, ...error === undefined ? { reason: 'normal' } : { reason: 'error', error: describeError(error) } })
  }

  #context(start: Pick<ActorContext, 'id' | 'name' | 'incarnation' | 'failedStarts' | 'buffers'>): ActorContext & HostContext {
    const { client, timers } = this
    const { id } = start
    return {
      ...start,
      node: this.start.node,
      host: this,
      now: () => this.clock.now(),
      whereis: async (name) => {
        const address = await client.control<ActorAddress | undefined>((api) => api.whereis(name))
        return address === undefined ? undefined : client.ref(address, id)
      },
      after: (delayMs, run) => {
        if (this.start.kind === 'blocking') throw new CacheError('ERR_INVALID_OPTION', 'an actor on a blocking host has no timers; let another actor tell it when it is time')
        // What it throws ends the thread, as an uncaught error anywhere does.
        return timers.after(delayMs, () => void run())
      },
      exit: (error) => this.#exit(id, error),
    }
  }
}

/** What actors of this package see besides. */
export interface HostContext {
  readonly host: Host
}

/** Runs a host until it is told to exit. The entry that the thread pool calls. */
export async function runHost(start: HostStart): Promise<void> {
  markHostThread()
  const host = new Host(start)
  await (start.kind === 'blocking' ? runBlocking(host) : runEvented(host))
}
