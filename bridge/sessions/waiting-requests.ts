/** Requests for a peer that have no credit yet, or no session: in order, bounded in number and bytes. */
import { CacheError } from '../../runtime/errors.js'
import { settleWith, type Settle } from './settle.js'

const MAX_REQUESTS = 65_536
const MAX_BYTES = 16 << 20

interface Waiting {
  readonly bytes: Buffer
  readonly deadlineMs: number
  /** `undefined`: it was given up. */
  settle: Settle | undefined
}

export class WaitingRequests {
  readonly #peer: string
  #queue: Waiting[] = []
  #head = 0
  #bytes = 0

  constructor(peer: string) {
    this.#peer = peer
  }

  get isEmpty(): boolean {
    return this.#head === this.#queue.length
  }

  /** Keeps a copy of a request. Throws `ERR_MAILBOX_FULL`; a single one may be longer than the bound. */
  add(bytes: Uint8Array, start: number, end: number, deadlineMs: number, settle: Settle): void {
    const count = this.#queue.length - this.#head
    if (count >= MAX_REQUESTS || (count > 0 && this.#bytes + end - start > MAX_BYTES)) {
      throw new CacheError('ERR_MAILBOX_FULL', `${count} requests with ${this.#bytes} bytes wait for node '${this.#peer}'; send fewer at a time`, { node: this.#peer })
    }
    this.#queue.push({ bytes: Buffer.from(bytes.subarray(start, end)), deadlineMs, settle })
    this.#bytes += end - start
  }

  /** Sends what waits, oldest first, until `send` returns false. What `send` throws is the request's error. */
  send(nowMs: number, send: (bytes: Buffer, deadlineMs: number, settle: Settle) => boolean): void {
    while (!this.isEmpty) {
      const { bytes, deadlineMs, settle } = this.#queue[this.#head]!
      try {
        if (settle !== undefined && deadlineMs > nowMs && !send(bytes, deadlineMs, settle)) return
        if (settle !== undefined && deadlineMs <= nowMs) settleWith(settle, this.#late())
      } catch (error) {
        settleWith(settle!, error as CacheError)
      }
      this.#bytes -= bytes.length
      this.#head++
    }
    this.#queue = []
    this.#head = 0
  }

  /** Gives up what is past its deadline. */
  sweep(nowMs: number): void {
    for (let index = this.#head; index < this.#queue.length; index++) {
      const waiting = this.#queue[index]!
      const { settle } = waiting
      if (settle === undefined || waiting.deadlineMs > nowMs) continue
      waiting.settle = undefined
      settleWith(settle, this.#late())
    }
    while (this.#head < this.#queue.length && this.#queue[this.#head]!.settle === undefined) this.#bytes -= this.#queue[this.#head++]!.bytes.length
    if (this.#head > this.#queue.length / 2) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
  }

  fail(error: CacheError): void {
    const queue = this.#queue.slice(this.#head)
    this.#queue = []
    this.#head = 0
    this.#bytes = 0
    for (const { settle } of queue) if (settle !== undefined) settleWith(settle, error)
  }

  #late(): CacheError {
    return new CacheError('ERR_TIMEOUT', `the request was not sent to node '${this.#peer}' before its deadline`, { node: this.#peer })
  }
}
