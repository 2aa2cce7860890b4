/**
 * A doorbell: how a thread that sleeps hears that another thread has written something for it.
 *
 * Shared words: 0 `rings` counts rings; 1 `sleeping` is 1 while its owner may be asleep. The owner stores
 * `sleeping`, then looks at its rings once more, then waits for `rings` to move; whoever has published
 * something for it loads `sleeping` afterwards and rings. All four accesses are atomic and so in one order:
 * either the owner's look sees what was published, or the publisher sees that it sleeps. A ring between the
 * look and the wait moves `rings`, and the wait returns at once. Only the owner clears `sleeping`: a ringer
 * that cleared it and was killed before it rang would leave the owner asleep for ever.
 */

const RINGS = 0
const SLEEPING = 1

export class Bell {
  readonly buffer: SharedArrayBuffer
  readonly #words: Int32Array

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(64)) {
    this.buffer = buffer
    this.#words = new Int32Array(buffer, 0, 2)
  }

  /** For whoever published something: wakes the owner if it may be asleep. */
  ringIfAsleep(): void {
    if (Atomics.load(this.#words, SLEEPING) === 1) this.ring()
  }

  ring(): void {
    Atomics.add(this.#words, RINGS, 1)
    Atomics.notify(this.#words, RINGS)
  }

  /** For the owner: announces that it is going to sleep. It must look at its rings after this and before it waits. */
  announceSleep(): number {
    const rings = Atomics.load(this.#words, RINGS)
    Atomics.store(this.#words, SLEEPING, 1)
    return rings
  }

  cancelSleep(): void {
    Atomics.store(this.#words, SLEEPING, 0)
  }

  /** Blocks the thread until the bell has rung since `rings` was read, or `timeoutMs` have passed. */
  wait(rings: number, timeoutMs = Infinity): void {
    Atomics.wait(this.#words, RINGS, rings, timeoutMs)
    Atomics.store(this.#words, SLEEPING, 0)
  }

  /** Resolves when the bell has rung since `rings` was read. Does not keep the process alive. */
  waitAsync(rings: number): Promise<unknown> {
    const result = Atomics.waitAsync(this.#words, RINGS, rings)
    return result.async ? result.value : Promise.resolve()
  }
}
