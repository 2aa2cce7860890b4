/**
 * Looks at something that changes, for many who ask at the same time: each gets a look that begins after it has asked, and those who ask while one is under way
 * share the next. That one may have begun before what they know to be there.
 */
export class FreshLook {
  readonly #look: () => Promise<void>
  #current: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor(look: () => Promise<void>) {
    this.#look = look
  }

  /** Resolves when a look that began after this was called is through; rejects as it does. */
  look(): Promise<void> {
    if (this.#current === undefined) {
      this.#current = this.#look().finally(() => (this.#current = undefined))
      return this.#current
    }
    this.#next ??= this.#current.catch(() => undefined).then(() => {
      this.#next = undefined
      return this.look()
    })
    return this.#next
  }
}
