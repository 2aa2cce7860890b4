/** The policies by the names that the option `limit.policy` gives them. */
import { Fifo } from './fifo.js'
import { LeastRecentlyUsed } from './lru.js'
import { LeastRecentlyWritten } from './lrw.js'
import { NoEviction } from './none.js'
import type { EvictionPolicy } from './policy.js'
import { S3Fifo } from './s3-fifo.js'
import type { TableStore } from '../store.js'
import { WindowTinyLfu } from './w-tinylfu.js'

export const POLICIES = ['lrw', 'lru', 'fifo', 's3-fifo', 'w-tinylfu', 'none'] as const
/** What a full table does: which entry goes, or `none`, and what is new is refused with `ERR_FULL`. */
export type PolicyName = (typeof POLICIES)[number]

const CLASSES: Readonly<Record<PolicyName, new (store: TableStore, maxEntries: number) => EvictionPolicy>> = {
  lrw: LeastRecentlyWritten, lru: LeastRecentlyUsed, fifo: Fifo, 's3-fifo': S3Fifo, 'w-tinylfu': WindowTinyLfu, none: NoEviction,
}

/** @param maxEntries the bound of entries, `Infinity` if there is none */
export function createPolicy(name: PolicyName, store: TableStore, maxEntries: number): EvictionPolicy {
  return new CLASSES[name](store, maxEntries)
}
