/**
 * Whether a history of one key could have happened one operation after the other.
 *
 * A history is what several clients called and were told. It is linearizable if each operation can be given one moment between its call and
 * its return at which it took effect, so that the results are those of the operations carried out in that order. An operation whose
 * outcome is unknown may have taken effect at any moment after its call, or never.
 *
 * The search is that of Wing and Gong (1993) with Lowe's memory of what was tried ("Testing for linearizability", 2017): of the
 * operations that no other one precedes, try each next, and never the same set of done operations with the same state twice.
 */

/** An operation on one key, with the moments of its call and its return on one monotonic clock. */
export interface Operation {
  readonly client: string
  readonly call: number
  /** `Infinity` if it never returned, or with an outcome that is unknown. */
  readonly return: number
  readonly name: 'read' | 'write' | 'add' | 'append'
  readonly argument?: unknown
  /** What was returned; without a meaning if the outcome is unknown. */
  readonly result?: unknown
}

/** What one key holds, and how operations change it. States are compared by their JSON. */
export interface Model {
  readonly initial: unknown
  /** The state afterwards and what is returned. */
  apply(state: unknown, operation: Operation): { readonly state: unknown; readonly result: unknown }
}

/** A value that is read and written as a whole; `undefined` at first. */
export const register: Model = {
  initial: null,
  apply(state, { name, argument }) {
    return name === 'write' ? { state: argument, result: true } : { state, result: state ?? undefined }
  },
}

/** A number that is added to (`incr`), 0 at first, and read. */
export const counter: Model = {
  initial: 0,
  apply(state, { name, argument }) {
    const sum = (state as number) + (name === 'add' ? argument as number : 0)
    return { state: sum, result: name === 'add' ? sum : sum === 0 ? undefined : sum }
  },
}

/** A list that is appended to by a function (`getAndUpdate`), which returns the whole list, and read. */
export const list: Model = {
  initial: [],
  apply(state, { name, argument }) {
    const items = name === 'append' ? [...state as unknown[], argument] : state as unknown[]
    return { state: items, result: items.length === 0 ? undefined : items }
  },
}

/** Whether `history` is linearizable. */
export function isLinearizable(model: Model, history: readonly Operation[]): boolean {
  const operations = [...history].sort((a, b) => a.call - b.call)
  const tried = new Set<string>()
  const done = new Uint8Array(operations.length)

  const search = (state: unknown): boolean => {
    let deadline = Infinity
    let isOpen = false
    for (const [index, operation] of operations.entries()) {
      if (done[index] === 1) continue
      if (operation.return !== Infinity) isOpen = true
      deadline = Math.min(deadline, operation.return)
    }
    // What is left has unknown outcomes only: it need not have happened.
    if (!isOpen) return true
    const key = `${String.fromCharCode(...packed(done))}${JSON.stringify(state)}`
    if (tried.has(key)) return false
    tried.add(key)
    for (const [index, operation] of operations.entries()) {
      if (operation.call > deadline) break
      if (done[index] === 1) continue
      const next = model.apply(state, operation)
      if (operation.return !== Infinity && JSON.stringify(next.result) !== JSON.stringify(operation.result)) continue
      done[index] = 1
      if (search(next.state)) return true
      done[index] = 0
    }
    return false
  }
  return search(model.initial)
}

/** Flags, sixteen to a number. */
function packed(flags: Uint8Array): number[] {
  const words: number[] = []
  for (let index = 0; index < flags.length; index++) words[index >> 4] = (words[index >> 4] ?? 0) | (flags[index]! << (index & 15))
  return words
}
