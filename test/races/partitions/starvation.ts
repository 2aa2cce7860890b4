/**
 * How long the threads of a process were ready to run and had no core: what other processes of the machine take cannot be told from slowness otherwise,
 * and is no fault of who is judged. Linux counts it for each thread, in nanoseconds (the second number of `schedstat`). A process that is stopped
 * by a signal, waits, or works is not counted.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { nowMs } from './diary.js'

/** The thread that got least lost that much in that time. */
export interface Starved {
  readonly node: string
  readonly fromMs: number
  readonly toMs: number
  readonly lostMs: number
}

const EVERY_MS = 50
/** Less is what every process has to bear. */
const LEAST_MS = 10

/** Watches this process. */
export function watchStarvation(tell: (starved: Omit<Starved, 'node'>) => void): void {
  let fromMs = nowMs()
  let before = waits()
  setInterval(() => {
    const toMs = nowMs()
    const now = waits()
    const lostMs = Math.max(...[...now].map(([thread, ms]) => ms - (before.get(thread) ?? 0)))
    if (lostMs >= LEAST_MS) tell({ fromMs, toMs, lostMs })
    before = now
    fromMs = toMs
  }, EVERY_MS)
}

function waits(): Map<string, number> {
  return new Map(readdirSync('/proc/self/task').map((thread) => {
    try {
      return [thread, Number(readFileSync(`/proc/self/task/${thread}/schedstat`, 'latin1').split(' ')[1]) / 1e6]
    } catch {
      // It has just ended.
      return [thread, 0]
    }
  }))
}

/** What was lost between two moments, by that node or, without a name, by all of them together. */
export function lostMs(starved: readonly Starved[], fromMs: number, toMs: number, node?: string): number {
  return starved.filter((each) => (node === undefined || each.node === node) && each.toMs > fromMs && each.fromMs < toMs).reduce((sum, each) => sum + each.lostMs, 0)
}
