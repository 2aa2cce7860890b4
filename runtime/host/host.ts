/**
 * The entry of every thread that hosts actors: takes orders from the system thread and runs their mailboxes,
 * blocking or in the event loop.
 */
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import { Client, type Connection } from '../client.js'
import { NodeClock, ClockTimers, deadlineMsWord, monotonicMs } from '../clock.js'
import { ControlLink } from '../control.js'
import { CacheError, describeError } from '../errors.js'
import { Bell } from '../mailbox/bell.js'
import type { Inlet } from '../mailbox/inlet.js'
import type { ActorAddress, ActorContext } from '../actor.js'
import { HostedActor, type QueueMarks } from './hosted-actor.js'
import { FUNCTION_DUE, ORDERS, WATCHED, type Death, type HostStart, type Order, type Report } from './protocol.js'
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
  /** Messages of the last batch. */
  handled = 0
  readonly #words: Int32Array
  #ordersSeen = 0
  readonly #deferred: Order[] = []
  /** What came for actors that are to start, or are starting, to be carried out when they have. */
  readonly #starting = new Map<string, Order[]>()
  /** On an evented host: the end of what is being carried out for an actor. */
  readonly #underWay = new Map<string, Promise<void>>()
  /** Set when a user's function has run in a low-level actor: time has passed. */
  ranFunction = false

  constructor(start: HostStart) {
    this.start = start
    this.bell = new Bell(start.bell)
    this.clock = new NodeClock(start.clock)
    this.timers = new ClockTimers(this.clock)
    this.#words = new Int32Array(start.words)
    const link: Connection['link'] = new ControlLink(start.client.control)
    this.client = new Client({
      id: start.client.id, node: start.node, clock: this.clock, bell: new Bell(start.client.bell), names: start.names,
      // A host dies with its system thread: there is no other link to wait for.
      connection: { link, replaced: () => Promise.reject(new CacheError('ERR_STOPPED', 'the node has stopped')) },
    })
  }

  report(report: Report): void {
    this.start.port.postMessage(report)
  }

  hasOrders(): boolean {
    return this.#deferred.length > 0 || Atomics.load(this.#words, ORDERS) !== this.#ordersSeen
  }

  /** Reads new orders and carries out those that need no waiting; the others are kept for `carryOut`. */
  intake(): void {
    this.#ordersSeen = Atomics.load(this.#words, ORDERS)
    for (let received; (received = receiveMessageOnPort(this.start.port)) !== undefined;) {
      const order = received.message as Order
      switch (order.order) {
        case 'lane':
        case 'large':
        case 'dropLane':
        case 'connect': {
          // Those of a start that is still to come are not among what the start itself brings.
          const starting = this.#starting.get(order.id)
          if (starting === undefined) this.#apply(order)
          else starting.push(order)
          continue
        }
        case 'start': this.#starting.set(order.id, [])
      }
      this.#deferred.push(order)
    }
  }

  #apply(order: Order): void {
    if (order.order === 'lane') this.actors.get(order.id)?.adopt(order.lane)
    else if (order.order === 'large') this.#inlet(order.id, order.client)?.large.set(order.largeId, order.body)
    else if (order.order === 'dropLane') this.#leave(order.id, order.client)
    else if (order.order === 'connect') this.#connect(order.id, order.port)
  }

  /** Carries out the next order that was kept. `drain` runs what is in an actor's queue, at most until a monotonic time. */
  async carryOut(drain: Drain): Promise<void> {
    const order = this.#deferred.shift()
    switch (order?.order) {
      case 'start': return this.#startActor(order)
      case 'stop': return this.#stopActor(order, drain)
      case 'clockMoved': return this.timers.recheck()
      case 'exit': this.exiting = true
    }
  }

  /** Begins all orders that were kept: those of one actor one after the other, those of different actors beside each other. */
  carryOutBeside(drain: Drain): void {
    while (this.#deferred.length > 0) {
      const order = this.#deferred[0]!
      if (order.order !== 'start' && order.order !== 'stop') {
        void this.carryOut(drain)
        continue
      }
      this.#deferred.shift()
      const { id } = order
      const run = (): Promise<void> => order.order === 'start' ? this.#startActor(order) : this.#stopActor(order, drain)
      const ended = (this.#underWay.get(id) ?? Promise.resolve()).then(run).finally(() => {
        if (this.#underWay.get(id) === ended) this.#underWay.delete(id)
        this.bell.ring()
      })
      this.#underWay.set(id, ended)
    }
  }

  /** For shards: a user's function begins and may run for `limitMs`. */
  functionBegins(limitMs: number): void {
    this.functionsDueAt(monotonicMs() + limitMs)
  }

  /** The thread is killed if it has not called this again, or `functionEnds`, by a monotonic time. */
  functionsDueAt(ms: number): void {
    Atomics.store(this.#words, FUNCTION_DUE, deadlineMsWord(ms))
    if (Atomics.load(this.#words, WATCHED) === 1) return
    Atomics.store(this.#words, WATCHED, 1)
    this.report({ report: 'functionRuns' })
  }

  functionEnds(): void {
    Atomics.store(this.#words, FUNCTION_DUE, 0)
    this.ranFunction = true
  }

  /** An actor that ended itself has done its last message. */
  finishExit(actor: HostedActor): void {
    const { id, exit } = actor
    this.#remove(actor)
    this.report({ report: 'exited', id, ...exit?.error === undefined ? { reason: 'normal' } : { reason: 'error', error: describeError(exit.error) } })
  }

  #remove(actor: HostedActor): void {
    actor.cancelTimers()
    if (this.actors.get(actor.id) !== actor) return
    this.actors.delete(actor.id)
    this.list = [...this.actors.values()]
  }

  #connect(id: string, port: MessagePort): void {
    const actor = this.actors.get(id)
    const raw = actor?.behaviour.raw
    // A port that nobody takes is closed, and whoever has the other end of it sees that.
    if (actor === undefined || raw?.connect === undefined) port.close()
    else raw.connect(actor.state, port)
  }

  #leave(id: string, client: number): void {
    const inlet = this.#inlet(id, client)
    if (inlet === undefined) return
    inlet.leaving = true
    const actor = this.actors.get(id)!
    actor.behaviour.raw?.clientGone?.(actor.state, client)
    actor.forgetIfGone(inlet)
  }

  #inlet(id: string, client: number): HostedActor['inlets'][number] | undefined {
    return this.actors.get(id)?.inlets.find((inlet) => inlet.client === client)
  }

  async #startActor({ id, blueprint, buffers, lanes, incarnation, failedStarts, recoverAs, death }: Extract<Order, { order: 'start' }>): Promise<void> {
    const behind = this.#starting.get(id)
    try {
      const contextOf = (actor: HostedActor): ActorContext => this.#context({ id, name: blueprint.name, incarnation, failedStarts, buffers, death }, actor)
      const actor = await HostedActor.start(id, blueprint, lanes, recoverAs, contextOf, (report) => this.report(report))
      this.actors.set(id, actor)
      this.list = [...this.actors.values()]
      if (behind !== undefined && this.#starting.get(id) === behind) {
        this.#starting.delete(id)
        for (const order of behind) this.#apply(order)
      }
      this.report({ report: 'started', id })
    } catch (error) {
      if (this.#starting.get(id) === behind) this.#starting.delete(id)
      for (const order of behind ?? []) if (order.order === 'connect') order.port.close()
      this.report({ report: 'failed', id, error: describeError(error) })
    }
  }

  async #stopActor({ id, deadlineMs }: Extract<Order, { order: 'stop' }>, drain: Drain): Promise<void> {
    const actor = this.actors.get(id)
    if (actor !== undefined) {
      // The last tenth is for its `stop`.
      await drain(actor, actor.marks(), monotonicMs() + deadlineMs * 0.9)
      this.#remove(actor)
      // Its handler would go on writing to the lanes beside the next incarnation: only the death of the thread ends it.
      if (actor.busy) return
      try {
        await actor.behaviour.stop(actor.state)
      } catch (error) {
        process.emitWarning(`stopping ${id} failed: ${String(error)}`)
      }
    }
    this.report({ report: 'stopped', id })
  }

  #context(start: Pick<ActorContext & HostContext, 'id' | 'name' | 'incarnation' | 'failedStarts' | 'buffers' | 'death'>, actor: HostedActor): ActorContext & HostContext {
    const { client } = this
    const { id } = start
    return {
      ...start,
      node: this.start.node,
      host: this,
      inlet: (client) => actor.inlets.find((inlet) => inlet.client === client),
      now: () => this.clock.now(),
      whereis: async (name) => {
        const address = await client.control<ActorAddress | undefined>((api) => api.whereis(name))
        if (address === undefined) return undefined
        // A blocking host has no event loop to open a lane with when the first message is sent.
        if (this.start.kind === 'blocking') await client.opened(address)
        return client.ref(address, id)
      },
      after: (delayMs, run) => {
        if (this.start.kind === 'blocking') throw new CacheError('ERR_INVALID_OPTION', 'an actor on a blocking host has no timers; let another actor tell it when it is time')
        return this.#after(actor, delayMs, run)
      },
      exit: (error) => {
        actor.exit ??= { error }
        this.bell.ring()
      },
    }
  }

  #after(actor: HostedActor, delayMs: number, run: () => unknown): () => void {
    let cancelled = false
    const cancelTimer = this.timers.after(delayMs, () => {
      actor.timers.delete(cancel)
      actor.chores.push(() => cancelled ? undefined : run())
      this.bell.ring()
    })
    const cancel = (): void => {
      cancelled = true
      cancelTimer()
      actor.timers.delete(cancel)
    }
    actor.timers.add(cancel)
    return cancel
  }
}

/** Runs what was in an actor's queue when `marks` were made, at most until a monotonic time. */
export type Drain = (actor: HostedActor, marks: QueueMarks, untilMs: number) => Promise<void>

/** What actors of this package see besides. */
export interface HostContext {
  readonly host: Host
  /** How the thread before this one ended, if one did under this system thread. */
  readonly death: Death | undefined
  /** The lane of a client, unless that one is gone. */
  inlet(client: number): Inlet | undefined
}

/** Runs a host until it is told to exit. The entry that the thread pool calls. */
export async function runHost(start: HostStart): Promise<void> {
  markHostThread()
  const host = new Host(start)
  await (start.kind === 'blocking' ? runBlocking(host) : runEvented(host))
}

/** Loads what a host will need, on a thread that may become one. A module that fails fails again at the start of its actor. */
export async function prepareHost(modules: readonly string[]): Promise<void> {
  markHostThread()
  for (const module of modules) await import(module).catch(() => undefined)
}
