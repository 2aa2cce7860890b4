/**
 * Timed slices: each runs an operation again and again for about `ms` and returns one number, operations a second or
 * milliseconds an operation. A slice that reads adds up what it read and fails when the sum is not what it must be, which
 * both proves the reads and keeps the compiler from removing them.
 */
import { WALK_MASK } from './data.js'

/** Operations between two looks at the clock. */
export const BATCH = 256

/** Does `BATCH` operations from this position of the walk on; returns the sum of the lengths read. */
export type SyncBatch = (from: number) => number
export type AsyncBatch = (from: number) => Promise<number>

function check(sum: number, operations: number, lengthEach: number): void {
  if (sum !== operations * lengthEach) throw new Error(`read ${sum} characters where ${operations * lengthEach} were stored: some reads missed`)
}

/** Operations a second of synchronous calls, one after the other. */
export function rateSync(ms: number, lengthEach: number, batch: SyncBatch): number {
  let operations = 0
  let sum = 0
  const start = performance.now()
  let now = start
  while (now - start < ms) {
    sum += batch(operations & WALK_MASK)
    operations += BATCH
    now = performance.now()
  }
  check(sum, operations, lengthEach)
  return (operations / (now - start)) * 1000
}

/** Operations a second of awaited calls, one after the other. */
export async function rateAwaited(ms: number, lengthEach: number, batch: AsyncBatch): Promise<number> {
  let operations = 0
  let sum = 0
  const start = performance.now()
  let now = start
  while (now - start < ms) {
    sum += await batch(operations & WALK_MASK)
    operations += BATCH
    now = performance.now()
  }
  check(sum, operations, lengthEach)
  return (operations / (now - start)) * 1000
}

/** Operations a second with `window` of them in flight all the time: as soon as one settles, the next one starts. */
export async function rateInFlight(ms: number, window: number, operation: (step: number) => Promise<unknown>): Promise<number> {
  let started = 0
  let open = true
  const start = performance.now()
  const lane = async (): Promise<void> => {
    while (open) {
      const step = started++
      await operation(step & WALK_MASK)
      if ((step & 63) === 0 && performance.now() - start >= ms) open = false
    }
  }
  await Promise.all(Array.from({ length: window }, lane))
  return (started / (performance.now() - start)) * 1000
}

/** The median of the milliseconds that single operations took, each started when the one before had settled. */
export async function medianLatency(ms: number, operation: (step: number) => Promise<unknown>): Promise<number> {
  const took: number[] = []
  const start = performance.now()
  let before = start
  while (before - start < ms) {
    await operation(took.length & WALK_MASK)
    const after = performance.now()
    took.push(after - before)
    before = after
  }
  return median(took)
}

/** The middle value, or the mean of the middle two; `NaN` of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length % 2 === 1) return sorted[middle]!
  return (sorted[middle - 1]! + sorted[middle]!) / 2
}
