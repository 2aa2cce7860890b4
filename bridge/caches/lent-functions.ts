/**
 * Functions of this node's threads that other nodes may have run for the time being: those of calls that are on their way to them. What nobody
 * here has asked for is not run.
 */
export class LentFunctions {
  readonly #counts = new Map<string, number>()

  /** For a call that has begun. Returns what ends it. */
  lend(cache: string, name: string): () => void {
    const lent = `${cache}/${name}`
    this.#counts.set(lent, (this.#counts.get(lent) ?? 0) + 1)
    return () => {
      const left = this.#counts.get(lent)! - 1
      if (left === 0) this.#counts.delete(lent)
      else this.#counts.set(lent, left)
    }
  }

  has(cache: string, name: string): boolean {
    return this.#counts.has(`${cache}/${name}`)
  }
}
