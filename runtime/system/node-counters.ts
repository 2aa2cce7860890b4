/** What a node counts, in a buffer of the vault: it outlives the system thread. */

const DEAD_LETTERS = 0
const RESTARTS = 1

export class NodeCounters {
  readonly #words: Int32Array

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer)
  }

  get deadLetters(): number {
    return this.#words[DEAD_LETTERS]!
  }

  get restarts(): number {
    return this.#words[RESTARTS]!
  }

  addDeadLetters(count: number): void {
    Atomics.add(this.#words, DEAD_LETTERS, count)
  }

  addRestart(): void {
    Atomics.add(this.#words, RESTARTS, 1)
  }
}
