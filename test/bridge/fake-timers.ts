/** Time that stands still until a test moves it. */
import type { Timers } from '../../runtime/clock.js'

/** Lets everything run that can run without time passing. */
export async function settle(turns = 8): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
}

export class FakeTimers implements Timers {
  #nowMs = 1000
  #entries: { dueMs: number; run: () => void }[] = []

  now(): number {
    return this.#nowMs
  }

  after(delayMs: number, run: () => void): () => void {
    const entry = { dueMs: this.#nowMs + Math.max(0, delayMs), run }
    this.#entries.push(entry)
    return () => {
      this.#entries = this.#entries.filter((other) => other !== entry)
    }
  }

  /** How many timers there are. */
  get pending(): number {
    return this.#entries.length
  }

  /** Lets time pass, one timer after the other, and everything run that follows from each. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    await settle()
    for (;;) {
      const next = this.#entries.reduce<{ dueMs: number; run: () => void } | undefined>((first, entry) => first === undefined || entry.dueMs < first.dueMs ? entry : first, undefined)
      if (next === undefined || next.dueMs > endMs) break
      this.#entries = this.#entries.filter((entry) => entry !== next)
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      next.run()
      await settle(3)
    }
    this.#nowMs = endMs
    await settle()
  }

  /** Time passes at once: as for a process that was stopped. */
  jump(ms: number): void {
    this.#nowMs += ms
  }
}
