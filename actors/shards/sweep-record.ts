/**
 * What the janitor's runs did, in shared memory: the janitor numbers a run, each shard notes when it is through with it, and whoever asks
 * puts the shards together. The last two runs are kept, so that there is a whole one to show while the next is under way.
 *
 *   word 0            the number of the last run that began        janitor: Atomics.store    everyone: Atomics.load
 *   word 2 + 2 × p    when the run began, in ms since 1970: low and high word. p is the lowest bit of the run's number
 *                                                                  janitor, plain            everyone, plain
 *   then, for each shard and p, three words                        the shard, plain          everyone, plain
 *     0  the number of the run that it is through with     1  ms since the run began     2  how many entries it removed
 *
 * For information only: a shard that dies in the middle of a sweep notes nothing of it.
 */

/** A run of the janitor, over all shards. */
export interface JanitorRun {
  /** When it began, in milliseconds since 1970. */
  started: number
  /** From then until the last shard was through, in whole milliseconds. */
  duration: number
  /** How many expired entries it removed. */
  count: number
}

const BEGAN = 2
const SHARDS = 6
const NOTE_WORDS = 3

export function sweepRecordBytes(shards: number): number {
  return (SHARDS + shards * 2 * NOTE_WORDS) * 4
}

export class SweepRecord {
  readonly #words: Int32Array

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer)
  }

  /** The number of the run that began last; 0 before the first. */
  get run(): number {
    return Atomics.load(this.#words, 0)
  }

  /** By the janitor: a run begins. */
  begin(nowMs: number): void {
    const run = (this.run + 1) & MAX_RUN
    const at = BEGAN + (run & 1) * 2
    this.#words[at] = nowMs
    this.#words[at + 1] = nowMs / 2 ** 32
    Atomics.store(this.#words, 0, run)
  }

  /** By a shard: it is through with a run, and has removed so many entries. */
  note(shard: number, run: number, nowMs: number, count: number): void {
    const at = SHARDS + (shard * 2 + (run & 1)) * NOTE_WORDS
    this.#words[at + 1] = Math.min(Math.floor(nowMs) - this.#began(run), 0x7fff_ffff)
    this.#words[at + 2] = count
    this.#words[at] = run
  }

  /** The last run that all shards are through with, or the one before the last as far as they were. `undefined` before the first. */
  last(): JanitorRun | undefined {
    const { run } = this
    const shards = (this.#words.length - SHARDS) / (2 * NOTE_WORDS)
    const whole = this.#together(run)
    if (whole?.shards === shards) return whole.run
    return this.#together((run - 1) & MAX_RUN)?.run
  }

  #together(run: number): { run: JanitorRun; shards: number } | undefined {
    if (run === 0) return undefined
    let shards = 0
    let duration = 0
    let count = 0
    for (let at = SHARDS + (run & 1) * NOTE_WORDS; at < this.#words.length; at += 2 * NOTE_WORDS) {
      if (this.#words[at] !== run) continue
      shards++
      duration = Math.max(duration, this.#words[at + 1]!)
      count += this.#words[at + 2]!
    }
    return shards === 0 ? undefined : { run: { started: this.#began(run), duration, count }, shards }
  }

  #began(run: number): number {
    const at = BEGAN + (run & 1) * 2
    return (this.#words[at]! >>> 0) + this.#words[at + 1]! * 2 ** 32
  }
}

/** Numbers of runs wrap here. */
const MAX_RUN = 0x3fff_ffff
