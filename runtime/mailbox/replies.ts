/** The client's end of a lane's reply ring: it only reads, and settles the asks that were answered. `lane.ts` draws the bytes. */
import { decodeValue } from '../codec/value.js'
import { CacheError, reviveError, type ErrorDescription } from '../errors.js'
import { CAPACITY, HEADER_BYTES, REPLY_CAPACITY, REPLY_HEAD, REPLY_HEADER_BYTES, REPLY_TAIL, STATUS } from './lane.js'
import type { Pending, PendingAsks } from './pending.js'
import type { RequestRing } from './request-ring.js'

/** Who answers, and who hears of answers that come too late. */
export interface Answerer {
  /** What an actor that crashed, timed out or stopped is called in errors. */
  readonly label: string
  readonly crashCode: 'ERR_SHARD_CRASHED' | 'ERR_ACTOR_CRASHED'
  /** Counts a reply that nobody waits for any more. */
  lateReply(): void
}

export class Replies {
  readonly #asks: PendingAsks
  readonly #requests: RequestRing
  readonly #answerer: Answerer
  readonly #words: Int32Array
  readonly #ring: Int32Array
  readonly #bytes: Buffer
  readonly #mask: number
  #head: number

  constructor(lane: SharedArrayBuffer, asks: PendingAsks, requests: RequestRing, answerer: Answerer) {
    this.#asks = asks
    this.#requests = requests
    this.#answerer = answerer
    const words = this.#words = new Int32Array(lane, 0, HEADER_BYTES >> 2)
    const start = HEADER_BYTES + words[CAPACITY]!
    const capacity = words[REPLY_CAPACITY]!
    this.#ring = new Int32Array(lane, start, capacity >> 2)
    this.#bytes = Buffer.from(lane, start, capacity)
    this.#mask = capacity - 1
    this.#head = Atomics.load(words, REPLY_HEAD)
  }

  /** Settles what has been answered. True if anything came. */
  receive(): boolean {
    const words = this.#words
    let moved = false
    let tail = Atomics.load(words, REPLY_TAIL)
    while (tail !== this.#head) {
      moved = true
      do this.#receiveFrame()
      while (tail !== this.#head)
      Atomics.store(words, REPLY_HEAD, this.#head)
      tail = Atomics.load(words, REPLY_TAIL)
    }
    return moved
  }

  #receiveFrame(): void {
    const offset = this.#head & this.#mask
    const at = offset >> 2
    const ring = this.#ring
    const frameBytes = ring[at]!
    if (frameBytes < 0) {
      this.#head = (this.#head - frameBytes) | 0
      return
    }
    const seq = ring[at + 1]!
    const pending = this.#asks.find(seq)
    const status = ring[at + 2]!
    if (status === STATUS.lost) {
      this.#lose(this.#requests.bytesUpTo(seq))
    } else if (status === STATUS.again) {
      this.#asks.each((each) => { each.pieces = undefined })
    } else if (pending === undefined) {
      this.#answerer.lateReply()
    } else if (status === STATUS.piece) {
      const start = offset + REPLY_HEADER_BYTES
      if (!pending.settled) (pending.pieces ??= []).push(Buffer.from(this.#bytes.subarray(start, start + ring[at + 3]!)))
    } else {
      this.#asks.remove(pending)
      if (pending.settled) this.#answerer.lateReply()
      else this.#settle(pending, status, offset + REPLY_HEADER_BYTES, ring[at + 3]!)
    }
    this.#head = (this.#head + frameBytes) | 0
  }

  /** What was written up to there was taken, and who was to answer it later is gone. */
  #lose(bytes: number): void {
    this.#asks.each((pending) => {
      if (pending.position > bytes) return
      this.#asks.remove(pending)
      if (!pending.settled) this.#settle(pending, STATUS.crashed, 0, 0)
    })
  }

  #settle(pending: Pending, status: number, start: number, length: number): void {
    const { label, crashCode } = this.#answerer
    switch (status) {
      case STATUS.true: return pending.settle(undefined, true)
      case STATUS.false: return pending.settle(undefined, false)
      case STATUS.undefined: return pending.settle(undefined, undefined)
      case STATUS.expired: return pending.settle(new CacheError('ERR_TIMEOUT', `${label} did not get to this within ${pending.timeoutMs} ms and has not begun it; give a longer timeout or send less at a time`, { outcome: 'none', timeout: pending.timeoutMs }), undefined)
      case STATUS.crashed: return pending.settle(new CacheError(crashCode, `${label} died while it worked on this and has been restarted; whether it was carried out is unknown`, { outcome: 'unknown' }), undefined)
      case STATUS.functionTimeout: return pending.settle(new CacheError('ERR_FUNCTION_TIMEOUT', `the function ran in ${label} for longer than its time limit and was killed with its thread; nothing of it was stored`, { outcome: 'none' }), undefined)
    }
    try {
      const value = this.#payload(pending, start, length)
      if (status === STATUS.error) pending.settle(reviveError(value as ErrorDescription), undefined)
      else pending.settle(undefined, value)
    } catch (error) {
      pending.settle(error, undefined)
    }
  }

  #payload(pending: Pending, start: number, length: number): unknown {
    if (pending.pieces === undefined) return decodeValue(this.#bytes, start, start + length)
    const whole = Buffer.concat([...pending.pieces, this.#bytes.subarray(start, start + length)])
    return decodeValue(whole, 0, whole.length)
  }
}
