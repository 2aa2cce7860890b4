/**
 * What every script of this folder is made of: it runs by itself with parameters (`node dist/test/races/shard-kills.js
 * --kills 1000`), prints its figures and ends with 1 if anything was violated, and a test runs it with few.
 */
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'

/** What a run found. */
export interface Outcome {
  readonly figures: Readonly<Record<string, number | string>>
  /** Promises that were broken, in words. None: the run passed. */
  readonly violations: readonly string[]
}

/** Collects what was violated, as many words as a person reads. */
export class Violations {
  readonly list: string[] = []
  count = 0

  add(what: string): void {
    this.count++
    if (this.list.length < 20) this.list.push(what)
    else if (this.list.length === 20) this.list.push('… and more')
  }

  check(holds: boolean, what: () => string): void {
    if (!holds) this.add(what())
  }
}

/** How long a process may live when its script is through. */
const EXIT_MS = 5000

/** Runs the script if its module is what the process was started with. Parameters are numbers or words; `--name value` changes them. */
export async function runScript<P extends Record<string, number | string>>(module: string, defaults: P, run: (parameters: P) => Promise<Outcome>): Promise<void> {
  if (process.argv[1] === undefined || fileURLToPath(module) !== process.argv[1]) return
  const options = Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, { type: 'string' as const, default: String(value) }]))
  const { values } = parseArgs({ options })
  const parameters = Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, typeof value === 'string' ? values[name] : Number(values[name])]))
  for (const [name, value] of Object.entries(parameters)) if (Number.isNaN(value)) throw new RangeError(`--${name} is a number`)
  console.log(parameters)
  const { figures, violations } = await run(parameters as P)
  console.log(figures)
  for (const violation of violations) console.log(`VIOLATED: ${violation}`)
  if (violations.length > 0) process.exitCode = 1
  // A process whose nodes have stopped exits by itself.
  setTimeout(() => {
    console.log('VIOLATED: the process does not exit by itself')
    process.exit(1)
  }, EXIT_MS).unref()
}

/** Throws what was violated: for tests. */
export function expectNone({ violations, figures }: Outcome): void {
  if (violations.length > 0) throw new Error([...violations, JSON.stringify(figures)].join('\n'))
}

/** Median, 99th percentile and maximum of milliseconds, in words. */
export function percentiles(times: readonly number[]): string {
  if (times.length === 0) return 'none'
  const sorted = [...times].sort((a, b) => a - b)
  const at = (share: number): string => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!.toFixed(1)
  return `median ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`
}

export function median(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[times.length >> 1] ?? NaN
}

/** A random number generator that can be repeated (mulberry32): whole numbers from 0 below `below`. */
export function randomOf(seed: number): (below: number) => number {
  let state = seed | 0
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296 * below)
  }
}
