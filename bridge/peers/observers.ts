/**
 * Those who connect to look at this node and are no peers: nobody hears of them coming and going, they own no keys, and all that they
 * can ask is how the node is doing. They prove themselves as peers do. One object for each membership, on its thread.
 */
import type { Timers } from '../../runtime/clock.js'
import { STATUS_REQUEST } from '../../actors/cluster/wire.js'
import { GOODBYE } from '../sessions/envelope.js'
import { REFUSAL, VERDICT, type Terms } from '../sessions/hello.js'
import type { Link } from '../sessions/link.js'
import { Session, TICKS_OF_SILENCE } from '../sessions/session.js'

/** More of them at a time are refused. */
export const MAX_OBSERVERS = 16

/** Called with the name that an observer goes by and how long it waits; `answer` may be called once, at any time. */
export type Observed = (name: string, timeMs: number, answer: (bytes: Uint8Array, start: number, end: number) => void) => void

export interface ObserversSetting {
  /** As with peers. */
  readonly terms: Terms
  readonly failureTimeoutMs: number
  readonly timers: Timers
  /** This node's. */
  readonly incarnation: number
}

export class Observers {
  readonly #setting: ObserversSetting
  readonly #observed: Observed
  /** And what ends their ticks. */
  readonly #sessions = new Map<Session, () => void>()
  #stopping = false

  constructor(setting: ObserversSetting, observed: Observed) {
    this.#setting = setting
    this.#observed = observed
  }

  /** Takes, or refuses, one that has proved who it is. */
  take(link: Link, name: string): void {
    const { incarnation, terms, timers } = this.#setting
    if (this.#stopping) return void link.judge(VERDICT.stopping, incarnation)
    if (this.#sessions.size >= MAX_OBSERVERS) return link.refuse(REFUSAL.busy)
    const agreement = link.judge(VERDICT.accepted, incarnation)
    const session: Session = new Session(name, link, terms, agreement.terms, timers, {
      request: (id, timeMs, bytes, start, end) => {
        if (!STATUS_REQUEST.equals(bytes.subarray(start, end))) return session.refuse(id)
        this.#observed(name, timeMs, (answer, from, to) => session.reply(id, answer, from, to))
      },
      note: () => undefined,
      credit: () => undefined,
      ended: () => this.#forget(session),
    })
    this.#sessions.set(session, () => undefined)
    this.#tickLater(session)
  }

  /** Says goodbye to all of them, and takes no more. */
  stop(): void {
    this.#stopping = true
    for (const session of [...this.#sessions.keys()]) {
      this.#forget(session)
      session.end(GOODBYE.stopping)
    }
  }

  #forget(session: Session): void {
    this.#sessions.get(session)?.()
    this.#sessions.delete(session)
  }

  #tickLater(session: Session): void {
    const { timers, failureTimeoutMs } = this.#setting
    this.#sessions.set(session, timers.after(failureTimeoutMs / TICKS_OF_SILENCE, () => {
      session.tick()
      if (!session.ended) this.#tickLater(session)
    }))
  }
}
