/**
 * A request that is done and not answered: whoever holds its deferral answers it later, in any order.
 *
 * Lives on the actor's thread. The deferrals of an actor that dies are lost, and their clients are told, unless the actor keeps
 * them where its next incarnation finds them (`RawActor.durableDeferrals`). Those of a client that is gone answer nobody.
 */

/** How a request is answered: at once by its inlet, or later by its deferral. */
export interface Replier {
  /** The client thread that sent it. */
  readonly client: number
  /** Its number on the lane. Means nothing unless it is an ask. */
  readonly seq: number
  readonly isAsk: boolean
  /** Replies without a payload. */
  finish(status: number): void
  /** Replies with the bytes [start, end) of `payload`, which may be reused afterwards. */
  finishWith(status: number, payload: Buffer, start: number, end: number): void
}

/** What a deferral needs of its lane. */
export interface DeferredReplies {
  readonly client: number
  answer(deferral: Deferral, status: number, payload: Buffer, start: number, end: number): void
}

export class Deferral implements Replier {
  readonly seq: number
  readonly isAsk: boolean
  readonly #lane: DeferredReplies
  #answered = false

  constructor(lane: DeferredReplies, seq: number, isAsk: boolean) {
    this.#lane = lane
    this.seq = seq
    this.isAsk = isAsk
  }

  get client(): number {
    return this.#lane.client
  }

  finish(status: number): void {
    this.finishWith(status, EMPTY, 0, 0)
  }

  /** Answers once; what comes after that is ignored. */
  finishWith(status: number, payload: Buffer, start: number, end: number): void {
    if (this.#answered) return
    this.#answered = true
    this.#lane.answer(this, status, payload, start, end)
  }
}

const EMPTY = Buffer.alloc(0)
