/** Functions for tests of transactions: what a test wants done inside is told as data, and gates are keys of another cache. */
import { defineFunctions, getCache, ignore, type Transaction } from 'scatterhoard'
import { setTimeout as sleep } from 'node:timers/promises'
import { thrownBy } from '../functions.js'

type Inside = Record<string, ((...args: unknown[]) => Promise<unknown>) | undefined>

/** A step is the name of an action and its arguments. */
export type Step = readonly [string, ...unknown[]]

/** What is done besides actions, by name. */
const DOINGS: Record<string, (...args: never[]) => unknown> = {
  throw: (kind: string) => { throw thrownBy(kind) },
  hang: () => { for (;;); },
  never: () => new Promise(() => undefined),
  exit: (code: number) => process.exit(code),
  /** Opens a gate. */
  open: (gate: string) => getCache('gates').put(gate, true),
  /** Waits until a gate is open. */
  wait: async (gate: string) => {
    while (!getCache('gates').existsSync(gate)) await sleep(1)
    return true
  },
}

async function perform(tx: Transaction<unknown>, [name, ...args]: Step): Promise<unknown> {
  const doing = Object.hasOwn(DOINGS, name) ? DOINGS[name] as ((...args: unknown[]) => unknown) : undefined
  if (doing !== undefined) return doing(...args)
  const inside = tx as unknown as Inside
  return inside[name]!(...args)
}

export const inside = defineFunctions('inside', import.meta.url, {
  /** Performs the steps one after the other; what each resolved with. */
  steps: async (tx: Transaction<unknown>, ...steps: Step[]) => {
    const results: unknown[] = []
    for (const step of steps) results.push(await perform(tx, step))
    return results
  },
  /** The code of the error that each step fails with, `undefined` for one that does not. */
  codes: async (tx: Transaction<unknown>, ...steps: Step[]) => {
    const codes: unknown[] = []
    for (const step of steps) codes.push(await perform(tx, step).then(() => undefined, (error: unknown) => (error as { code?: unknown }).code))
    return codes
  },
  /** Begins the steps all at once and waits for none. */
  careless: (tx: Transaction<unknown>, ...steps: Step[]) => {
    for (const step of steps) void perform(tx, step)
    return 'returned'
  },
  /** Uses the transaction after its end. */
  later: (tx: Transaction<unknown>, gate: string, step: Step) => {
    void (async () => {
      await perform(tx, ['wait', gate])
      const code: unknown = await perform(tx, step).then(() => 'none', (error: unknown) => (error as { code?: unknown }).code)
      await getCache('gates').put(`${gate} answered`, code)
    })()
    return 'returned'
  },
  /** Says how often it was begun, and waits for a gate the first time. */
  attempts: async (tx: Transaction<unknown>, key: string, gate: string) => {
    const attempt = await getCache<number>('gates').incr('attempts')
    await tx.put(key, attempt)
    if (attempt === 1) await perform(tx, ['wait', gate])
    return attempt
  },
  echo: (_tx: Transaction<unknown>, ...args: unknown[]) => args,
  nothing: () => undefined,
  ignored: () => ignore(5),
  sum: async (tx: Transaction<number>, keys: string[]) => (await tx.getMany(keys)).reduce<number>((total, value) => total + (value ?? 0), 0),
  transfer: async (tx: Transaction<number>, from: string, to: string, amount: number) => {
    await tx.decr(from, amount)
    await tx.incr(to, amount)
  },
})
