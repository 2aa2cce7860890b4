/**
 * A thread's way to the actors of its node: the lanes that it has opened, its doorbell, and the loop that
 * settles replies. One for each thread and node: the main thread, attached worker threads, evented hosts and the
 * system thread each have theirs.
 *
 * While replies are outstanding the thread looks for them in `setImmediate` for a short while after the last
 * one came, then arms its bell and sleeps in its event loop. A timer for the earliest deadline keeps the process
 * alive while it sleeps; an idle client keeps nothing alive.
 */
import { Scratch } from './codec/scratch.js'
import { encodeValue } from './codec/value.js'
import { monotonicMs, type NodeClock } from './clock.js'
import { CacheError, invalidArgument } from './errors.js'
import type { ControlLink } from './control.js'
import { RegisteredNames } from './registered-names.js'
import { Bell } from './mailbox/bell.js'
import { Outlet, type LaneOwner } from './mailbox/outlet.js'
import { readTimeout, type ActorAddress, type ActorRef, type AskOptions } from './actor.js'
import { SpinShare } from './spin-share.js'
import type { SystemApi } from './system-api.js'

/** How long a client looks for replies in its event loop before it sleeps, in milliseconds, as long as that pays off. */
const POLL_MS = 1

/** How often deadlines are looked at while replies keep coming, in milliseconds. */
const EXPIRY_CHECK_MS = 10

/** How long opening a lane is tried again while the system thread restarts. */
const OPEN_DEADLINE_MS = 10_000

/** The control link to the system thread, replaced when that thread was restarted. */
export interface Connection {
  readonly link: ControlLink<SystemApi>
  /** Resolves when there is a link to another system thread than `link`; rejects when the node has stopped. */
  replaced(link: ControlLink<SystemApi>): Promise<void>
}

export class Client {
  readonly id: number
  readonly clock: NodeClock
  readonly node: string
  readonly bell: Bell
  readonly connection: Connection
  /** Functions that threads of the application have registered. */
  readonly names: RegisteredNames
  lateReplies = 0
  /** The thread's event loop stands still: an ask would never be answered. */
  mayNotAsk = false

  readonly #outlets = new Map<string, Outlet>()
  readonly #opening = new Map<Outlet, Promise<void>>()
  #sweepAt = 16
  readonly #scratch = new Scratch()
  #polling = false
  #armed = false
  #lastProgressMs = 0
  readonly #spin = new SpinShare()
  /** Whether it has looked for replies and seen none since some came. */
  #looks = false
  #timer: NodeJS.Timeout | undefined
  #lastExpiryMs = 0
  #outstanding = 0
  #stopped: CacheError | undefined

  constructor(options: { id: number; node: string; clock: NodeClock; bell: Bell; connection: Connection; names: SharedArrayBuffer }) {
    this.id = options.id
    this.node = options.node
    this.clock = options.clock
    this.bell = options.bell
    this.connection = options.connection
    this.names = new RegisteredNames(options.names, options.id)
  }

  /**
   * One call of the control plane, made again if the system thread dies meanwhile: for calls that may run twice. A call
   * in flight keeps the process alive, also while it waits for another system thread.
   */
  async control<T>(method: Parameters<ControlLink<SystemApi>['call']>[0], deadlineMs?: number): Promise<T> {
    for (;;) {
      const { link } = this.connection
      try {
        return await link.call(method, deadlineMs) as T
      } catch (error) {
        if (!link.peerDied) throw error
        await within(this.connection.replaced(link), deadlineMs ?? OPEN_DEADLINE_MS)
      }
    }
  }

  get isStopped(): boolean {
    return this.#stopped !== undefined
  }

  /** The link to a system thread that runs, as far as can be known. */
  async link(): Promise<ControlLink<SystemApi>> {
    for (;;) {
      const { link } = this.connection
      if (!link.peerDied) return link
      await within(this.connection.replaced(link), OPEN_DEADLINE_MS)
    }
  }

  /** The lane to an actor, opened if this thread has none yet. What is sent before it is open waits. */
  outlet(address: ActorAddress): Outlet {
    const existing = this.#outlets.get(address.id)
    if (existing !== undefined && !existing.isClosed) return existing
    const outlet: Outlet = new Outlet(this.#owner(address), address.mailbox)
    this.#sweep()
    if (this.#stopped !== undefined) {
      outlet.close(this.#stopped)
      return outlet
    }
    this.#outlets.set(address.id, outlet)
    const opened = this.control<{ lane: SharedArrayBuffer; bell: SharedArrayBuffer }>((api) => api.openLane(address.id), OPEN_DEADLINE_MS).then(
      ({ lane, bell }) => outlet.open(lane, new Bell(bell)),
      (error: unknown) => {
        // Of messages that nobody got the node's books are kept by the system thread.
        const lost = outlet.outstanding
        if (lost > 0 && this.#stopped === undefined) void this.control((api) => api.deadLetters(lost)).catch(() => undefined)
        outlet.close(error instanceof CacheError ? error : new CacheError('ERR_NO_ACTOR', `no lane to ${address.id}`, { cause: error }))
        if (this.#outlets.get(address.id) === outlet) this.#outlets.delete(address.id)
      },
    )
    this.#opening.set(outlet, opened)
    void opened.finally(() => this.#opening.delete(outlet))
    return outlet
  }

  /** Resolves when the lane is open, or never will be: for a thread whose event loop will stand still. */
  async opened(address: ActorAddress): Promise<void> {
    await this.#opening.get(this.outlet(address))
  }

  /** Lets go of lanes to actors that have stopped: now and then, when there are twice as many as the last time. */
  #sweep(): void {
    if (this.#outlets.size < this.#sweepAt) return
    for (const [id, outlet] of this.#outlets) if (outlet.isClosed) this.#outlets.delete(id)
    this.#sweepAt = Math.max(16, this.#outlets.size * 2)
  }

  /** A reference to an actor whose messages are tuples, for `self` if an actor holds it. */
  ref<H>(address: ActorAddress, self?: string): ActorRef<H> {
    return {
      id: address.id,
      name: address.name,
      ask: async (message: readonly unknown[], options?: AskOptions) => {
        if (self === address.id) {
          throw new CacheError('ERR_DEADLOCK', `${address.id} asked itself, and would wait for ever; call the function directly or use tell`)
        }
        if (this.mayNotAsk) {
          throw new CacheError('ERR_DEADLOCK', `an actor on a blocking host asked ${address.id}, and its event loop would never see the reply; use tell, or host: 'own'`)
        }
        const timeoutMs = readTimeout(options)
        const length = this.#encode(message)
        return this.outlet(address).ask(0, this.#scratch, length, 0, 0, monotonicMs(), timeoutMs, options?.signal).promise
      },
      tell: (message: readonly unknown[]) => this.outlet(address).tell(0, this.#scratch, this.#encode(message), 0, 0),
    } as unknown as ActorRef<H>
  }

  /** Replies or room are awaited from now on. */
  wake(): void {
    if (this.#polling) return
    this.#polling = true
    this.#looks = false
    this.#lastProgressMs = performance.now()
    setImmediate(this.#poll)
  }

  /** Fails everything outstanding and every later send. */
  stop(error: CacheError): void {
    this.#stopped ??= error
    for (const outlet of this.#outlets.values()) outlet.close(error)
    this.#outlets.clear()
    clearTimeout(this.#timer)
  }

  /** The lanes of this thread. */
  inspect(): { actor: string; outstanding: number; waiting: number; refused: number; dropped: number }[] {
    return [...this.#outlets].map(([actor, outlet]) => ({
      actor, outstanding: outlet.outstanding, waiting: outlet.waitingCount, refused: outlet.refused, dropped: outlet.dropped,
    }))
  }

  readonly #poll = (): void => {
    const moved = this.#pollOutlets()
    const nowMs = performance.now()
    if (moved) {
      this.#lastProgressMs = nowMs
      if (this.#looks) this.#spin.paidOff()
    }
    this.#looks = !moved
    if (this.#outstanding === 0) {
      this.#polling = false
      clearTimeout(this.#timer)
      return
    }
    if (nowMs - this.#lastExpiryMs > EXPIRY_CHECK_MS) this.#expire(nowMs)
    if (nowMs - this.#lastProgressMs < POLL_MS * this.#spin.share || !this.#sleep()) setImmediate(this.#poll)
  }

  /** True if anything moved; counts what is outstanding afterwards. */
  #pollOutlets(): boolean {
    let moved = false
    let outstanding = 0
    for (const outlet of this.#outlets.values()) {
      if (outlet.outstanding === 0) continue
      if (outlet.poll()) moved = true
      outstanding += outlet.outstanding
    }
    this.#outstanding = outstanding
    return moved
  }

  /** Arms the bell and lets the event loop sleep. False if something came meanwhile. */
  #sleep(): boolean {
    if (!this.#armed) {
      this.#armed = true
      void this.bell.waitAsync(this.bell.announceSleep()).then(() => {
        this.#armed = false
        this.bell.cancelSleep()
        this.wake()
      })
    }
    // Once more: what was published before the announcement did not ring.
    if (this.#pollOutlets()) {
      this.#lastProgressMs = performance.now()
      return false
    }
    this.#polling = false
    this.#spin.wasInVain(this.#outstanding === 1)
    this.#expire(performance.now())
    return true
  }

  /** Fails what is overdue. A timer for the next deadline keeps the process alive while it sleeps. */
  #expire(nowMs: number): void {
    clearTimeout(this.#timer)
    this.#lastExpiryMs = nowMs
    const monotonicNowMs = monotonicMs()
    let earliest = Infinity
    for (const outlet of this.#outlets.values()) {
      if (outlet.outstanding > 0) earliest = Math.min(earliest, outlet.expire(monotonicNowMs))
    }
    if (this.#polling || earliest === Infinity) return
    this.#timer = setTimeout(() => this.#expire(performance.now()), Math.max(1, Math.ceil(earliest - monotonicNowMs)))
  }

  /** Encodes a tuple into the scratch and returns its length. */
  #encode(message: readonly unknown[]): number {
    if (!Array.isArray(message) || typeof message[0] !== 'string') {
      throw invalidArgument('a message is an array that begins with the name of a handler, such as [\'add\', 1]')
    }
    this.#scratch.reset()
    encodeValue(message, this.#scratch)
    return this.#scratch.end
  }

  #owner(address: ActorAddress): LaneOwner {
    return {
      label: address.id,
      crashCode: address.crashCode,
      wake: () => this.wake(),
      lateReply: () => { this.lateReplies++ },
      handOver: (id, body) => this.control((api) => api.handOver(address.id, id, body), OPEN_DEADLINE_MS),
    }
  }
}

/** `promise`, or `ERR_TIMEOUT` after `ms`. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new CacheError('ERR_TIMEOUT', `the node's system thread did not come back within ${ms} ms`, { outcome: 'unknown', timeout: ms })), Math.min(ms, 0x7fff_ffff))
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
