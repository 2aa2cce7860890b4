/**
 * What a law of the actions is: it holds whichever way they are called. It gets a way to call for each of three empty caches: without a default
 * expiry, with 1 minute of default expiry (`timed`), and with `lazy: false` (`eager`).
 */
import { expect } from 'chai'
import type { Key } from 'scatterhoard'

export type Call = (name: string, ...args: unknown[]) => Promise<unknown>

export interface Setting {
  plain: Call
  timed: Call
  eager: Call
  /** Everything that a stream of one of them yields. */
  stream(cache: 'plain' | 'timed' | 'eager', options: object): Promise<unknown[]>
  /** Moves the clock of all threads. */
  readonly advance: (ms: number) => Promise<void>
  now(): number
  /** A key for a name. All such keys live on one node, as those of one `putMany` and of one transaction have to. */
  readonly together: (name: string | number) => Key
  /** What becomes of a value on its way to a cache and back, besides what the cache does: a copy by the platform where it comes from another thread. */
  sent(value: unknown): unknown
}

export interface Law {
  promise: string
  readonly hold: (setting: Setting) => Promise<void>
}

export interface Times {
  value: unknown
  modified: number
  expires: number | null
}

export const MINUTE = 60_000

export async function times(call: Call, key: unknown): Promise<Times> {
  const entry = await call('inspect', ['entry', key]) as Times | undefined
  if (entry === undefined) throw new Error(`no entry ${String(key)}`)
  return entry
}

/** Within a millisecond: times are whole. */
export function expectTime(actual: number | null | undefined, expected: number): void {
  expect(actual).to.be.within(Math.floor(expected) - 1, Math.ceil(expected) + 1)
}

/** Runs an action and says what it changed of an entry's times. */
export async function changes(setting: Setting, call: Call, key: unknown, act: () => Promise<unknown>): Promise<{ result: unknown; modified: boolean; expires: boolean }> {
  const before = await times(call, key)
  await setting.advance(1000)
  const result = await act()
  const after = await times(call, key)
  if (after.modified !== before.modified) expectTime(after.modified, setting.now())
  return { result, modified: after.modified !== before.modified, expires: after.expires !== before.expires }
}

export function onKey(call: Call, name: string, key: unknown, args: unknown[]): Promise<unknown> {
  return name.endsWith('Many') ? call(name, [key], ...args) : call(name, key, ...args)
}

