/** What nodes saw of each other in the course of a run: when they agreed, when they had to be apart, and when they were without anybody's doing. */

/** From that moment on a node takes these others to be up. */
export interface Seen {
  readonly node: string
  readonly atMs: number
  readonly up: readonly string[]
  /** For each router, who owns keys. */
  readonly owners: readonly string[]
}

/** What was done to a node. */
export interface Fault {
  readonly node: string
  readonly fromMs: number
  /** When something passed again for the first time. */
  readonly mendedMs: number
  /** From then on all is well with the network and the processes. */
  readonly healedMs: number
  /** Its process was killed at `fromMs`, and another one started. */
  readonly died: boolean
  /** Its process stood still from `fromMs` to `healedMs`. */
  readonly stood: boolean
}

/** A time in which nodes need not see the same. */
export interface Disturbance {
  readonly fromMs: number
  /** Until then the sides were apart: nobody of one met the other. */
  readonly mendedMs: number
  /** Since then all nodes have seen all nodes, and the same owners. */
  readonly calmMs: number
  /** By node: who has the same name here was together throughout. */
  readonly sides: Readonly<Record<string, string>>
}

export interface Views {
  readonly disturbances: readonly Disturbance[]
  /** For each fault: how long after it had been healed all nodes took all others to be up, for good. */
  readonly agreedAfterMs: readonly number[]
  /** Faults in which a node that was apart was seen to be down. */
  readonly noticed: number
  /** How often nodes lost each other that nothing had been done to. */
  readonly surprises: number
}

/**
 * @param sinceMs from when on all is looked at: by then all nodes have seen each other
 * @param untilMs the end of the run
 */
export function viewsOf(names: readonly string[], seen: readonly Seen[], faults: readonly Fault[], failureMs: number, sinceMs: number, untilMs: number): Views {
  const isUp = ({ node, up }: Seen): boolean => names.every((name) => name === node || up.includes(name))
  const isFull = (view: Seen): boolean => isUp(view) && view.owners.length > 0 && view.owners.every((owners) => owners === String(names))
  const apart = (holds: (view: Seen) => boolean): Span[] => spans(names, seen, faults, holds, untilMs).filter(({ toMs }) => toMs > sinceMs)
  const [unlike, unseen] = [apart(isFull), apart(isUp)]
  const together = (node: string): Record<string, string> => Object.fromEntries(names.map((name) => [name, name === node ? node : 'others']))
  const alone = Object.fromEntries(names.map((name) => [name, name]))

  // When it began is not known, nor who found whom again meanwhile.
  const unexpected = (fromMs: number, calmMs: number): Omit<Disturbance, 'sides'> => ({ fromMs: fromMs - 2 * failureMs, mendedMs: fromMs - 2 * failureMs, calmMs })

  let surprises = 0
  const disturbances: Disturbance[] = faults.map(({ node, fromMs, mendedMs, healedMs }) => {
    const quietMs = healedMs + quietAfterMs(failureMs)
    const calmMs = unlike.filter((span) => span.fromMs <= quietMs && span.toMs > quietMs).reduce((last, { toMs }) => Math.max(last, toMs), quietMs)
    const isSurprise = ({ node: by, atMs, up }: Seen): boolean => by !== node && atMs >= fromMs && atMs <= calmMs && names.some((name) => name !== node && name !== by && !up.includes(name))
    const surprised = seen.some(isSurprise)
    if (surprised) surprises++
    return surprised ? { ...unexpected(fromMs, calmMs), sides: alone } : { fromMs, mendedMs, calmMs, sides: together(node) }
  })
  for (const { fromMs, toMs } of unlike) {
    if (disturbances.some((known) => fromMs >= known.fromMs && toMs <= known.calmMs)) continue
    surprises++
    disturbances.push({ ...unexpected(fromMs, toMs), sides: alone })
  }
  return {
    disturbances, surprises,
    agreedAfterMs: faults.map(({ healedMs }, index) => {
      const beforeMs = Math.min(healedMs + 2 * failureMs, faults[index + 1]?.fromMs ?? Infinity)
      return unseen.filter((span) => span.fromMs < beforeMs && span.toMs > healedMs).reduce((last, { toMs }) => Math.max(last, toMs - healedMs), 0)
    }),
    noticed: faults.filter(({ node, fromMs, healedMs }) => seen.some((view) => view.node !== node && view.atMs >= fromMs && view.atMs <= healedMs + failureMs && !view.up.includes(node))).length,
  }
}

/** So long after it was healed a fault may still be noticed. */
export function quietAfterMs(failureMs: number): number {
  return failureMs * 1.2
}

interface Span {
  readonly fromMs: number
  readonly toMs: number
}

/** When some node saw what does not hold, or nothing yet. */
function spans(names: readonly string[], seen: readonly Seen[], faults: readonly Fault[], holds: (view: Seen) => boolean, untilMs: number): Span[] {
  const changes = [
    ...seen.map((view) => ({ node: view.node, atMs: view.atMs, well: holds(view) })),
    ...faults.filter(({ died }) => died).map(({ node, fromMs }) => ({ node, atMs: fromMs, well: false })),
  ].sort((a, b) => a.atMs - b.atMs)
  const well = new Set<string>()
  const found: Span[] = []
  let openMs: number | undefined = -Infinity
  for (const { node, atMs, well: isWell } of changes) {
    if (isWell) well.add(node)
    else well.delete(node)
    if (well.size < names.length) openMs ??= atMs
    else if (openMs !== undefined) {
      found.push({ fromMs: openMs, toMs: atMs })
      openMs = undefined
    }
  }
  if (openMs !== undefined) found.push({ fromMs: openMs, toMs: untilMs })
  return found
}
