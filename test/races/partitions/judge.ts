/**
 * Judges what the nodes of a cache were told while one of them was killed, stopped or cut off: every call was settled in time, and every value read was
 * written for that key, by a write that can have happened, and is no older than a write that binds the read. A write binds a read if it was acknowledged before
 * that began, and
 *
 * - with a router that does not follow nodes, always: there is one copy. The key may be missing afterwards if its owner was killed meanwhile.
 * - with one that does, while a node is apart (a disturbance: two sides, each with owners for all keys) only those who are on its writer's side. Afterwards what lies with
 *   the key's owner, in the eyes of all, is what stays: a write of the owner's side binds everybody, one of the other side nobody any more. The key may
 *   be missing to those who are apart from its owner, and to all if that was killed.
 */
import { Violations } from '../script.js'
import type { Call } from './diary.js'
import { lostMs, type Starved } from './starvation.js'
import type { Disturbance, Fault } from './views.js'

export interface History {
  readonly calls: readonly Call[]
  /** Whether the router follows nodes. */
  readonly follows: boolean
  /** The owner of each key when all nodes are up. */
  readonly homes: Readonly<Record<string, string>>
  readonly disturbances: readonly Disturbance[]
  readonly faults: readonly Fault[]
  readonly starved: readonly Starved[]
}

export interface Judgement {
  readonly violations: Violations
  readonly figures: Readonly<Record<string, number>>
}

/** How much later than its deadline a call may be settled. */
export const LATE_MS = 500

/** What a call may fail with while nodes come and go. */
const ENDINGS = ['ERR_TIMEOUT', 'ERR_NODE_DOWN', 'ERR_NO_CACHE']

export function judge(history: History): Judgement {
  const violations = new Violations()
  const count: Record<string, number> = { calls: 0, failed: 0, acknowledged: 0, reads: 0, 'reads that a write binds': 0, 'the latest, in ms': 0 }
  const byKey = new Map<string, { reads: Call[]; writes: Call[] }>()
  for (const call of history.calls) {
    count['calls']!++
    const late = lateness(call, history)
    if (late > LATE_MS) violations.add(call.ending === 'open' ? `${show(call)} was never settled` : `${show(call)} was settled ${late.toFixed(0)} ms after its deadline`)
    else count['the latest, in ms'] = Math.max(count['the latest, in ms']!, Math.round(late))
    const of = byKey.get(call.key) ?? { reads: [], writes: [] }
    byKey.set(call.key, of)
    if (call.kind === 'write') of.writes.push(call)
    else if (call.ending === 'done') of.reads.push(call)
    if (call.ending === 'done') count[call.kind === 'write' ? 'acknowledged' : 'reads']!++
    else if (call.ending !== 'open') {
      count['failed']!++
      violations.check(ENDINGS.includes(call.ending.split(' ')[0]!), () => `${show(call)} failed with ${call.ending}`)
    }
  }
  for (const { reads, writes } of byKey.values()) {
    writes.sort((a, b) => a.number - b.number)
    const known = new Map(writes.map((write) => [write.number, write]))
    for (const read of reads) {
      const wrong = judgeRead(read, known, writes, history, () => count['reads that a write binds']!++)
      if (wrong !== undefined) violations.add(`${show(read)} ${wrong}`)
    }
  }
  return { violations, figures: count }
}

function judgeRead(read: Call, known: ReadonlyMap<number, Call>, writes: readonly Call[], history: History, onBound: () => void): string | undefined {
  const write = known.get(read.number)
  if (read.number !== 0) {
    if (write === undefined || write.startMs > read.endMs) return 'read what was never written there'
    if (write.ending.endsWith(' none')) return `read a write that had failed as not having happened: ${show(write)}`
  }
  const binding = writes.findLast((other) => other.ending === 'done' && other.endMs < read.startMs && binds(other, read, history))
  if (binding === undefined) return undefined
  onBound()
  if (read.number >= binding.number) return undefined
  if (read.number !== 0) return `read the older ${show(write!)} though ${show(binding)} was acknowledged`
  return mayBeMissing(binding, read, history) ? undefined : `read nothing though ${show(binding)} was acknowledged`
}

function binds(write: Call, read: Call, { follows, homes, disturbances }: History): boolean {
  if (!follows) return true
  const owner = homes[write.key]!
  return disturbances.every((disturbance) => {
    if (!touches(write, disturbance)) return true
    const { sides, mendedMs, fromMs } = disturbance
    const together = sides[read.node] === sides[write.node]
    if (touches(read, disturbance) && !together) return false
    if (sides[write.node] === sides[owner]) return true
    return together && read.startMs >= fromMs && read.endMs <= mendedMs
  })
}

function mayBeMissing(write: Call, read: Call, { follows, homes, disturbances, faults }: History): boolean {
  const owner = homes[read.key]!
  if (faults.some(({ node, died, fromMs }) => died && node === owner && fromMs >= write.startMs && fromMs <= read.endMs)) return true
  return follows && disturbances.some((disturbance) => touches(read, disturbance) && disturbance.sides[read.node] !== disturbance.sides[owner])
}

function touches({ startMs, endMs }: Call, { fromMs, calmMs }: Disturbance): boolean {
  return startMs <= calmMs && endMs >= fromMs
}

/** How long after its deadline it was settled. Who died with it open need not have settled it, and who stood still or had no core had less time. */
function lateness({ node, startMs, endMs, timeoutMs }: Call, { faults, starved }: History): number {
  const own = faults.filter((fault) => fault.node === node)
  if (endMs === Infinity) return own.some(({ died, fromMs }) => died && fromMs >= startMs - CLOCK_MS && fromMs <= startMs + timeoutMs + LATE_MS) ? 0 : Infinity
  const stoodMs = own.filter(({ stood }) => stood).reduce((sum, { fromMs, healedMs }) => sum + Math.max(0, Math.min(endMs, healedMs) - Math.max(startMs, fromMs)), 0)
  const late = Math.max(0, endMs - startMs - timeoutMs - stoodMs)
  return late <= LATE_MS ? late : Math.max(0, late - lostMs(starved, startMs, endMs, node))
}

/** A process lives on for a moment after the moment that was noted for its end. */
const CLOCK_MS = 200

function show({ node, kind, key, number, startMs, endMs }: Call): string {
  return `${kind} ${kind === 'write' ? `${number} ` : ''}of ${key} by ${node} (${startMs.toFixed(1)} to ${endMs.toFixed(1)})`
}
