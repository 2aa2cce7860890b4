/** What the processes of these nodes are told, and what they tell; and whose keys there are. */

export interface NodeSetting {
  readonly name: string
  readonly names: readonly string[]
  readonly addresses: Readonly<Record<string, string>>
  /** A cache for each. */
  readonly routers: readonly string[]
  readonly failureMs: number
  /** A path. */
  readonly diary: string
  /** The first number of its writes is above it: beyond all of any earlier life. */
  readonly firstNumber: number
  readonly seed: number
}

/** `load` begins the load, `halt` ends it and is answered when all calls are settled. */
export type Order = 'load' | 'halt' | 'measure' | 'stop'

export type Report =
  | { readonly is: 'listening'; readonly atMs: number }
  | { readonly is: 'started'; readonly homes: Readonly<Record<string, string>> }
  | { readonly is: 'halted' }
  | { readonly is: 'failed'; readonly message: string }
  /** From now on it takes these others to be up; and for each router, these nodes to own keys. */
  | { readonly is: 'seen'; readonly atMs: number; readonly up: readonly string[]; readonly owners: readonly string[] }
  | { readonly is: 'starved'; readonly fromMs: number; readonly toMs: number; readonly lostMs: number }
  | { readonly is: 'measured'; readonly residentBytes: number }

/** The keys of the cache with that router. */
export function keysOf(router: string): string[] {
  return Array.from({ length: 60 }, (_, number) => `${router}-${number}`)
}

export function routerOf(key: string): string {
  return key.split('-')[0]!
}

/** Each key has one writer. */
export function writerOf(key: string, names: readonly string[]): string {
  return names[Number(key.split('-')[1]) % names.length]!
}
