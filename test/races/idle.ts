/**
 * What a node with a cache costs when nothing happens, how long it takes to start, and that nothing of it keeps the process
 * alive when it has stopped. Each in a process of its own.
 *
 *     node dist/test/races/idle.js --seconds 5 --starts 7 --limitMs 300
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { IdleAnswer } from './idle-process.js'
import { median, percentiles, runScript, Violations, type Outcome } from './script.js'

const MOST_SHARE = 0.01
/** From the answer, which comes before the stop, to the end of the process. */
const EXIT_MS = 5000

export interface IdleParameters extends Record<string, number> {
  seconds: number
  starts: number
  /** What the median start may take. */
  limitMs: number
}

export async function idle({ seconds, starts, limitMs }: IdleParameters): Promise<Outcome> {
  const violations = new Violations()
  const took: number[] = []
  const exits: number[] = []
  for (let start = 0; start < starts; start++) {
    const { answer, exitMs } = await run(0, violations)
    took.push(answer.startMs)
    exits.push(exitMs)
  }
  violations.check(median(took) <= limitMs, () => `a cache with two shards started in ${median(took).toFixed(0)} ms, more than ${limitMs}`)
  const { answer: { shareNew, shareAfter }, exitMs } = await run(seconds, violations)
  exits.push(exitMs)
  for (const [when, share] of [['a new node', shareNew], ['a node that was busy', shareAfter]] as const) {
    violations.check(share < MOST_SHARE, () => `${when} uses ${inPercent(share)} of a core when nothing happens`)
  }
  return { figures: { start: percentiles(took), 'idle, new': inPercent(shareNew), 'idle, after work': inPercent(shareAfter), 'stop and exit': percentiles(exits) }, violations: violations.list }
}

async function run(seconds: number, violations: Violations): Promise<{ answer: IdleAnswer; exitMs: number }> {
  const child = fork(new URL('./idle-process.js', import.meta.url), [String(seconds)])
  const exited = once(child, 'exit') as Promise<[number | null]>
  const [answer] = await Promise.race([once(child, 'message') as Promise<[IdleAnswer]>, exited.then(([code]): never => { throw new Error(`the process ended with ${code} before it answered`) })])
  const answered = performance.now()
  const hangs = setTimeout(() => {
    violations.add(`the process was still there ${EXIT_MS} ms after its cache was to stop`)
    child.kill('SIGKILL')
  }, EXIT_MS)
  const [code] = await exited
  clearTimeout(hangs)
  violations.check(code === 0 || code === null, () => `the process ended with ${code}`)
  return { answer, exitMs: performance.now() - answered }
}

function inPercent(share: number): string {
  return `${(share * 100).toFixed(2)}%`
}

await runScript(import.meta.url, { seconds: 5, starts: 7, limitMs: 300 }, idle)
