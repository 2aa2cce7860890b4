/**
 * S3-FIFO: Juncheng Yang, Yazhuo Zhang, Ziyue Qiu, Yao Yue and K. V. Rashmi, "FIFO queues are all you need for cache
 * eviction", SOSP 2023.
 *
 *   new ──▶ small, a tenth ──▶ read at least twice? ──yes──▶ main ──▶ read? ──yes──▶ again, a read less
 *    │                                  │ no                  ▲          │ no
 *    │                                  ▼                     │          ▼
 *    └──── seen in the ghost? ◀── ghost, hashes only ─────────┘        gone
 *
 * Nothing moves when an entry is read: a reader counts in the head of the entry's bucket, up to three, and entries are looked
 * at when they have become the oldest of their queue. Entries that share a bucket share its count; a table that is full in
 * bytes has about one entry a bucket.
 */
import { GhostQueue } from './ghost-queue.js'
import { READ_NOTES, type EvictionPolicy } from './policy.js'
import type { TableStore } from '../store.js'

const SMALL = 0
const MAIN = 1
const SMALL_SHARE = 0.1
/** Reads, beyond the one that brought an entry in, that move it to the main queue. */
const PROMOTING_READS = 2

export class S3Fifo implements EvictionPolicy {
  readonly readNotes = READ_NOTES.bits
  readonly lists = 2
  readonly #store: TableStore
  readonly #ghost = new GhostQueue()

  constructor(store: TableStore) {
    this.#store = store
  }

  listFor(block: number): number {
    return this.#ghost.take(this.#store.hashOf(block)) ? MAIN : SMALL
  }

  used(block: number): void {
    this.#store.countRead(block)
  }

  written(block: number): void {
    this.used(block)
  }

  wasRead(_hash: number): void {
    // Readers count by themselves.
  }

  victim(capacity: number): number {
    const { order } = this.#store
    const smallCapacity = Math.max(1, Math.floor(capacity * SMALL_SHARE))
    const fromSmall = order.countOf(SMALL) >= smallCapacity || order.countOf(MAIN) === 0
    return (fromSmall ? this.#victimOfSmall(capacity - smallCapacity) : 0) || this.#victimOfMain() || this.#store.oldestSpare(SMALL)
  }

  evicted(block: number): void {
    const { order } = this.#store
    if (order.listOf(block) === SMALL) this.#ghost.add(this.#store.hashOf(block), order.countOf(SMALL) + order.countOf(MAIN))
  }

  cleared(): void {
    this.#ghost.clear()
  }

  /** The oldest entry of the small queue that was not read; those before it move on. 0 if that fills the main queue, or all have moved. */
  #victimOfSmall(mainCapacity: number): number {
    const store = this.#store
    const { order } = store
    for (let block = store.oldestSpare(SMALL); block !== 0; block = store.oldestSpare(SMALL)) {
      if (store.readsOf(block) < PROMOTING_READS) return block
      store.forgetReads(block)
      order.moveToNewest(block, MAIN)
      if (order.countOf(MAIN) > mainCapacity) return 0
    }
    return 0
  }

  /** The oldest entry of the main queue that was not read since it was looked at last. Ends: every look takes a read away. */
  #victimOfMain(): number {
    const store = this.#store
    for (let block = store.oldestSpare(MAIN); block !== 0; block = store.oldestSpare(MAIN)) {
      if (store.readsOf(block) === 0) return block
      store.forgetRead(block)
      store.order.moveToNewest(block, MAIN)
    }
    return 0
  }
}
