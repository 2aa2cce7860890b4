/** The requests of a peer that were not answered: holds the peer to its credit. */
import { CacheError } from '../../runtime/errors.js'
import type { Terms } from './hello.js'

interface Held {
  readonly id: number
  readonly bytes: Buffer
  readonly deadlineMs: number
}

/** How long after its deadline the peer is told that no reply will come. */
const GRACE_MS = 1000

export class Inbound {
  count = 0
  readonly #terms: Terms
  /** By slot: the request's id and 1 more, 0 for none; its bytes; its deadline. */
  readonly #ids: Float64Array
  readonly #sizes: Float64Array
  readonly #deadlinesMs: Float64Array
  #bytes = 0
  #held: Held[] = []
  #released = 0

  constructor(terms: Terms) {
    this.#terms = terms
    this.#ids = new Float64Array(terms.requests)
    this.#sizes = new Float64Array(terms.requests)
    this.#deadlinesMs = new Float64Array(terms.requests)
  }

  /** A request came. Throws `ERR_FRAME` for a number that is in use or out of range, and for more than the credit. */
  open(id: number, bytes: number, deadlineMs: number): void {
    const slot = id & 0xffff
    if (slot >= this.#terms.requests) bad(`a request with the number ${id}, beyond its credit`)
    if (this.#ids[slot] !== 0) bad(`a second request with the number ${id}`)
    if (this.#bytes > 0 && this.#bytes + bytes > this.#terms.bytes) bad('more bytes of requests than its credit')
    if (bytes > this.#terms.messageBytes) bad('a request of more bytes than were agreed on')
    this.#ids[slot] = id + 1
    this.#sizes[slot] = bytes
    this.#deadlinesMs[slot] = deadlineMs
    this.#bytes += bytes
    this.count++
  }

  /** The request is answered. False if it is not there (any more). */
  close(id: number): boolean {
    const slot = id & 0xffff
    if (this.#ids[slot] !== id + 1) return false
    this.#ids[slot] = 0
    this.#bytes -= this.#sizes[slot]!
    this.count--
    return true
  }

  /** Whether requests are held back. */
  get holds(): boolean {
    return this.#held.length > this.#released
  }

  /** Keeps a request until its turn comes. */
  hold(id: number, bytes: Buffer, start: number, end: number): void {
    this.#held.push({ id, bytes: Buffer.from(bytes.subarray(start, end)), deadlineMs: this.#deadlinesMs[id & 0xffff]! })
  }

  /** The oldest that is held back. */
  release(): Held {
    const held = this.#held[this.#released++]!
    if (this.#released === this.#held.length) {
      this.#held = []
      this.#released = 0
    }
    return held
  }

  /** Calls `give` for requests that were not answered by their deadline. */
  lapse(nowMs: number, give: (id: number) => void): void {
    if (this.count === 0) return
    for (let slot = 0; slot < this.#ids.length; slot++) {
      if (this.#ids[slot] !== 0 && this.#deadlinesMs[slot]! + GRACE_MS < nowMs) give(this.#ids[slot]! - 1)
    }
  }

  clear(): void {
    this.#ids.fill(0)
    this.#held = []
    this.#released = 0
    this.#bytes = 0
    this.count = 0
  }
}

function bad(what: string): never {
  throw new CacheError('ERR_FRAME', `the peer sent ${what}`)
}
