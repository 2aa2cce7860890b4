/** The option `limit`: what bounds a cache besides its memory, and which entries go when it is full. */
import { positiveDuration, type Duration } from '../../runtime/duration.js'
import { invalidOption, numberWithin, oneOf, ownOptions } from '../../runtime/option-checks.js'
import { POLICIES, type PolicyName } from '../../runtime/table/policies/policy-names.js'

export interface LimitOptions {
  /**
   * Which entries go when the cache is full, in memory or in `entries`: the least recently written (`lrw`) or used (`lru`), the first
   * inserted (`fifo`), those that S3-FIFO or W-TinyLFU expect to be missed least. `none`: nothing goes, and what is new is refused
   * with `ERR_FULL`. Default `'s3-fifo'`.
   */
  policy?: PolicyName
  /** The most entries, divided over the shards, at least one for each. Default: no bound but the memory. */
  entries?: number
  /** How much of `entries` is evicted beyond what has to be, as a share from 0 to 1. Default 0. */
  reclaim?: number
  /** When `entries` is looked at: with every insertion (`'evented'`), or from time to time; until then there may be more. Default `'evented'`. */
  check?: 'evented' | { every: Duration }
}

/** The same as the cache's actors use it. */
export interface LimitConfig {
  policy: PolicyName
  /** `null`: no bound. */
  entries: number | null
  reclaim: number
  /** `null`: with every insertion. */
  checkMs: number | null
}

export function readLimit(value: unknown): LimitConfig {
  const { policy = 's3-fifo', entries, reclaim = 0, check = 'evented' } = ownOptions(value, ['policy', 'entries', 'reclaim', 'check'], 'limit')
  return {
    policy: oneOf(policy, POLICIES, 'limit.policy'),
    entries: entries === undefined ? null : numberWithin(entries, 1, Number.MAX_SAFE_INTEGER, 'limit.entries', true),
    reclaim: numberWithin(reclaim, 0, 1, 'limit.reclaim'),
    checkMs: check === 'evented' ? null : readInterval(check),
  }
}

/** The most entries of one of the shards: the first ones take what is left over. `Infinity`: no bound. */
export function entriesOfShard({ entries }: LimitConfig, shards: number, shard: number): number {
  return entries === null ? Infinity : Math.max(1, Math.floor(entries / shards) + (shard < entries % shards ? 1 : 0))
}

function readInterval(check: unknown): number {
  if (typeof check !== 'object' || check === null) throw invalidOption('limit.check', check, '\'evented\', or { every: a duration }')
  const { every } = ownOptions(check, ['every'], 'limit.check')
  return positiveDuration(every, 'limit.check.every')
}
