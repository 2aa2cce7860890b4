/**
 * What the main thread and a thread that works beside it share.
 *
 *   word 0  open     1 while the thread works    written by the main thread, read by the other one
 *   word 1  batches  done so far                 written by the other thread, read by the main thread
 */

export const GATE_OPEN = 0
export const GATE_BATCHES = 1
export const GATE_BYTES = 8

/** What the thread does while the gate is open. `count` touches no memory that is shared: it only keeps a core busy. */
export type Work = 'read' | 'write' | 'count'

const COUNT_STEPS = 20_000
let counted = 0

/** A little arithmetic in registers. */
export function countOneBatch(): void {
  let x = counted | 1
  for (let i = 0; i < COUNT_STEPS; i++) x = (Math.imul(x, 1664525) + 1013904223) | 0
  counted = x
}

/** Counts until the gate closes. */
export function countBehind(gate: Int32Array): void {
  while (Atomics.load(gate, GATE_OPEN) === 1) {
    countOneBatch()
    Atomics.add(gate, GATE_BATCHES, 1)
  }
}
