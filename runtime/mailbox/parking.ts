/**
 * Where an actor keeps requests that have to wait for something, in shared memory: it goes on with what comes behind them, and
 * an incarnation that takes over after a crash finds them.
 *
 * A request that is parked is done as far as its lane is concerned; its reply is sent later (`Inlet.defer`). One actor writes; nobody
 * else reads. The buffer is a row of blocks without gaps, each a multiple of 8 bytes, free or with one request:
 *
 *   0  u32  bytes of the block          5  i32  deadline (`deadlineMsWord`), if the kind's bit says that there is one
 *   1  u32  state: 0 free, 1 waits, 2 runs       6  u32  bit 0 is an ask, bit 1 has a deadline
 *   2  i32  client                      7 8 9  lengths of the three sections
 *   3  i32  sequence number             10 u32  order of arrival, wrapping
 *   4  u32  code | generation << 8 | slot << 16      11 u32  a word for the actor's own use
 *   12…  the sections, without gaps
 *
 * Every change of the row is one store, so that an actor killed at any instruction leaves a row that can be walked: a block is
 * split by writing the second half's header, which nothing refers to yet, and then the first half's size; it is filled while it is
 * free, and then its state is stored; two free ones are joined by storing the size of the first.
 *
 * What was running when the actor died has perhaps been carried out: it is failed as unknown, and not run again.
 */
import type { Request } from './inlet.js'
import { align8, GENERATION_SHIFT, MAX_CODE, MAX_GENERATION } from './lane.js'

const HEADER_WORDS = 12
const HEADER_BYTES = HEADER_WORDS * 4

const BYTES = 0
const STATE = 1
const CLIENT = 2
const SEQ = 3
const CODE = 4
const DEADLINE = 5
const KIND = 6
const LENGTHS = 7
const ORDER = 10
const OWN = 11

const FREE = 0
const WAITS = 1
const RUNS = 2

const IS_ASK = 1
const HAS_DEADLINE = 2

/** What is parked: a request with where it came from. */
export interface Parkable extends Request {
  readonly client: number
  readonly seq: number
}

/** A request in the parking area. Its bytes stay where they are until it leaves. */
export class ParkedRequest implements Parkable {
  readonly at: number
  readonly client: number
  readonly seq: number
  readonly code: number
  readonly slot: number
  readonly generation: number
  readonly isAsk: boolean
  readonly bytes: Buffer
  readonly start: number
  readonly aEnd: number
  readonly bEnd: number
  readonly cEnd: number
  readonly deadline: number
  readonly hasDeadline: boolean
  /** Whether it was running when the actor died. */
  readonly wasRunning: boolean
  readonly order: number
  readonly #words: Int32Array

  constructor(words: Int32Array, bytes: Buffer, at: number) {
    const word = at >> 2
    this.at = at
    this.#words = words
    this.client = words[word + CLIENT]!
    this.seq = words[word + SEQ]!
    this.code = words[word + CODE]! & MAX_CODE
    this.generation = (words[word + CODE]! >>> GENERATION_SHIFT) & MAX_GENERATION
    this.slot = words[word + CODE]! >>> 16
    this.isAsk = (words[word + KIND]! & IS_ASK) !== 0
    this.hasDeadline = (words[word + KIND]! & HAS_DEADLINE) !== 0
    this.deadline = words[word + DEADLINE]!
    this.bytes = bytes
    this.start = at + HEADER_BYTES
    this.aEnd = this.start + words[word + LENGTHS]!
    this.bEnd = this.aEnd + words[word + LENGTHS + 1]!
    this.cEnd = this.bEnd + words[word + LENGTHS + 2]!
    this.order = words[word + ORDER]!
    this.wasRunning = words[word + STATE] === RUNS
  }

  /** A word that the actor keeps with the request, also across its incarnations. 0 at first. */
  get own(): number {
    return this.#words[(this.at >> 2) + OWN]!
  }

  set own(value: number) {
    Atomics.store(this.#words, (this.at >> 2) + OWN, value)
  }

  /** Whether its caller has given up, at a `nowMsWord`. */
  isOverdue(nowWord: number): boolean {
    return this.hasDeadline && ((this.deadline - nowWord) | 0) < 0
  }
}

export class Parking {
  /** How many requests are here. */
  count = 0
  readonly #words: Int32Array
  readonly #bytes: Buffer
  readonly #end: number
  /** Where the next search for room begins. */
  #cursor = 0
  #order = 0

  /** Takes up a buffer, of zeros or left by another incarnation. */
  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer)
    this.#bytes = Buffer.from(buffer)
    this.#end = buffer.byteLength & ~7
    if (this.#words[BYTES] === 0) this.#words[BYTES] = this.#end
  }

  /** What an earlier incarnation left, in the order of arrival. Call it once, first. */
  takeUp(): ParkedRequest[] {
    const found: ParkedRequest[] = []
    for (let at = 0; at < this.#end; at += this.#words[(at >> 2) + BYTES]!) {
      this.#join(at)
      if (this.#words[(at >> 2) + STATE] !== FREE) found.push(new ParkedRequest(this.#words, this.#bytes, at))
    }
    // What is here at one time arrived within less than half of the numbers.
    found.sort((a, b) => (a.order - b.order) | 0)
    this.count = found.length
    this.#order = found.length === 0 ? 0 : (found.at(-1)!.order + 1) | 0
    return found
  }

  /** Copies a request. `undefined` if there is no room for it. */
  park(request: Parkable): ParkedRequest | undefined {
    const length = request.cEnd - request.start
    const at = this.#allocate(align8(HEADER_BYTES + length))
    if (at < 0) return undefined
    const words = this.#words
    const word = at >> 2
    words[word + CLIENT] = request.client
    words[word + SEQ] = request.seq
    words[word + CODE] = request.code | (request.generation << GENERATION_SHIFT) | (request.slot << 16)
    words[word + DEADLINE] = request.deadline
    words[word + KIND] = (request.isAsk ? IS_ASK : 0) | (request.hasDeadline ? HAS_DEADLINE : 0)
    words[word + LENGTHS] = request.aEnd - request.start
    words[word + LENGTHS + 1] = request.bEnd - request.aEnd
    words[word + LENGTHS + 2] = request.cEnd - request.bEnd
    words[word + ORDER] = this.#order
    words[word + OWN] = 0
    this.#order = (this.#order + 1) | 0
    this.#bytes.set(request.bytes.subarray(request.start, request.cEnd), at + HEADER_BYTES)
    Atomics.store(words, word + STATE, WAITS)
    this.count++
    return new ParkedRequest(words, this.#bytes, at)
  }

  /** It is about to be carried out. */
  begin(request: ParkedRequest): void {
    Atomics.store(this.#words, (request.at >> 2) + STATE, RUNS)
  }

  /** It was answered, or will not be carried out. */
  leave(request: ParkedRequest): void {
    Atomics.store(this.#words, (request.at >> 2) + STATE, FREE)
    this.#join(request.at)
    // Joined with the block after it, it may have swallowed the one at which the next search was to begin.
    const end = request.at + this.#words[(request.at >> 2) + BYTES]!
    if (this.#cursor > request.at && this.#cursor < end) this.#cursor = request.at
    this.count--
  }

  /** First fit from where the last one was found. */
  #allocate(bytes: number): number {
    if (bytes > this.#end) return -1
    const words = this.#words
    let at = this.#cursor
    let searched = 0
    while (searched < this.#end) {
      if (words[(at >> 2) + STATE] === FREE) {
        this.#join(at)
        const size = words[(at >> 2) + BYTES]!
        if (size >= bytes) {
          const rest = size - bytes
          if (rest >= HEADER_BYTES) {
            words[((at + bytes) >> 2) + STATE] = FREE
            words[((at + bytes) >> 2) + BYTES] = rest
            Atomics.store(words, (at >> 2) + BYTES, bytes)
          }
          const next = at + words[(at >> 2) + BYTES]!
          this.#cursor = next >= this.#end ? 0 : next
          return at
        }
      }
      const size = words[(at >> 2) + BYTES]!
      searched += size
      at += size
      if (at >= this.#end) at = 0
    }
    return -1
  }

  /** Joins a free block with the free ones behind it. */
  #join(at: number): void {
    const words = this.#words
    if (words[(at >> 2) + STATE] !== FREE) return
    let end = at + words[(at >> 2) + BYTES]!
    while (end < this.#end && words[(end >> 2) + STATE] === FREE) {
      if (this.#cursor === end) this.#cursor = at
      end += words[(end >> 2) + BYTES]!
    }
    Atomics.store(words, (at >> 2) + BYTES, end - at)
  }
}
