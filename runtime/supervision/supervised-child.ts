/**
 * A child as its supervisor sees it: the contract between a supervisor and what runs under it, and the
 * record that the supervisor keeps. Whoever hosts actors implements `ChildDriver`.
 */
import { CacheError } from '../errors.js'
import type { Timers } from '../clock.js'
import type { RestartDelay, Failure } from './restart-pace.js'
import type { ChildState } from './supervision-tree.js'
import type { ActorSpec, ChildSpec } from './supervisor-spec.js'

/** How a child ended. */
export interface ChildExit extends Failure {
  /** `normal` and `shutdown` are ends in order: only a `permanent` child is restarted after them. */
  readonly reason: 'normal' | 'shutdown' | 'error'
  readonly error?: Error
  /** The identity of what died. Children that share a thread share it: one death counts once against a supervisor's limit, however many of its children it ended. */
  readonly death: object
  /** False: does not count against the limit (a function that was killed for its time limit). */
  readonly counts: boolean
}

/** Something that runs under a supervisor. */
export interface StartedChild {
  /** Resolves once, when the child ended by itself; never rejects. After `stop` nobody looks at it. */
  readonly exited: Promise<ChildExit>
  /**
   * Asks it to stop and resolves when it is gone; kills it when `deadlineMs` have passed: 0 at once, `Infinity` never. Never rejects.
   * May be called again while it stops: with a shorter deadline, which then holds.
   */
  stop(deadlineMs: number): Promise<void>
  inspect(): Record<string, string | number | boolean>
}

/** What the driver is told about a start. */
export interface StartAttempt {
  /** The number of this start, counted from 1 for each place in the tree; kept when a supervisor above restarts. */
  incarnation: number
  /** Restarts of this child, or of its group, since the last quiet while. */
  failuresInARow: number
  /** Starts of this child that failed since one succeeded. */
  failedStartsInARow: number
  /** The ids from the root of the tree to this child. */
  path: string[]
  /** Aborts when the supervisor has to stop before the start is done; the start may then reject. */
  signal: AbortSignal
}

/** Starts actors. The promise rejects if the start fails, and then nothing of it is left. */
export interface ChildDriver {
  start(spec: ActorSpec, attempt: StartAttempt): Promise<StartedChild>
}

/** What happens in a tree; `path` leads from the root to the child, or to the supervisor itself for `limit-exceeded`. */
export type SupervisorEvent =
  | { type: 'started'; path: string[]; incarnation: number }
  | { type: 'start-failed'; path: string[]; incarnation: number; error: Error }
  | { type: 'exited'; path: string[]; reason: ChildExit['reason']; error?: Error }
  | { type: 'restarting'; path: string[]; delayMs: number; failuresInARow: number }
  | { type: 'stopped'; path: string[] }
  | { type: 'limit-exceeded'; path: string[]; error: CacheError }

/** What a supervisor needs besides its spec. */
export interface SupervisorContext {
  driver: ChildDriver
  timers: Timers
  /** For the jitter of delays. Default `Math.random`. */
  random?: () => number
  /** Called synchronously. What it throws is ignored. */
  onEvent?: (event: SupervisorEvent) => void
  /** The path of the supervisor above. Default `[]`. */
  path?: readonly string[]
  /** What an earlier incarnation left. Default nothing. */
  memory?: ChildMemory
}

/** What a place in the tree remembers when the supervisors above it restart. */
export interface ChildMemory {
  incarnation: number
  restarts: number
  failedStarts: number
  readonly children: Map<string, ChildMemory>
}

export function emptyMemory(): ChildMemory {
  return { incarnation: 0, restarts: 0, failedStarts: 0, children: new Map() }
}

/** The delay before a restart; the children that wait for it are those that refer to it. */
export interface RestartWait {
  cancel: () => void
}

/** A supervisor's record of one child. Written by its supervisor only. */
export interface Child {
  readonly spec: ChildSpec
  readonly memory: ChildMemory
  readonly delay: RestartDelay
  state: ChildState
  /** What runs, while the state is `running` or `stopping`. */
  started: StartedChild | undefined
  /** It ended by itself, and that is still to be dealt with. */
  ended: boolean
  /** What it waits for while the state is `restarting`. */
  wait: RestartWait | undefined
}

/** A start that can be cut short. */
export interface Launch {
  readonly started: Promise<StartedChild>
  /** Aborts the start; if it has not ended when `deadlineMs` have passed, it is given up, and what still comes of it is killed. May be called again with a shorter deadline. */
  readonly cut: (deadlineMs: number) => void
}

/** Starts an actor through the driver. */
export function launchActor(driver: ChildDriver, spec: ActorSpec, attempt: Omit<StartAttempt, 'signal'>, timers: Timers): Launch {
  const controller = new AbortController()
  let giveUp = (): void => undefined
  let cancelTimer = (): void => undefined
  const started = new Promise<StartedChild>((resolve, reject) => {
    let givenUp = false
    giveUp = () => {
      givenUp = true
      reject(new CacheError('ERR_STOPPED', `the start of '${attempt.path.join('/')}' took longer than its supervisor had to stop`))
    }
    const start = async (): Promise<StartedChild> => driver.start(spec, { ...attempt, signal: controller.signal }) // async: also what the driver throws becomes a rejection
    start().then((child) => {
      cancelTimer()
      if (!givenUp) resolve(child)
      else void stopChild(child, 0)
    }, (error: unknown) => {
      cancelTimer()
      reject(toError(error))
    })
  })
  return {
    started,
    cut: (deadlineMs) => {
      controller.abort()
      cancelTimer()
      if (deadlineMs <= 0) giveUp()
      else if (deadlineMs < Infinity) cancelTimer = timers.after(deadlineMs, giveUp)
    },
  }
}

/** `child.stop`, for children that break its contract too: never rejects. */
export async function stopChild(child: StartedChild, deadlineMs: number): Promise<void> {
  try {
    await child.stop(deadlineMs)
  } catch {
    // It promised not to. There is nothing left that could be done to it.
  }
}

export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(`non-error thrown: ${String(thrown)}`)
}
