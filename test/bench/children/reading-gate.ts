/**
 * What the main thread and the reading thread share.
 *
 *   word 0  open     1 while the thread works    written by the main thread, read by the reading thread
 *   word 1  batches  done so far                 written by the reading thread, read by the main thread
 */

export const GATE_OPEN = 0
export const GATE_BATCHES = 1
export const GATE_BYTES = 8

/** `count` touches no memory that is shared: two threads that count tell whether two cores are free. */
export type Work = 'read' | 'count'

export interface ReadingThreadData {
  readonly descriptor: unknown
  readonly gate: SharedArrayBuffer
}

const COUNT_STEPS = 20_000
let counted = 0

/** A little arithmetic in registers. */
export function countOneBatch(): void {
  let x = counted | 1
  for (let i = 0; i < COUNT_STEPS; i++) x = (Math.imul(x, 1664525) + 1013904223) | 0
  counted = x
}
