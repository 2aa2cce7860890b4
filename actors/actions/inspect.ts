/** On this node: reads counters in shared memory and asks the system thread; no shard is disturbed. */
import { invalidArgument, CacheError } from '../../runtime/errors.js'
import type { Key } from '../../runtime/codec/key.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import type { Caller } from '../calls/caller.js'
import { readTimeout } from '../../runtime/actor.js'
import { monotonicMs } from '../../runtime/clock.js'
import type { HookReport } from '../watching/hook.js'
import { TO_HOOKS } from '../watching/notice.js'
import { formatBytes } from '../options.js'
import { Patience } from '../calls/patience.js'
import { keyAt, scanEntries } from '../walks/walk.js'
import { sync } from './sync.js'
import { BUSY, MISSING } from '../../runtime/table/reader.js'
import type { TreeNode } from '../../runtime/supervision/supervision-tree.js'
import type { CacheConfig } from '../options.js'
import { SweepRecord, type JanitorRun } from '../shards/sweep-record.js'

/** What `inspect` can be asked, with its answers. */
export interface Inspections<V> {
  /** The options that the cache runs with. */
  cache: Omit<CacheConfig, 'seed'>
  /** The cache's part of the supervision tree. */
  tree: TreeNode
  shards: { shard: number; actor: string; entries: number; bytesUsed: number; capacityBytes: number }[]
  /** This thread's lanes to the shards. */
  mailboxes: { actor: string; outstanding: number; waiting: number; refused: number; dropped: number }[]
  /** With its times in milliseconds since 1970, also if it has expired and is not removed yet. */
  entry: { key: Key; value: V; modified: number; expires: number | null } | undefined
  /** How the hooks are doing, in the order of the options. */
  hooks: HookReport[]
  /** What the janitor did the last time; `undefined` before. */
  janitor: JanitorRun | undefined
}

/** All that `inspect` can be asked. */
export type What =
  | 'cache' | 'tree' | 'shards' | 'mailboxes' | 'hooks' | readonly ['memory', 'bytes' | 'text'] | readonly ['expired', 'count' | 'keys'] | readonly ['entry', Key] | readonly ['janitor', 'last']

/** The answer to one of them. */
export type Inspected<V, W> = W extends 'cache' | 'tree' | 'shards' | 'mailboxes' | 'hooks' ? Inspections<V>[W]
  : W extends readonly ['memory', 'bytes'] | readonly ['expired', 'count'] ? number
    : W extends readonly ['memory', 'text'] ? string
      : W extends readonly ['expired', 'keys'] ? Key[]
        : W extends readonly ['entry', unknown] ? Inspections<V>['entry']
          : W extends readonly ['janitor', 'last'] ? Inspections<V>['janitor'] : unknown

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Looks into the cache on this node: its options, its tree, its shards, this thread's mailboxes, its memory, an entry, what the janitor did.
     *
     * Errors: `ERR_JANITOR_DISABLED` for `['janitor', 'last']` with `expiration.interval: null`.
     *
     * @example
     * const entry = await users.inspect(['entry', 'ada'])
     * entry?.value.name                                 // → 'Ada'
     * entry?.expires                                    // → null
     * await users.inspect(['expired', 'count'])         // → 0
     * console.log(await users.inspect(['memory', 'text']), (await users.inspect('cache')).shards)
     */
    inspect(what: 'cache', options?: CallOptions): Promise<Inspections<V>['cache']>
    inspect(what: 'tree', options?: CallOptions): Promise<TreeNode>
    inspect(what: 'shards', options?: CallOptions): Promise<Inspections<V>['shards']>
    inspect(what: 'mailboxes', options?: CallOptions): Promise<Inspections<V>['mailboxes']>
    inspect(what: 'hooks', options?: CallOptions): Promise<Inspections<V>['hooks']>
    inspect(what: readonly ['memory', 'bytes'] | readonly ['expired', 'count'], options?: CallOptions): Promise<number>
    inspect(what: readonly ['memory', 'text'], options?: CallOptions): Promise<string>
    inspect(what: readonly ['expired', 'keys'], options?: CallOptions): Promise<Key[]>
    inspect(what: readonly ['entry', Key], options?: CallOptions): Promise<Inspections<V>['entry']>
    inspect(what: readonly ['janitor', 'last'], options?: CallOptions): Promise<Inspections<V>['janitor']>
  }
  interface SpecialMessages<V> {
    inspect: readonly ['inspect', What, CallOptions?]
  }
  interface SpecialReplies<V, M extends readonly unknown[]> {
    inspect: M extends readonly ['inspect', infer W, ...unknown[]] ? Inspected<V, W> : unknown
  }
}

type Look = (caller: Caller, argument: unknown, options: CallOptions | undefined) => unknown

/** What does not show entries: it has no writes of the caller to wait for. */
const WITHOUT_WAITING = new Set(['cache', 'tree', 'mailboxes', 'hooks', 'janitor'])

const LOOKS: ReadonlyMap<string, Look> = new Map<string, Look>([
  ['cache', ({ config: { seed: _seed, ...shown } }) => shown],
  ['tree', (caller) => treeOf(caller)],
  ['shards', ({ readers, description: { shards } }) => readers.map(({ entries, bytesUsed, capacityBytes }, shard) => ({
    shard, actor: shards[shard]!.address.id, entries, bytesUsed, capacityBytes,
  }))],
  ['mailboxes', ({ client, description: { id } }) => client.inspect().filter(({ actor }) => actor.startsWith(`${id}/`))],
  ['hooks', ({ watch }, _argument, options) => watch.ask(TO_HOOKS.inspect, undefined, readTimeout(options), options?.signal)],
  ['memory bytes', (caller) => memoryBytes(caller)],
  ['memory text', (caller) => formatBytes(memoryBytes(caller))],
  ['expired count', async (caller, _argument, options) => (await expiredKeys(caller, options)).length],
  ['expired keys', (caller, _argument, options) => expiredKeys(caller, options)],
  ['entry', (caller, key, options) => entryOf(caller, key, options)],
  ['janitor last', ({ description: { sweeps }, config: { name } }) => {
    if (sweeps === undefined) throw new CacheError('ERR_JANITOR_DISABLED', `cache '${name}' has no janitor; start it with another expiration.interval than null`, { cache: name })
    return new SweepRecord(sweeps).last()
  }],
])

export const inspect: Action = {
  name: 'inspect', writes: false, arity: 1, options: [],
  async call(caller, what: unknown, options?: CallOptions) {
    checkCallOptions(inspect, options)
    caller.refuseIfStopped()
    const [subject, argument, ...more] = Array.isArray(what) ? what as unknown[] : [what]
    const name = argument === undefined || subject === 'entry' ? subject : typeof argument === 'string' ? `${String(subject)} ${argument}` : undefined
    const look = typeof name === 'string' && more.length === 0 ? LOOKS.get(name) : undefined
    if (look === undefined) throw invalidArgument(`inspect knows ${[...LOOKS.keys()].map((name) => name.includes(' ') ? `['${name.replace(' ', '\', \'')}']` : name === 'entry' ? '[\'entry\', key]' : `'${name}'`).join(', ')}`)
    if (!WITHOUT_WAITING.has(subject as string)) await caller.settled(sync, options)
    return look(caller, argument, options)
  },
}

function memoryBytes({ readers }: Caller): number {
  return readers.reduce((total, { bytesUsed }) => total + bytesUsed, 0)
}

async function treeOf({ client, description: { id } }: Caller): Promise<TreeNode> {
  const root = await client.control<TreeNode>((api) => api.tree())
  const found = id.split('/').reduce<TreeNode | undefined>((node, part) => node?.children.find((child) => child.id === part), root)
  if (found === undefined) throw new CacheError('ERR_STOPPED', `${id} is not in the tree`)
  return found
}

async function expiredKeys(caller: Caller, options: CallOptions | undefined): Promise<unknown[]> {
  const now = caller.clock.now()
  const found: unknown[] = []
  await scanEntries(caller, { expired: true, patience: Patience.ofAll(options), everywhere: false }, (batch, index) => {
    const expires = batch.expires[index]!
    if (expires !== 0 && expires <= now) found.push(keyAt(batch, index))
  })
  return found
}

/** Value and times of one entry, expired or not. */
async function entryOf(caller: Caller, key: unknown, options: CallOptions | undefined): Promise<unknown> {
  const untilMs = monotonicMs() + readTimeout(options)
  for (;;) {
    caller.key(key)
    const reader = caller.readers[caller.shard]!
    const found = caller.locateAny()
    if (found === 0) return undefined
    const { modifiedAt, expiresAt } = reader
    const value = caller.readAny()
    if (value === MISSING) return undefined
    // Both looks have to have seen the same entry.
    if (found === 1 && value !== BUSY && caller.locateAny() === 1 && reader.modifiedAt === modifiedAt && reader.expiresAt === expiresAt) {
      return { key, value, modified: modifiedAt, expires: expiresAt === 0 ? null : expiresAt }
    }
    if (monotonicMs() >= untilMs) throw new CacheError('ERR_TIMEOUT', 'the entry was rewritten without pause all the while; give a longer timeout')
    await new Promise((resolve) => setImmediate(resolve))
  }
}
