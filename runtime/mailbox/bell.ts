/**
 * A doorbell: how a thread that sleeps hears that another thread has written something for it.
 *
 * Shared words: 0 `rings` counts rings; 1 `sleep` is 0 while its owner is awake, else the number of this sleep. The
 * owner stores `sleep`, then looks at its rings once more, then waits for `rings` to move; whoever has published
 * something for it loads `sleep` afterwards and rings. All four accesses are atomic and so in one order: either the
 * owner's look sees what was published, or the publisher sees that it sleeps. A ring between the look and the wait moves
 * `rings`, and the wait returns at once.
 *
 * Only the owner clears `sleep`: a ringer that cleared it and was killed before it rang would leave the owner asleep for
 * ever. So that it does not ring for every message until the owner is awake, a ringer remembers the sleep that it rang for.
 * Word 2 counts the sleeps, across incarnations of the owner: written by the owner only, before it stores `sleep`.
 */

const RINGS = 0
const SLEEP = 1
const SLEEPS = 2

export class Bell {
  readonly buffer: SharedArrayBuffer
  readonly #words: Int32Array
  /** The sleep that was rung for last. */
  #rungFor = 0

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(64)) {
    this.buffer = buffer
    this.#words = new Int32Array(buffer, 0, 3)
  }

  /** For whoever published something: wakes the owner if it may be asleep. */
  ringIfAsleep(): void {
    const sleep = Atomics.load(this.#words, SLEEP)
    if (sleep === 0 || sleep === this.#rungFor) return
    this.#rungFor = sleep
    this.ring()
  }

  ring(): void {
    Atomics.add(this.#words, RINGS, 1)
    Atomics.notify(this.#words, RINGS)
  }

  /** For the owner: announces that it is going to sleep. It must look at its rings after this and before it waits. */
  announceSleep(): number {
    const rings = Atomics.load(this.#words, RINGS)
    const sleep = this.#words[SLEEPS] = (this.#words[SLEEPS]! + 1) & 0x3fff_ffff || 1
    Atomics.store(this.#words, SLEEP, sleep)
    return rings
  }

  cancelSleep(): void {
    Atomics.store(this.#words, SLEEP, 0)
  }

  /** Blocks the thread until the bell has rung since `rings` was read, or `timeoutMs` have passed. */
  wait(rings: number, timeoutMs = Infinity): void {
    Atomics.wait(this.#words, RINGS, rings, timeoutMs)
    Atomics.store(this.#words, SLEEP, 0)
  }

  /** Resolves when the bell has rung since `rings` was read. Does not keep the process alive. */
  waitAsync(rings: number): Promise<unknown> {
    const result = Atomics.waitAsync(this.#words, RINGS, rings)
    return result.async ? result.value : Promise.resolve()
  }
}
