/**
 * Rounds. On a shared machine an absolute figure moves by a third from run to run, so contestants are timed in turns: each
 * runs one slice a round, and each round begins with another one. A figure is the
 * median over the rounds. A ratio is that of two medians; the median of the rounds' own ratios stands beside it, and where
 * the two disagree, the machine was not steady.
 */
import { median } from './measure.js'
import type { Row, Target } from './table.js'

export interface Contestant {
  readonly name: string
  /** Runs for about `ms` and returns what was measured. */
  slice(ms: number): number | Promise<number>
}

export interface Pace {
  /** At least 5. */
  readonly rounds: number
  readonly sliceMs: number
}

/** What each contestant measured, by name, in the order of the rounds. */
export type Results = ReadonlyMap<string, readonly number[]>

/** Warms every contestant up with one slice that does not count, then runs the rounds. */
export async function runRounds(contestants: readonly Contestant[], pace: Pace): Promise<Results> {
  const results = new Map<string, number[]>()
  for (const contestant of contestants) {
    if (results.has(contestant.name)) throw new Error(`two contestants are named '${contestant.name}'`)
    results.set(contestant.name, [])
    await contestant.slice(pace.sliceMs)
  }
  for (let round = 0; round < pace.rounds; round++) {
    for (let turn = 0; turn < contestants.length; turn++) {
      const contestant = contestants[(round + turn) % contestants.length]!
      results.get(contestant.name)!.push(await contestant.slice(pace.sliceMs))
    }
  }
  return results
}

/** The median of the ratios within each round. */
export function medianOfRatios(ours: readonly number[], theirs: readonly number[]): number {
  return median(ours.slice(0, theirs.length).map((value, round) => value / theirs[round]!))
}

export interface Comparison {
  readonly figure: string
  readonly unit: Row['unit']
  readonly ours: string
  /** Left out of the run (a server that is not there): the row shows ours alone. */
  readonly peer: string
  /** Of the ratio ours / peer. Absent: the row only informs. */
  readonly target?: Target
}

/** One row of the table: two contestants of the same rounds. */
export function compare(results: Results, comparison: Comparison): Row {
  const { figure, unit, target } = comparison
  const ours = results.get(comparison.ours)
  const theirs = results.get(comparison.peer)
  const row: Row = { figure, unit, peer: comparison.peer, ...(target && { target }) }
  if (ours) row.ours = median(ours)
  if (theirs) row.theirs = median(theirs)
  if (ours && theirs) {
    row.ratio = median(ours) / median(theirs)
    row.pairedRatio = medianOfRatios(ours, theirs)
    if (target) row.met = meets(row.ratio, target)
  }
  return row
}

/** One row of a figure that is measured against a number instead of a peer. */
export function against(figure: string, unit: Row['unit'], ours: number, target: Target, detail?: string): Row {
  return { figure, unit, ours, target, met: meets(ours, target), ...(detail !== undefined && { detail }) }
}

export function meets(value: number, target: Target): boolean {
  return 'atLeast' in target ? value >= target.atLeast : value <= target.atMost
}
