/**
 * The one clock of a node: the monotonic clock of the machine plus an offset in shared memory, in milliseconds
 * since the Unix epoch. Every thread of the node reads the same time; it does not jump when the wall clock does.
 *
 * Tests hold it and move it for all threads at once (`hold`, `advance`, `release`).
 *
 * Shared words, in a buffer of `CLOCK_BYTES`:
 *
 *   0  i32  held       1 while the clock stands still      written by `hold`/`release`, read by every thread with Atomics
 *   4  i32  moves      counts changes of the cells below   written with Atomics.add, read by `ClockTimers`
 *   8  f64  offsetMs   node time − monotonic time          written by tests only; a lone aligned 8-byte access
 *   16 f64  heldAtMs   the time while it is held           the same
 *
 * An f64 access may tear by the letter of the language; on the 64-bit processors that Node runs on, aligned ones do not.
 */

export const CLOCK_BYTES = 24

/** The latest time that a `Date` can hold; later deadlines are cut to it. */
export const MAX_TIME_MS = 8.64e15

const READINGS = 10

/**
 * What one clock is ahead of another, in milliseconds. Of several readings the shortest counts: a thread that loses its core between the two
 * clocks would be late for good.
 */
export function aheadOf(other: () => number, clock: () => number): number {
  let ahead = 0
  let shortest = Infinity
  for (let reading = 0; reading < READINGS; reading++) {
    const before = other()
    const time = clock()
    const took = other() - before
    if (took >= shortest) continue
    shortest = took
    ahead = time - before - took / 2
  }
  return ahead
}

/** The monotonic clock of the machine, the same on every thread of a process, in milliseconds, when `performance.now()` was 0. */
const monotonicBase = aheadOf(() => performance.now(), () => {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e3 + nanoseconds / 1e6
})

/** Monotonic milliseconds: comparable between the threads of a process, meaningless elsewhere. */
export function monotonicMs(): number {
  return performance.now() + monotonicBase
}

/** A deadline on the monotonic clock as a wrapping 32-bit word, never 0. To be compared with a `nowMsWord`, by difference only. */
export function deadlineMsWord(ms: number): number {
  return (Math.floor(ms) | 0) || 1
}

/** The monotonic time as such a word. Rounded up, as deadlines are down: what its sender has given up counts as overdue. */
export function nowMsWord(ms: number): number {
  return (Math.ceil(ms) | 0) || 1
}

export class NodeClock {
  readonly buffer: SharedArrayBuffer
  readonly #flags: Int32Array
  readonly #cells: Float64Array

  /** Takes up the clock in `buffer`, or makes a new one that shows the wall clock's time now. */
  constructor(buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(CLOCK_BYTES)
    this.#flags = new Int32Array(this.buffer, 0, 2)
    this.#cells = new Float64Array(this.buffer, 8, 2)
    if (buffer === undefined) this.#cells[0] = Date.now() - monotonicMs()
  }

  /** Milliseconds since the Unix epoch, with a fraction. */
  now(): number {
    return Atomics.load(this.#flags, 0) === 0 ? performance.now() + monotonicBase + this.#cells[0]! : this.#cells[1]!
  }

  get held(): boolean {
    return Atomics.load(this.#flags, 0) === 1
  }

  /** How often the clock was held, moved or released. */
  get moves(): number {
    return Atomics.load(this.#flags, 1)
  }

  /** Stops the clock of the whole node where it stands. */
  hold(): void {
    this.#cells[1] = this.now()
    Atomics.store(this.#flags, 0, 1)
    Atomics.add(this.#flags, 1, 1)
  }

  /** Moves the clock of the whole node, held or not, by `ms`, which may be negative. */
  advance(ms: number): void {
    if (this.held) this.#cells[1] = this.#cells[1]! + ms
    else this.#cells[0] = this.#cells[0]! + ms
    Atomics.add(this.#flags, 1, 1)
  }

  /** Lets a held clock run on from where it stands. */
  release(): void {
    if (!this.held) return
    this.#cells[0] = this.#cells[1]! - monotonicMs()
    Atomics.store(this.#flags, 0, 0)
    Atomics.add(this.#flags, 1, 1)
  }
}

/** What schedules work: `after` runs `run` once when `delayMs` have passed and returns a function that cancels it. */
export interface Timers {
  now(): number
  after(delayMs: number, run: () => void): () => void
}

/** Timers on a node's clock. They do not keep the process alive, and when the clock was moved, `recheck` runs what is due. */
export class ClockTimers implements Timers {
  readonly #clock: NodeClock
  readonly #entries = new Set<{ dueMs: number; run: () => void }>()
  #timer: NodeJS.Timeout | undefined
  #timerDueMs = Infinity

  constructor(clock: NodeClock) {
    this.#clock = clock
  }

  now(): number {
    return this.#clock.now()
  }

  after(delayMs: number, run: () => void): () => void {
    const entry = { dueMs: this.#clock.now() + delayMs, run }
    this.#entries.add(entry)
    this.#arm(entry.dueMs)
    return () => void this.#entries.delete(entry)
  }

  /** Runs what is due, in order of time; for the one who moved the clock. */
  recheck(): void {
    clearTimeout(this.#timer)
    this.#timerDueMs = Infinity
    const now = this.#clock.now()
    const due = [...this.#entries].filter((entry) => entry.dueMs <= now).sort((a, b) => a.dueMs - b.dueMs)
    for (const entry of due) {
      if (this.#entries.delete(entry)) entry.run()
    }
    this.#arm(Math.min(Infinity, ...[...this.#entries].map((entry) => entry.dueMs)))
  }

  /** Cancels everything. */
  close(): void {
    clearTimeout(this.#timer)
    this.#entries.clear()
  }

  #arm(dueMs: number): void {
    if (this.#clock.held || dueMs >= this.#timerDueMs) return
    clearTimeout(this.#timer)
    this.#timerDueMs = dueMs
    const delayMs = Math.min(Math.max(0, Math.ceil(dueMs - this.#clock.now())), 0x7fff_ffff)
    this.#timer = setTimeout(() => this.recheck(), delayMs).unref()
  }
}
