/**
 * What one key may hold, as the only thread that writes it knows: the states that are possible after everything that was
 * answered, and the operations that are on their way. An operation whose outcome is unknown leaves both possibilities;
 * the next answer rules out what it contradicts. When nothing is left possible, a promise was broken.
 */

/** What a key holds: a number that stands for its value; undefined if it is missing. */
export type State = number | undefined

export interface Operation {
  readonly name: string
  after(state: State): State
  /** What it is answered with in that state. */
  answer(state: State): unknown
}

export class KeyModel {
  readonly key: string
  #possible = new Set<State>([undefined])
  readonly #underWay: Operation[] = []
  /** An operation that nobody waits for any more may still be carried out. */
  #late = false

  constructor(key: string) {
    this.key = key
  }

  sent(operation: Operation): void {
    this.#underWay.push(operation)
  }

  /** The oldest operation under way was answered. Throws if it cannot have been. */
  answered(answer: unknown): void {
    const operation = this.#underWay.shift()!
    const next = new Set<State>()
    for (const state of this.#possible) if (Object.is(operation.answer(state), answer)) next.add(operation.after(state))
    if (next.size === 0) throw new Error(`${this.key}: ${operation.name} was answered with ${String(answer)}, and it held ${this.#words()}`)
    this.#possible = next
    this.#late = false
  }

  /** The oldest operation under way failed; `unknown`: it may have happened; `late`: it may happen yet. */
  failed(outcome: 'none' | 'unknown', late: boolean): void {
    const operation = this.#underWay.shift()!
    if (outcome === 'none') return
    this.#late ||= late
    for (const state of [...this.#possible]) this.#possible.add(operation.after(state))
  }

  /** Something read it from memory. Throws if it cannot hold that. */
  read(state: State): void {
    const reachable = new Set(this.#possible)
    for (const operation of this.#underWay) for (const before of [...reachable]) reachable.add(operation.after(before))
    if (!reachable.has(state)) throw new Error(`${this.key}: holds ${String(state)}, and ${this.#words()} was possible, with ${this.#underWay.map(({ name }) => name).join(', ') || 'nothing'} under way`)
    if (this.#underWay.length === 0 && !this.#late) this.#possible = new Set([state])
  }

  #words(): string {
    return [...this.#possible].map(String).join(' or ')
  }
}
