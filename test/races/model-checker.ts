/**
 * A small explicit-state model checker: it walks every interleaving of a few processes, breadth first, and reports the
 * shortest run that breaks an invariant, gets stuck, or goes round in a circle.
 *
 * A state is a fixed number of bytes, named by `layout`. A process is a function that offers the steps it can make in a state,
 * each of them atomic; what a real thread does between two accesses to shared memory belongs into one step.
 *
 *   const at = layout({ lock: 1, inside: 2 })
 *   const enter = (state, step) => { if (state[at.lock] === 0) step('take the lock', (next) => void (next[at.lock] = 1)) }
 *
 * What may be relied on: states are compared byte by byte, never by their hash alone, so a search that ends has seen
 * everything. A model whose states never repeat along a run and which is never stuck before it is final always
 * ends well, so `explore` checks progress too, without any assumption of fairness.
 *
 * What not: a byte holds 0 … 255 and wraps silently; a model counts small things only.
 */

export type State = Uint8Array

/** Offers one step: `change` turns a copy of the state into the next one, and may return what is wrong with making it. */
export type OfferStep = (label: string, change: (next: State) => string | void) => void

export type Process = (state: State, step: OfferStep) => void

export interface Model {
  readonly name: string
  readonly initial: State
  readonly processes: Readonly<Record<string, Process>>
  /** What is wrong with a state, if anything. Asked once for each state. */
  readonly violation: (state: State) => string | undefined
  /** Whether a state in which nobody can step is a good end. */
  readonly isFinal: (state: State) => boolean
  /** Processes that nobody may count on, such as one that kills: a state in which only they can step is an end as well. */
  readonly misfortunes?: readonly string[]
}

export interface Counterexample {
  readonly kind: 'violation' | 'deadlock' | 'livelock'
  readonly message: string
  /** One line for each step from the initial state: `process: label`. */
  readonly trace: readonly string[]
}

export interface Exploration {
  readonly states: number
  readonly steps: number
  /** Steps on the longest of the shortest ways from the initial state. */
  readonly depth: number
  readonly counterexample: Counterexample | undefined
}

/** Gives names to the bytes of a state: `layout({ head: 2, tail: 1 })` is `{ head: 0, tail: 2, bytes: 3 }`. */
export function layout<const F extends Readonly<Record<string, number>>>(fields: F): Readonly<Record<keyof F | 'bytes', number>> {
  const offsets: Record<string, number> = {}
  let bytes = 0
  for (const [name, length] of Object.entries(fields)) {
    offsets[name] = bytes
    bytes += length
  }
  offsets.bytes = bytes
  return offsets as Record<keyof F | 'bytes', number> // every key of F was visited above
}

/** Explores a model whole, or up to its first counterexample. Throws when there are more than `maxStates`: then nothing is proven. */
export function explore(model: Model, maxStates = 4_000_000): Exploration {
  const seen = new StateSet(model.initial.length)
  const edges = new Edges()
  const next = new Uint8Array(model.initial.length)
  let steps = 0
  let depth = 0
  let levelEnd = 1
  const found = (counterexample: Counterexample | undefined): Exploration => ({ states: seen.size, steps, depth, counterexample })

  seen.add(model.initial, -1)
  const broken = model.violation(model.initial)
  if (broken !== undefined) return found({ kind: 'violation', message: broken, trace: [] })

  for (let index = 0; index < seen.size; index++) {
    if (index === levelEnd) {
      depth++
      levelEnd = seen.size
    }
    const state = seen.copy(index)
    let offered = 0
    let dependable = 0
    const wrongs: { step: string; message: string }[] = []
    for (const [process, run] of Object.entries(model.processes)) {
      run(state, (label, change) => {
        offered++
        if (model.misfortunes?.includes(process) !== true) dependable++
        if (wrongs.length > 0) return
        next.set(state)
        const objection = change(next)
        const known = seen.size
        const child = seen.add(next, index)
        edges.add(child)
        const message = objection ?? (child === known ? model.violation(next) : undefined)
        if (message !== undefined) wrongs.push({ step: `${process}: ${label}`, message })
      })
    }
    const [wrong] = wrongs
    if (wrong !== undefined) return found({ kind: 'violation', message: wrong.message, trace: [...trace(model, seen, index), wrong.step] })
    if (dependable === 0 && !model.isFinal(state)) {
      return found({ kind: 'deadlock', message: 'nobody can step, and the work is not done', trace: trace(model, seen, index) })
    }
    if (seen.size > maxStates) throw new Error(`${model.name}: more than ${maxStates} states, not explored whole`)
    steps += offered
    edges.endOfState()
  }
  const circle = edges.findCircle(seen.size)
  if (circle === undefined) return found(undefined)
  const round = circle.map((from, i) => `round: ${labelOf(model, seen, from, circle[(i + 1) % circle.length]!)}`)
  return found({ kind: 'livelock', message: 'these steps can repeat forever', trace: [...trace(model, seen, circle[0]!), ...round] })
}

/** A counterexample as text: the numbered steps, then what is wrong. */
export function printCounterexample({ kind, message, trace: lines }: Counterexample): string {
  return [...lines.map((line, i) => `${String(i + 1).padStart(3)}  ${line}`), `${kind}: ${message}`].join('\n')
}

/** The steps from the initial state to the state at `index`, along the parents. */
function trace(model: Model, seen: StateSet, index: number): string[] {
  const lines: string[] = []
  for (let child = index; seen.parentOf(child) >= 0; child = seen.parentOf(child)) {
    lines.push(labelOf(model, seen, seen.parentOf(child), child))
  }
  return lines.reverse()
}

/** Finds the label of a step by making all steps of `parent` again: labels are not kept. */
function labelOf(model: Model, seen: StateSet, parent: number, child: number): string {
  const state = seen.copy(parent)
  const wanted = seen.copy(child)
  const next = new Uint8Array(state.length)
  let found = '?'
  for (const [process, run] of Object.entries(model.processes)) {
    run(state, (label, change) => {
      next.set(state)
      change(next)
      if (next.every((byte, i) => byte === wanted[i])) found = `${process}: ${label}`
    })
  }
  return found
}

/** All states seen, in the order found, one after the other in one array, and an open-addressing index over it. */
class StateSet {
  size = 0
  readonly #bytes: number
  #arena: Uint8Array
  #parents = new Int32Array(1 << 12)
  #slots = new Int32Array(1 << 13).fill(-1)

  constructor(bytes: number) {
    this.#bytes = bytes
    this.#arena = new Uint8Array(bytes << 12)
  }

  /** The index of `state`, which is new exactly if the index is the size that the set had before. */
  add(state: State, parent: number): number {
    const mask = this.#slots.length - 1
    let slot = hash(state, 0, this.#bytes) & mask
    for (let index = this.#slots[slot]!; index >= 0; index = this.#slots[slot]!) {
      if (this.#equals(index, state)) return index
      slot = (slot + 1) & mask
    }
    if (this.size === this.#parents.length) this.#grow()
    this.#slots[slot] = this.size
    this.#arena.set(state, this.size * this.#bytes)
    this.#parents[this.size] = parent
    this.size++
    if (this.size * 2 > this.#slots.length) this.#rehash()
    return this.size - 1
  }

  copy(index: number): State {
    return this.#arena.slice(index * this.#bytes, (index + 1) * this.#bytes)
  }

  parentOf(index: number): number {
    return this.#parents[index]!
  }

  #equals(index: number, state: State): boolean {
    const base = index * this.#bytes
    for (let i = 0; i < this.#bytes; i++) if (this.#arena[base + i] !== state[i]) return false
    return true
  }

  #grow(): void {
    const arena = new Uint8Array(this.#arena.length * 2)
    arena.set(this.#arena)
    this.#arena = arena
    const parents = new Int32Array(this.#parents.length * 2)
    parents.set(this.#parents)
    this.#parents = parents
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2).fill(-1)
    const mask = slots.length - 1
    for (let index = 0; index < this.size; index++) {
      let slot = hash(this.#arena, index * this.#bytes, this.#bytes) & mask
      while (slots[slot]! >= 0) slot = (slot + 1) & mask
      slots[slot] = index
    }
    this.#slots = slots
  }
}

/** FNV-1a with a last mix, since the low bits pick the slot. */
function hash(bytes: Uint8Array, from: number, length: number): number {
  let sum = 0x811c9dc5
  for (let i = from; i < from + length; i++) sum = Math.imul(sum ^ bytes[i]!, 0x01000193)
  return (sum ^ (sum >>> 15)) >>> 0
}

/** The steps between states, by the index of the state they start from, in the order in which states were expanded. */
class Edges {
  #targets = new Int32Array(1 << 13)
  #count = 0
  #starts = new Int32Array(1 << 12)
  #expanded = 0

  add(target: number): void {
    if (this.#count === this.#targets.length) this.#targets = doubled(this.#targets)
    this.#targets[this.#count++] = target
  }

  endOfState(): void {
    if (this.#expanded + 1 === this.#starts.length) this.#starts = doubled(this.#starts)
    this.#starts[++this.#expanded] = this.#count
  }

  /** States that lead round to the first of them, found by a depth-first walk from state 0. */
  findCircle(states: number): number[] | undefined {
    const cursor = this.#starts.slice(0, states)
    const path = new Int32Array(states + 1)
    const mark = new Uint8Array(states) // 1: on the path, 2: finished
    let length = 1
    mark[0] = 1
    while (length > 0) {
      const at = path[length - 1]!
      if (cursor[at] === this.#starts[at + 1]) {
        mark[at] = 2
        length--
        continue
      }
      const target = this.#targets[cursor[at]!++]!
      if (mark[target] === 1) return [...path.subarray(path.indexOf(target), length)]
      if (mark[target] === 0) {
        mark[target] = 1
        path[length++] = target
      }
    }
    return undefined
  }
}

function doubled(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2)
  larger.set(array)
  return larger
}
