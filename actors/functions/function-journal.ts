/**
 * What a thread of the pool has taken and not answered, in shared memory, so that the next thread in its place can tell every
 * caller: which call may have been what it died of, and which only happened to be there.
 *
 * A row of entries of four 32-bit words, written by the pool's actor, read by its next incarnation:
 *   0 state    1 client    2 sequence number    3 when its time is up (`deadlineMsWord`), once it runs
 */
import type { Deferral } from '../../runtime/mailbox/deferral.js'

const ENTRY_WORDS = 4
const STATE = 0
const CLIENT = 1
const SEQ = 2
const DUE = 3

/** How far a call is. */
export const CALL_STATE = {
  free: 0,
  /** Taken, not begun. */
  taken: 1,
  /** Its function may be at work. */
  runs: 2,
  /** Its function waits for an answer of the cache. */
  waits: 3,
} as const

/** So many calls may be unanswered on one thread; those that wait for a cache make it more than run at a time. */
export const MAX_CALLS = 1 << 16

export const JOURNAL_BYTES = MAX_CALLS * ENTRY_WORDS * 4

/** What a predecessor left. */
export interface LeftCall {
  readonly entry: number
  readonly state: number
  readonly client: number
  readonly seq: number
  readonly due: number
}

export class FunctionJournal {
  readonly #words: Int32Array
  /** Entries that were used and are free again. */
  readonly #free: number[] = []
  #used = 0

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer)
  }

  get isFull(): boolean {
    return this.#used === MAX_CALLS && this.#free.length === 0
  }

  /** Notes an ask before it is deferred. Returns its entry. */
  enter({ client, seq }: Pick<Deferral, 'client' | 'seq'>): number {
    const entry = this.#free.pop() ?? this.#used++
    const at = entry * ENTRY_WORDS
    this.#words[at + CLIENT] = client
    this.#words[at + SEQ] = seq
    this.#words[at + DUE] = 0
    this.#words[at + STATE] = CALL_STATE.taken
    return entry
  }

  set(entry: number, state: number): void {
    this.#words[entry * ENTRY_WORDS + STATE] = state
  }

  setDue(entry: number, dueWord: number): void {
    this.#words[entry * ENTRY_WORDS + DUE] = dueWord
  }

  leave(entry: number): void {
    this.set(entry, CALL_STATE.free)
    this.#free.push(entry)
  }

  /** What a predecessor left. Each is to be forgotten when its caller was told, before the first `enter`. */
  takeUp(): LeftCall[] {
    const left: LeftCall[] = []
    for (let entry = 0; entry < MAX_CALLS; entry++) {
      const at = entry * ENTRY_WORDS
      const { [at + STATE]: state, [at + CLIENT]: client, [at + SEQ]: seq, [at + DUE]: due } = this.#words
      if (state !== CALL_STATE.free) left.push({ entry, state: state!, client: client!, seq: seq!, due: due! })
    }
    return left
  }

  /** It was told. */
  forget({ entry }: LeftCall): void {
    this.set(entry, CALL_STATE.free)
  }
}
