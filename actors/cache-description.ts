/** What makes a cache usable on a thread: plain data and shared memory, sent to each. */
import type { ActorAddress } from '../runtime/actor.js'
import type { CacheConfig } from './options.js'
import type { TRANSACTION_BUFFERS } from './transactions/slots.js'

/** What a thread needs to use a cache. */
export interface CacheDescription {
  /** The path of the cache's supervisor in the tree. */
  id: string
  config: CacheConfig
  shards: { address: ActorAddress; table: SharedArrayBuffer }[]
  /** What the cache counts, if it does (`stats: true`). */
  counters?: SharedArrayBuffer
  /** What the janitor's last run did, if there is a janitor. */
  sweeps?: SharedArrayBuffer
  /** Which nodes run it, in the bridge's eyes, on a node that has a bridge. */
  view?: SharedArrayBuffer
  /** Who watches what. */
  watch: SharedArrayBuffer
  /** The buffers of its transactions. */
  transactions: Record<keyof typeof TRANSACTION_BUFFERS, SharedArrayBuffer>
  /** Which of its loads wait for which. */
  loadWaits: SharedArrayBuffer
}
