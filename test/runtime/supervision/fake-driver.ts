/** A driver for tests of supervisors: every start and stop is logged, and ends when the test says so. Time is held. */
import { ClockTimers, NodeClock } from '../../../runtime/clock.js'
import type { ChildDriver, ChildExit, StartAttempt, StartedChild, SupervisorEvent } from '../../../runtime/supervision/supervised-child.js'
import { supervisor, type ActorSpec, type SupervisorOptions } from '../../../runtime/supervision/supervisor-spec.js'
import { Supervisor } from '../../../runtime/supervision/supervisor.js'

/** Lets everything run that can run without time passing. */
export function settle(): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve) })
}

export interface Gate {
  readonly opened: Promise<void>
  open(): void
}

export function gate(): Gate {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => { open = resolve })
  return { opened, open: () => open() }
}

/** One life of a child. */
export class FakeChild implements StartedChild {
  readonly exited: Promise<ChildExit>
  readonly deadlines: number[] = []
  readonly #id: string
  readonly #driver: FakeDriver
  #end: (exit: ChildExit) => void = () => undefined

  constructor(id: string, driver: FakeDriver) {
    this.#id = id
    this.#driver = driver
    this.exited = new Promise((resolve) => { this.#end = resolve })
  }

  exit(reason: ChildExit['reason'], more: Partial<ChildExit> = {}): void {
    this.#end({ reason, death: {}, counts: true, ...reason === 'error' && { error: new Error(`${this.#id} crashed`) }, ...more })
  }

  async stop(deadlineMs: number): Promise<void> {
    this.deadlines.push(deadlineMs)
    const waiting = this.#driver.stopGates.get(this.#id)
    if (waiting !== undefined && deadlineMs === 0) waiting.open() // killed
    if (this.deadlines.length === 1) this.#driver.log.push(`stop ${this.#id}`)
    await waiting?.opened
  }

  inspect(): Record<string, string> {
    return { host: `host of ${this.#id}` }
  }
}

export class FakeDriver implements ChildDriver {
  log: string[] = []
  readonly attempts = new Map<string, StartAttempt[]>()
  readonly lives = new Map<string, FakeChild[]>()
  /** How many further starts of an id fail. */
  readonly failing = new Map<string, number>()
  readonly startGates = new Map<string, Gate>()
  readonly stopGates = new Map<string, Gate>()

  async start(spec: ActorSpec, attempt: StartAttempt): Promise<StartedChild> {
    const { id } = spec
    this.log.push(`start ${id}`)
    this.attempts.set(id, [...this.attempts.get(id) ?? [], attempt])
    await this.startGates.get(id)?.opened
    const failing = this.failing.get(id) ?? 0
    if (failing > 0) {
      this.failing.set(id, failing - 1)
      throw new Error(`${id} did not start`)
    }
    const child = new FakeChild(id, this)
    this.lives.set(id, [...this.lives.get(id) ?? [], child])
    return child
  }

  /** The last life of a child. */
  life(id: string): FakeChild {
    return this.lives.get(id)!.at(-1)!
  }

  /** What was logged since the last call. */
  take(): string[] {
    const { log } = this
    this.log = []
    return log
  }

  /** Opens every gate and forgets everything. */
  reset(): void {
    for (const waiting of [...this.startGates.values(), ...this.stopGates.values()]) waiting.open()
    this.log = []
    for (const map of [this.attempts, this.lives, this.failing, this.startGates, this.stopGates]) map.clear()
  }
}

/** Timers that tell how many of them are left. */
class CountingTimers extends ClockTimers {
  pending = 0

  override after(delayMs: number, run: () => void): () => void {
    let done = false
    const finish = (): void => {
      if (!done) this.pending--
      done = true
    }
    this.pending++
    const cancel = super.after(delayMs, () => { finish(); run() })
    return () => { finish(); cancel() }
  }
}

export function actor(id: string, more: Partial<ActorSpec> = {}): ActorSpec {
  return { kind: 'actor', id, restart: 'permanent', shutdownMs: 5000, actor: null, ...more }
}

export function states(of: Supervisor): Record<string, string> {
  return Object.fromEntries(of.whichChildren().map(({ id, state }) => [id, state]))
}

/** What a promise that has to reject rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('it did not reject')
}

/** A driver and a held clock, new for each test of the file, and what tests do with them. */
export function superviseWithFakes() {
  const driver = new FakeDriver()
  const clock = new NodeClock()
  clock.hold()
  const timers = new CountingTimers(clock)
  const events: SupervisorEvent[] = []
  const built: Supervisor[] = []

  afterEach(async () => {
    driver.reset()
    for (const one of built.splice(0)) await one.stop()
    driver.reset()
    timers.close()
    timers.pending = 0
    events.length = 0
  })

  function build(options: SupervisorOptions, random = () => 0): Supervisor {
    const one = new Supervisor(supervisor({ id: 'top', ...options }), { driver, timers, random, onEvent: (event) => { events.push(event) } })
    built.push(one)
    return one
  }

  return {
    driver, timers, events, build,
    /** Builds and starts, and forgets what the driver saw of it. */
    running: async (options: SupervisorOptions, random?: () => number): Promise<Supervisor> => {
      const one = build(options, random)
      await one.start()
      driver.take()
      return one
    },
    advance: async (ms: number): Promise<void> => {
      clock.advance(ms)
      timers.recheck()
      await settle()
    },
    /** Ends a child and returns what the driver saw. */
    end: async (id: string, reason: ChildExit['reason'] = 'error', more: Partial<ChildExit> = {}): Promise<string[]> => {
      driver.life(id).exit(reason, more)
      await settle()
      return driver.take()
    },
    /** The delays of all restarts. */
    delays: (): number[] => events.flatMap((event) => event.type === 'restarting' ? [event.delayMs] : []),
  }
}
