/**
 * The supervisor: starts its children in order, restarts those that end as its strategy says, and stops them in
 * reverse. OTP's `supervisor`, with a delay between restarts. Runs on the system thread; children may be anywhere.
 *
 * One change at a time: starts, stops, and the handling of exits and delays wait in one queue. A delay does not
 * occupy the queue, so that exits and calls are served during it. `stop` is in the queue too, but what is before it is cut
 * short: no further child is started, and deadlines of stops in progress shrink to its own.
 *
 * Where this differs from OTP: the delays; one death that ends several children counts once; a supervisor that
 * gives up ends with reason `error`, so that a `transient` one is restarted too. What may look like a difference and is none: a group's
 * restart also starts its members that had ended or been terminated.
 */
import { ChildList } from './child-list.js'
import { CacheError } from '../errors.js'
import { RestartIntensity } from './restart-pace.js'
import { emptyMemory, launchActor, stopChild, toError, type Child, type ChildExit, type ChildMemory, type Launch, type RestartWait, type StartedChild, type SupervisorContext, type SupervisorEvent } from './supervised-child.js'
import type { ChildInfo, ChildState, TreeNode } from './supervision-tree.js'
import { checkChildSpec, checkSupervisorSpec, type ChildSpec, type SupervisorSpec } from './supervisor-spec.js'

export class Supervisor implements StartedChild {
  /** How it ended: `error` when it gave up or failed to start, `shutdown` after `stop`. Always resolves in the end. */
  readonly exited: Promise<ChildExit>
  readonly path: readonly string[]
  readonly #spec: SupervisorSpec
  readonly #context: SupervisorContext
  readonly #memory: ChildMemory
  readonly #intensity: RestartIntensity
  readonly #children: ChildList
  readonly #settleExited: (exit: ChildExit) => void
  #state: 'new' | ChildState = 'new'
  #queue: Promise<unknown> = Promise.resolve()
  #start: Promise<void> | undefined
  #stop: Promise<void> | undefined
  /** When all has to be gone. */
  #dueMs = Infinity
  /** Shortens the start or stop in progress to what is left until `#dueMs`. */
  #hurry: ((deadlineMs: number) => void) | undefined

  /** Throws `ERR_INVALID_OPTION` if something in the spec is not allowed. Nothing runs before `start`. */
  constructor(spec: SupervisorSpec, context: SupervisorContext) {
    this.#spec = checkSupervisorSpec(spec)
    this.#context = context
    this.path = [...context.path ?? [], spec.id]
    this.#memory = context.memory ?? { ...emptyMemory(), incarnation: 1 }
    this.#intensity = new RestartIntensity(spec.maxRestarts, spec.withinMs)
    let settle: (exit: ChildExit) => void = () => undefined
    this.exited = new Promise((resolve) => { settle = resolve })
    this.#settleExited = settle
    this.#children = new ChildList(this.#spec, this.#memory, this.#name)
  }

  /** Starts all children in order. If one fails, those before it are stopped in reverse and the promise rejects with its error. */
  start(): Promise<void> {
    this.#start ??= this.#change(async () => {
      try {
        if (this.#state === 'new') this.#state = 'starting'
        for (const child of this.#children.all) {
          this.#refuseIfStopping()
          await this.#launch(child)
        }
        this.#refuseIfStopping()
        this.#state = 'running'
      } catch (error) {
        await this.#end(this.#stop === undefined ? failure(error) : SHUTDOWN)
        throw error
      }
    })
    return this.#start
  }

  /**
   * Stops all children in reverse order, each within its own `shutdownMs` and all within `deadlineMs`. Never rejects. A start in progress is cut
   * short, and its promise rejects with `ERR_STOPPED`. Another call may shorten the deadline.
   */
  stop(deadlineMs = Infinity): Promise<void> {
    this.#dueMs = Math.min(this.#dueMs, this.#context.timers.now() + deadlineMs)
    this.#stop ??= this.#change(() => this.#end(SHUTDOWN))
    this.#hurry?.(this.#leftMs())
    return this.#stop
  }

  /** Adds a child behind the others and starts it, at once even while others wait for their restart. Rejects and forgets it if its start fails; `ERR_NAME_TAKEN` if the id is in use. */
  startChild(spec: ChildSpec): Promise<void> {
    return this.#call(async () => {
      checkChildSpec(spec)
      const child = this.#children.add(spec)
      try {
        await this.#launch(child)
      } catch (error) {
        this.#children.remove(child)
        throw error
      }
      this.#refuseIfStopping()
    })
  }

  /** Stops a child and leaves it stopped, or cancels its restart; a temporary one is forgotten. In a group that waits for its restart only this child is left out. */
  terminateChild(id: string): Promise<void> {
    return this.#call(async () => this.#halt(this.#children.get(id)))
  }

  /** Starts a child that is stopped. If that fails the promise rejects and it stays stopped. `ERR_BUSY` if it is not stopped. */
  restartChild(id: string): Promise<void> {
    return this.#call(async () => {
      await this.#launch(this.#children.getStopped(id))
      this.#refuseIfStopping()
    })
  }

  /** Forgets a child that is stopped. `ERR_BUSY` if it is not stopped. */
  deleteChild(id: string): Promise<void> {
    return this.#call(async () => Promise.resolve(this.#children.remove(this.#children.getStopped(id))))
  }

  /** The children in the order of their start. */
  whichChildren(): ChildInfo[] {
    return this.#children.all.map(({ spec: { id, kind, restart }, state }) => ({ id, kind, restart, state }))
  }

  /** The running supervisor at the end of the ids in `path`, this one for `[]`. */
  descendant(path: readonly string[]): Supervisor | undefined {
    const [id, ...rest] = path
    if (id === undefined) return this
    const started = this.#children.find(id)?.started
    return started instanceof Supervisor ? started.descendant(rest) : undefined
  }

  inspect(): Record<string, string | number | boolean> {
    return { strategy: this.#spec.strategy, children: this.#children.all.length }
  }

  /** The tree below this supervisor as it is now. */
  tree(): TreeNode {
    const { id, kind, strategy } = this.#spec
    const state = this.#state === 'new' ? 'stopped' : this.#isStopping() && this.#state !== 'stopped' ? 'stopping' : this.#state
    return { id, kind, strategy, state, ...this.#counts(this.#memory), children: this.#children.all.map((child) => this.#treeOf(child)) }
  }

  #treeOf({ spec, state, started, memory }: Child): TreeNode {
    if (started instanceof Supervisor) {
      const tree = started.tree()
      // One that has given up is not running, whether it was noticed here or not.
      return { ...tree, state: state === 'running' && tree.state !== 'running' ? 'stopping' : state }
    }
    const host = started?.inspect()['host']
    return {
      id: spec.id, kind: spec.kind, ...spec.kind === 'supervisor' && { strategy: spec.strategy },
      state, ...this.#counts(memory), ...typeof host === 'string' && { host }, children: [],
    }
  }

  #counts({ restarts, incarnation }: ChildMemory): { restarts: number; incarnation: number } {
    return { restarts, incarnation }
  }

  // The queue of changes

  #change<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(run)
    this.#queue = done.catch(() => undefined)
    return done
  }

  /** A change that somebody asked for. */
  #call(run: () => Promise<void>): Promise<void> {
    return this.#change(async () => {
      this.#refuseIfStopping()
      if (this.#state !== 'running') throw new CacheError('ERR_STOPPED', `supervisor '${this.#name}' was not started`)
      await run()
    })
  }

  /** A change that something happened to ask for. */
  #react(run: () => Promise<void>): void {
    this.#change(async () => {
      if (!this.#isStopping()) await run()
    }).catch((error: unknown) => this.#change(() => this.#end(failure(error)))) // a defect: better no tree than a wrong one
  }

  #isStopping(): boolean {
    return this.#stop !== undefined || this.#state === 'stopping' || this.#state === 'stopped'
  }

  #refuseIfStopping(): void {
    if (this.#isStopping()) throw new CacheError('ERR_STOPPED', `supervisor '${this.#name}' is stopped`)
  }

  // One child

  /** Starts a child that is not running. */
  async #launch(child: Child): Promise<void> {
    const { memory, spec } = child
    child.state = 'starting'
    child.wait = undefined
    const incarnation = ++memory.incarnation
    const path = [...this.path, spec.id]
    try {
      const launch = this.#launchOf(child, path)
      this.#hurry = launch.cut
      const started = await launch.started
      child.started = started
      child.state = 'running'
      memory.failedStarts = 0
      child.delay.started(this.#context.timers.now())
      this.#emit({ type: 'started', path, incarnation })
      const notice = (exit: ChildExit): void => this.#notice(child, started, exit)
      started.exited.then(notice, (error: unknown) => notice(failure(error)))
    } catch (error) {
      child.state = 'stopped'
      memory.failedStarts++
      this.#emit({ type: 'start-failed', path, incarnation, error: toError(error) })
      throw error
    } finally {
      this.#hurry = undefined
    }
  }

  #launchOf({ spec, memory, delay }: Child, path: string[]): Launch {
    if (spec.kind === 'actor') {
      const { incarnation, failedStarts: failedStartsInARow } = memory
      return launchActor(this.#context.driver, spec, { incarnation, failuresInARow: delay.failuresInARow, failedStartsInARow, path }, this.#context.timers)
    }
    const nested = new Supervisor(spec, { ...this.#context, path: this.path, memory })
    return { started: nested.start().then(() => nested), cut: (deadlineMs) => void nested.stop(deadlineMs) }
  }

  /** Stops a child, whatever its state. A temporary one is forgotten unless `keep` is set. */
  async #halt(child: Child, keep = false): Promise<void> {
    const { started, spec, wait } = child
    child.wait = undefined
    if (!this.#children.all.some((one) => one.wait === wait)) wait?.cancel() // nobody waits for it any more
    if (started !== undefined) {
      child.state = 'stopping'
      if (!child.ended) {
        let deadlineMs = Math.min(spec.shutdownMs, this.#leftMs())
        this.#hurry = (leftMs) => {
          if (leftMs >= deadlineMs) return
          deadlineMs = leftMs
          void stopChild(started, leftMs)
        }
        await stopChild(started, deadlineMs)
        this.#hurry = undefined
        this.#emit({ type: 'stopped', path: [...this.path, spec.id] })
      }
    }
    child.started = undefined
    child.ended = false
    child.state = 'stopped'
    if (spec.restart === 'temporary' && !keep) this.#children.remove(child)
  }

  /** A child ended by itself. What was asked to stop is not looked at any more. */
  #notice(child: Child, started: StartedChild, exit: ChildExit): void {
    if (child.started !== started || child.state !== 'running') return
    child.ended = true
    const { reason, error } = exit
    this.#emit({ type: 'exited', path: [...this.path, child.spec.id], reason, ...error !== undefined && { error } })
    this.#react(async () => {
      if (child.started !== started) return // stopped since then, with others or by a call
      child.started = undefined
      child.ended = false
      child.state = 'stopped'
      const { restart } = child.spec
      if (restart === 'permanent' || (restart === 'transient' && reason === 'error')) await this.#restart(child, exit)
      else if (restart === 'temporary') this.#children.remove(child)
    })
  }

  // Restarts

  /** Restarts a child that ended or failed to start, and those that go with it, or gives up. */
  async #restart(child: Child, exit: ChildExit): Promise<void> {
    const { timers, random = Math.random } = this.#context
    const path = [...this.path, child.spec.id]
    if (!this.#intensity.allows(exit, timers.now())) return this.#giveUp(path, exit)
    const delayMs = child.delay.next(exit, timers.now(), random)
    const group = this.#children.restartingWith(child)
    child.state = 'restarting' // from the start: whoever looks at the tree must not take it for one that is gone
    for (const member of group.toReversed()) {
      await this.#halt(member) // also `child`, which is gone already
      if (this.#isStopping()) return
      member.state = 'restarting'
    }
    this.#emit({ type: 'restarting', path, delayMs, failuresInARow: child.delay.failuresInARow })
    const wait: RestartWait = { cancel: () => undefined }
    for (const member of this.#children.all.filter((one) => group.includes(one))) { // those that were not forgotten
      member.state = 'restarting'
      member.wait = wait
    }
    const resume = (): void => this.#react(() => this.#resume(wait))
    if (delayMs > 0) wait.cancel = timers.after(delayMs, resume)
    else resume()
  }

  /** After the delay: starts those that still wait for it, in order. One that fails makes for a further restart. */
  async #resume(wait: RestartWait): Promise<void> {
    for (const child of this.#children.all.filter((one) => one.wait === wait)) {
      if (this.#isStopping()) return
      child.memory.restarts++
      try {
        await this.#launch(child)
      } catch (error) {
        if (!this.#isStopping()) await this.#restart(child, failure(error))
        return
      }
    }
  }

  async #giveUp(path: string[], { error: cause, death }: ChildExit): Promise<void> {
    const { maxRestarts, withinMs } = this.#spec
    const error = new CacheError('ERR_RESTART_LIMIT', `supervisor '${this.#name}' gave up: more than ${maxRestarts} restarts within ${withinMs} ms, the last of '${path.at(-1)}'; see the cause, or raise maxRestarts`, {
      outcome: 'unknown', supervisor: this.#name, child: path.at(-1), ...cause !== undefined && { cause },
    })
    this.#emit({ type: 'limit-exceeded', path: [...this.path], error })
    await this.#end({ reason: 'error', error, death, counts: true })
  }

  /** Stops everything in reverse order and for good. */
  async #end(exit: ChildExit): Promise<void> {
    if (this.#state === 'stopped') return
    this.#state = 'stopping'
    for (const child of this.#children.all.toReversed()) await this.#halt(child, true)
    this.#state = 'stopped'
    this.#settleExited(exit)
  }

  // The books

  get #name(): string {
    return this.path.join('/')
  }

  #leftMs(): number {
    return Math.max(0, this.#dueMs - this.#context.timers.now())
  }

  #emit(event: SupervisorEvent): void {
    try {
      this.#context.onEvent?.(event)
    } catch {
      // An observer must not bring down what it observes.
    }
  }
}

const SHUTDOWN: ChildExit = { reason: 'shutdown', death: {}, counts: true }

/** The end of something that threw. */
function failure(error: unknown): ChildExit {
  return { reason: 'error', error: toError(error), death: {}, counts: true }
}
