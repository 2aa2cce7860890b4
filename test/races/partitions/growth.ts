/** Whether something that is measured after each round keeps growing. */
import { median } from '../script.js'

/** Fewer rounds than these say nothing. */
export const ROUNDS_TO_JUDGE = 15

/**
 * How much more the last third of the samples has than the second, by their medians: what the first third has is warming up. 0 if there are too few.
 */
export function growth(samples: readonly number[]): number {
  if (samples.length < ROUNDS_TO_JUDGE) return 0
  const third = Math.floor(samples.length / 3)
  return median(samples.slice(-third)) - median(samples.slice(third, -third))
}
