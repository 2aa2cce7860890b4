/**
 * The requests and notes of this node that a peer has not answered: numbers them, keeps to the peer's credit, and settles each once.
 *
 * A request's number is its slot and how often the slot was used. Slots are arrays beside each other: a request costs no object.
 */
import { CacheError } from '../../runtime/errors.js'
import { FAILURE, type Failure } from './envelope.js'
import type { Terms } from './hello.js'
import { settleWith, type Settle } from './settle.js'

export class Outstanding {
  /** Requests without a reply, those included that were given up. */
  count = 0
  /** The number of the last request among all of the session. */
  order = 0
  readonly #peer: string
  readonly #terms: Terms
  /** `undefined`: the slot is free, or its request was given up. */
  readonly #settles: (Settle | undefined)[]
  readonly #inUse: Uint8Array
  readonly #generations: Uint16Array
  readonly #sizes: Float64Array
  readonly #deadlinesMs: Float64Array
  readonly #orders: Float64Array
  readonly #free: Uint16Array
  #freeCount: number
  #bytes = 0
  /** Sizes of notes that the peer has not taken, oldest first, from `#notesTaken` on. */
  #notes: number[] = []
  #notesTaken = 0

  constructor(peer: string, terms: Terms) {
    const { requests } = terms
    this.#peer = peer
    this.#terms = terms
    this.#settles = new Array<Settle | undefined>(requests).fill(undefined)
    this.#inUse = new Uint8Array(requests)
    this.#generations = new Uint16Array(requests)
    this.#sizes = new Float64Array(requests)
    this.#deadlinesMs = new Float64Array(requests)
    this.#orders = new Float64Array(requests)
    this.#free = Uint16Array.from({ length: requests }, (_, index) => requests - 1 - index)
    this.#freeCount = requests
  }

  /** What the peer takes as one message. */
  get messageBytes(): number {
    return this.#terms.messageBytes
  }

  /** Numbers a request; −1 if there is no credit for it now. Throws `ERR_TOO_LARGE`. */
  open(bytes: number, deadlineMs: number, settle: Settle): number {
    this.#refuseLarge(bytes)
    if (this.#freeCount === 0 || (this.#bytes > 0 && this.#bytes + bytes > this.#terms.bytes)) return -1
    const slot = this.#free[--this.#freeCount]!
    const generation = ++this.#generations[slot]! & 0xffff
    this.#settles[slot] = settle
    this.#inUse[slot] = 1
    this.#sizes[slot] = bytes
    this.#deadlinesMs[slot] = deadlineMs
    this.#orders[slot] = ++this.order
    this.#bytes += bytes
    this.count++
    return (slot | (generation << 16)) >>> 0
  }

  /** Counts a note; false if there is no credit for it now. Throws `ERR_TOO_LARGE`. */
  openNote(bytes: number): boolean {
    this.#refuseLarge(bytes)
    const waiting = this.#notes.length - this.#notesTaken
    if (waiting >= this.#terms.requests || (this.#bytes > 0 && this.#bytes + bytes > this.#terms.bytes)) return false
    this.#notes.push(bytes)
    this.#bytes += bytes
    return true
  }

  /** The peer has taken so many notes. */
  credit(notes: number): void {
    if (notes === 0 || notes > this.#notes.length - this.#notesTaken) bad(`credit for ${notes} notes that it was not sent`)
    for (let index = 0; index < notes; index++) this.#bytes -= this.#notes[this.#notesTaken++]!
    if (this.#notesTaken < this.#notes.length / 2) return
    this.#notes = this.#notes.slice(this.#notesTaken)
    this.#notesTaken = 0
  }

  /** Whether a reply to it may come. */
  has(id: number): boolean {
    const slot = id & 0xffff
    return this.#inUse[slot] === 1 && this.#generations[slot] === id >>> 16
  }

  reply(id: number, bytes: Buffer, start: number, end: number): void {
    const settle = this.#close(id)
    if (settle !== undefined) settleWith(settle, undefined, bytes, start, end)
  }

  failed(id: number, why: Failure): void {
    const settle = this.#close(id)
    if (settle !== undefined) settleWith(settle, this.#failure(why))
  }

  /** Gives up what is past its deadline. What was not sent yet lies in the outbox, and will be: it is unknown what becomes of it. */
  sweep(nowMs: number): void {
    if (this.count === 0) return
    for (let slot = 0; slot < this.#settles.length; slot++) {
      const settle = this.#settles[slot]
      if (settle === undefined || this.#deadlinesMs[slot]! > nowMs) continue
      this.#settles[slot] = undefined
      settleWith(settle, new CacheError('ERR_TIMEOUT', `no reply from node '${this.#peer}' before the deadline`, { node: this.#peer, outcome: 'unknown' }))
    }
  }

  /** Settles everything with the error: it is unknown what became of those that were sent. */
  fail(error: CacheError, sentOrder: number): void {
    for (let slot = 0; slot < this.#settles.length; slot++) {
      const settle = this.#settles[slot]
      if (settle === undefined) continue
      this.#settles[slot] = undefined
      const outcome = this.#orders[slot]! <= sentOrder ? 'unknown' : 'none'
      settleWith(settle, new CacheError(error.code, error.message, { cause: error.cause, node: this.#peer, outcome }))
    }
    this.count = 0
    this.#freeCount = 0
  }

  #close(id: number): Settle | undefined {
    if (!this.has(id)) bad('a reply to nothing')
    const slot = id & 0xffff
    const settle = this.#settles[slot]
    this.#settles[slot] = undefined
    this.#inUse[slot] = 0
    this.#bytes -= this.#sizes[slot]!
    this.#free[this.#freeCount++] = slot
    this.count--
    return settle
  }

  #refuseLarge(bytes: number): void {
    const { messageBytes } = this.#terms
    if (bytes > messageBytes) throw new CacheError('ERR_TOO_LARGE', `a message of ${bytes} bytes, where node '${this.#peer}' takes ${messageBytes}; raise 'maxMessage' on all nodes, or split the value`, { node: this.#peer })
  }

  #failure(why: Failure): CacheError {
    const node = this.#peer
    switch (why) {
      case FAILURE.lapsed: return new CacheError('ERR_TIMEOUT', `node '${node}' did not come to this before its deadline`, { node })
      case FAILURE.unanswered: return new CacheError('ERR_TIMEOUT', `node '${node}' had no answer before the deadline`, { node, outcome: 'unknown' })
      case FAILURE.replyTooLarge: return new CacheError('ERR_TOO_LARGE', `the reply of node '${node}' is longer than this node takes; raise 'maxMessage' on all nodes`, { node, outcome: 'unknown' })
      case FAILURE.dropped: return new CacheError('ERR_MAILBOX_FULL', `node '${node}' dropped the reply: too much of earlier ones waits for this node to take it; ask for less at a time`, { node, outcome: 'unknown' })
      case FAILURE.refused: return new CacheError('ERR_NODE_DOWN', `node '${node}' could not take the request`, { node, outcome: 'unknown' })
    }
  }
}

function bad(what: string): never {
  throw new CacheError('ERR_FRAME', `the peer sent ${what}`)
}
