/**
 * The options of nodes and caches, checked before anything starts: `ERR_INVALID_OPTION` names the option, the value
 * and what is allowed, also for a name that does not exist.
 */
import { availableParallelism } from 'node:os'
import { readBounds } from '../runtime/actor.js'
import { positiveDuration, type Duration } from '../runtime/duration.js'
import { functionsModuleUrl, type FunctionsModule } from '../runtime/functions.js'
import { DEFAULT_BOUNDS, type MailboxBounds } from '../runtime/mailbox/lane.js'
import { readBridge, type NodeBridge } from './cluster/bridge-address.js'
import { CLUSTER_NAMES, readClusterOptions, type ClusterConfig, type ClusterOptions } from './cluster/cluster-options.js'
import { readHooks, type HookConfig, type HookOptions } from './watching/hook-options.js'
import { readCommands, type CommandConfig, type CommandOptions } from './functions/command-options.js'
import { readLimit, type LimitConfig, type LimitOptions } from './shards/limit-option.js'
import { inside, invalidOption, numberWithin, or, ownOptions, trueOrFalse } from '../runtime/option-checks.js'
import { readSupervision, type SupervisionOptions, type SupervisorSpec } from '../runtime/supervision/supervisor-spec.js'
import { readWarmers, type WarmerConfig, type WarmerOptions } from './warmers/warmer-options.js'
import { MAX_TABLE_BYTES, MIN_TABLE_BYTES } from '../runtime/table/layout.js'

/** Bytes as a number, or a string with a 1024-based unit: `'64kb'`, `'256mb'`, `'1.5gb'`. */
export type Bytes = number | string

/** A module of functions: what `defineFunctions` returned, or the module's URL. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type FunctionsOption = FunctionsModule<any> | URL | string

export interface NodeOptions {
  /** Default `'node'`. */
  name?: string
  /** Threads that all shards of the node share. Default: cores − 1, at least 1. */
  shardThreads?: number
  /** The threads that run functions, and how many functions run at a time on each. Default `{ threads: 2, concurrency: 64 }`. */
  pool?: { threads?: number; concurrency?: number }
  /** Modules of functions for every cache of the node. */
  functions?: readonly FunctionsOption[]
  /** The way to other nodes: what `tcp`, `nats` or `memory` of `scatterhoard/bridge` returned. Default none. */
  bridge?: NodeBridge
  /** How long it is tried to reach another node when a cache starts, again and again, and for one connection. Default 5 s. */
  connectTimeout?: Duration
  /** How long a node may give no sign of life, or be away, before it counts as down. Default 5 s. */
  failureTimeout?: Duration
}

export interface CacheOptions extends ClusterOptions {
  /** Shard actors. Default: the node's `shardThreads`. */
  shards?: number
  /** Hard bound in bytes of all tables of this cache, index included. Default `'256mb'`. */
  memory?: Bytes
  /** The most entries, and which ones go when the cache is full. Default `{ policy: 's3-fifo' }`. */
  limit?: LimitOptions
  /** Bounds of the mailbox that each thread has at each shard. */
  mailbox?: { messages?: number; bytes?: Bytes; overflow?: MailboxBounds['overflow']; waiting?: number }
  expiration?: {
    /** Time to live of entries that are put without one. Default none. */
    default?: Duration | null
    /** How often expired entries are removed. `null`: never. Default 3 s. */
    interval?: Duration | null
    /** Whether reads look at the expiry. Default true. */
    lazy?: boolean
  }
  /** Modules of functions to load in every thread that runs functions. */
  functions?: readonly FunctionsOption[]
  /** Functions for `invoke`, by names of the cache's own. */
  commands?: Readonly<Record<string, CommandOptions>>
  /** How long a function may run. Default 5 s in the pool, and 1 s inside a shard, where it is then killed with its thread. */
  functionTimeout?: Duration
  /** Functions that are called for what is done in the cache. */
  hooks?: readonly HookOptions[]
  /** Functions that fill the cache, at its start and now and then. */
  warmers?: readonly WarmerOptions[]
  /** Whether calls, hits, misses, writes and more are counted, for `stats()`. Default false. */
  stats?: boolean
  /** Compress values that are encoded in more than so many bytes; `true`: more than 1 kb. Default false. */
  compressed?: boolean | { over: Bytes }
  /** Whether `keys`, `stream` and `export` go in the order of keys, which then are collected first. Default false. */
  ordered?: boolean
  /** How often and how soon shards are restarted. Default 20 times within 10 s, and at once unless the last start was no 10 ms ago. */
  supervision?: SupervisionOptions
}

/** The options of a cache as its actors use them: plain data. */
export interface CacheConfig {
  name: string
  shards: number
  /** Bytes of each table. */
  tableBytes: number
  limit: LimitConfig
  mailbox: MailboxBounds
  /** `null`: none. */
  defaultExpireMs: number | null
  intervalMs: number | null
  lazy: boolean
  ordered: boolean
  functions: string[]
  /** Inside a shard. */
  functionTimeoutMs: number
  /** In the pool. */
  poolTimeoutMs: number
  commands: CommandConfig[]
  hooks: HookConfig[]
  warmers: WarmerConfig[]
  /** `null`: the cache runs on one node. */
  cluster: ClusterConfig | null
  stats: boolean
  /** `null`: values are not compressed. */
  compressOverBytes: number | null
  /** Hash seed of the keys. Random, so that nobody can choose keys that collide. */
  seed: number
}

export interface NodeConfig {
  name: string
  shardThreads: number
  pool: PoolConfig
  functions: string[]
  bridge: NodeBridge | undefined
  connectTimeoutMs: number
  failureTimeoutMs: number
}

/** The node's pool of threads that run functions. */
export interface PoolConfig {
  threads: number
  /** Functions that run at a time on each. */
  concurrency: number
}

const NODE_NAMES = ['name', 'shardThreads', 'pool', 'functions', 'bridge', 'connectTimeout', 'failureTimeout']
const CACHE_NAMES = ['shards', 'memory', 'limit', 'mailbox', 'expiration', 'functions', 'functionTimeout', 'commands', 'hooks', 'warmers', 'ordered', 'stats', 'compressed', 'supervision', ...CLUSTER_NAMES]

/**
 * A shard that ran for so long had taken up its table, and does not run the message again that it died of: it may start again
 * at once. Delays are for one that cannot start.
 */
const SHARD_RESET_AFTER_MS = 10

function defaultShardThreads(): number {
  return Math.max(1, availableParallelism() - 1)
}

export function readNodeOptions(options: NodeOptions | undefined): NodeConfig {
  const own = ownOptions(options === undefined ? {} : options, NODE_NAMES)
  const pool = ownOptions(or(own['pool'], {}), ['threads', 'concurrency'], 'pool')
  return {
    name: readName(or(own['name'], 'node'), 'name'),
    shardThreads: numberWithin(or(own['shardThreads'], defaultShardThreads()), 1, 256, 'shardThreads', true),
    pool: {
      threads: numberWithin(or(pool['threads'], 2), 1, 256, 'pool.threads', true),
      concurrency: numberWithin(or(pool['concurrency'], 64), 1, 4096, 'pool.concurrency', true),
    },
    functions: readFunctions(own['functions']),
    bridge: readBridge(own['bridge']),
    connectTimeoutMs: positiveDuration(or(own['connectTimeout'], 5000), 'connectTimeout'),
    failureTimeoutMs: positiveDuration(or(own['failureTimeout'], 5000), 'failureTimeout'),
  }
}

export interface CheckedCacheOptions {
  config: CacheConfig
  supervision: Pick<SupervisorSpec, 'maxRestarts' | 'withinMs' | 'backoff'>
}

export function readCacheOptions(name: unknown, options: CacheOptions | undefined, node: NodeConfig | undefined): CheckedCacheOptions {
  const own = ownOptions(options === undefined ? {} : options, CACHE_NAMES)
  const shards = numberWithin(or(own['shards'], node?.shardThreads ?? defaultShardThreads()), 1, 1024, 'shards', true)
  const memory = or(own['memory'], '256mb')
  const tableBytes = Math.floor(readBytes(memory, 'memory') / shards)
  if (tableBytes < MIN_TABLE_BYTES || tableBytes > MAX_TABLE_BYTES) {
    throw invalidOption('memory', memory, `from ${MIN_TABLE_BYTES} bytes to 2 GB for each of the ${shards} shards; more shards make more possible`)
  }
  const poolTimeoutMs = positiveDuration(or(own['functionTimeout'], 5000), 'functionTimeout')
  const expiration = ownOptions(or(own['expiration'], {}), ['default', 'interval', 'lazy'], 'expiration')
  return {
    config: {
      name: readName(name, 'name'), shards, tableBytes,
      limit: readLimit(or(own['limit'], {})),
      mailbox: readBounds(or(own['mailbox'], DEFAULT_BOUNDS), 'mailbox', readBytes),
      defaultExpireMs: readPositiveOrNull(or(expiration['default'], null), 'expiration.default'),
      intervalMs: readPositiveOrNull(or(expiration['interval'], 3000), 'expiration.interval'),
      lazy: trueOrFalse(or(expiration['lazy'], true), 'expiration.lazy'),
      functions: [...new Set([...node?.functions ?? [], ...readFunctions(own['functions'])])],
      functionTimeoutMs: positiveDuration(or(own['functionTimeout'], 1000), 'functionTimeout'),
      poolTimeoutMs,
      commands: readCommands(or(own['commands'], {}), 'commands'),
      hooks: readHooks(or(own['hooks'], []), 'hooks', poolTimeoutMs),
      warmers: readWarmers(or(own['warmers'], []), 'warmers'),
      cluster: readClusterOptions(own, node),
      ordered: trueOrFalse(or(own['ordered'], false), 'ordered'),
      stats: trueOrFalse(or(own['stats'], false), 'stats'),
      compressOverBytes: readCompressed(or(own['compressed'], false)),
      seed: (Math.random() * 2 ** 32) | 0,
    },
    supervision: readSupervision(or(own['supervision'], {}), 'supervision', SHARD_RESET_AFTER_MS),
  }
}

function readName(value: unknown, option: string): string {
  if (typeof value === 'string' && value !== '' && !value.includes('/') && value.length <= 255) return value
  throw invalidOption(option, value, 'a string of 1 to 255 characters without "/"')
}

/** Shorter values hardly get shorter. */
const COMPRESS_OVER_BYTES = 1024

function readCompressed(value: unknown): number | null {
  if (typeof value === 'boolean') return value ? COMPRESS_OVER_BYTES : null
  if (typeof value !== 'object' || value === null) throw invalidOption('compressed', value, 'true, false, or { over: bytes }')
  const { over } = ownOptions(value, ['over'], 'compressed')
  return over === 0 ? 0 : readBytes(or(over, COMPRESS_OVER_BYTES), 'compressed.over')
}

function readPositiveOrNull(value: unknown, option: string): number | null {
  return value === null ? null : positiveDuration(value, option)
}

const UNITS = { b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30 } as const

/** Bytes of a number, or of a string with a unit. */
function readBytes(value: unknown, option: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value
  const [, number, unit = 'b'] = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*(b|kb|mb|gb)?$/i.exec(value.trim()) ?? [] : []
  const bytes = Math.floor(Number(number) * UNITS[unit.toLowerCase() as keyof typeof UNITS])
  if (number !== undefined && Number.isSafeInteger(bytes) && bytes > 0) return bytes
  throw invalidOption(option, value, 'a whole number of bytes above 0, or a string such as \'64kb\', \'256mb\', \'1.5gb\' (1024-based)')
}

/** Bytes as people read them. */
export function formatBytes(bytes: number): string {
  for (const unit of ['gb', 'mb', 'kb'] as const) {
    if (bytes >= UNITS[unit]) return `${(bytes / UNITS[unit]).toFixed(2)} ${unit}`
  }
  return `${bytes} b`
}

function readFunctions(value: unknown): string[] {
  if (value === undefined) return []
  const modules: unknown = value
  if (!Array.isArray(modules)) throw invalidOption('functions', value, 'an array of what defineFunctions returned, or of module URLs')
  return modules.map((module: unknown, index) => {
    const url = functionsModuleUrl(module)
    if (url === undefined) throw invalidOption(inside('functions', String(index)), module, 'what defineFunctions returned, or the URL of a module that calls it')
    return url
  })
}
