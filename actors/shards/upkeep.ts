/**
 * What a shard does between messages, on its own account: it sweeps expired entries, evicts what is beyond the limit, and lets
 * the eviction policy hear of reads. In slices by the clock, so that a message never waits long: a millisecond where the shard has
 * nothing else to do, and about as long as a batch of messages takes where it has.
 */
import type { NodeClock } from '../../runtime/clock.js'
import type { TableWriter } from '../../runtime/table/writer.js'
import type { OldReply, OldRequest } from '../actions/remove-old.js'
import { COUNTER, type Counters } from '../counters.js'
import type { SelfNotices } from '../watching/self-notices.js'
import type { SweepRecord } from './sweep-record.js'

/** How long a slice is, in milliseconds, where no message was handled since the one before, and where some were. */
const IDLE_SLICE_MS = 1
const BUSY_SLICE_MS = 0.1

/** Buckets between two looks at the clock: 15 µs where each has an entry to remove, a quarter of one where all are empty. */
const STEP_BUCKETS = 64

export interface UpkeepParts {
  readonly writer: TableWriter
  readonly clock: Pick<NodeClock, 'now'>
  readonly counters: Counters | null
  readonly notices: SelfNotices
  /** Where the janitor's runs are recorded, and the number of the shard. */
  readonly record: SweepRecord | undefined
  readonly shard: number
}

export class Upkeep {
  readonly #parts: UpkeepParts
  /** Where the sweep that is under way has got to; below 0, none is. */
  #sweepCursor = -1
  /** The number of the janitor's run that is under way. */
  #run = 0
  /** What the sweep that is under way has removed. */
  #sweptSoFar = 0
  /** Whether another sweep is to follow. */
  #sweepsAgain = false
  #trims = false
  #handled = false

  constructor(parts: UpkeepParts) {
    this.#parts = parts
  }

  /** A message was handled. */
  handled(): void {
    this.#handled = true
  }

  /** Begins a sweep of expired entries, unless one is under way. */
  beginSweep(): void {
    if (this.#sweepCursor >= 0) return
    this.#sweepCursor = this.#sweptSoFar = 0
    this.#run = this.#parts.record?.run ?? 0
  }

  /** Begins a sweep that removes everything that has expired by now: another one, if one is under way. */
  beginPurge(): void {
    if (this.#sweepCursor >= 0) this.#sweepsAgain = true
    this.beginSweep()
  }

  /** Begins to evict what is beyond the limit. */
  beginTrim(): void {
    this.#trims = true
  }

  /** One slice of whatever there is to do. True while there is more. */
  work(): boolean {
    const { writer, notices } = this.#parts
    writer.catchUp()
    const isTrimming = this.#trims || writer.isTrimming
    if (this.#sweepCursor < 0 && !isTrimming) return false
    const sliceMs = this.#handled ? BUSY_SLICE_MS : IDLE_SLICE_MS
    this.#handled = false
    if (isTrimming) {
      this.#trims = writer.trim(sliceMs)
      notices.endMessage()
      return this.#trims || this.#sweepCursor >= 0
    }
    return this.#sweepOn(sliceMs)
  }

  /**
   * Removes expired entries from the buckets behind a cursor, for so many milliseconds.
   *
   * @param kind whether the cache does it by itself, or a caller has asked for it: what hooks are told
   * @returns the next cursor, 0 at the end, and how many were removed
   */
  sweepFrom(cursor: number, ms: number, kind: 'swept' | 'purged'): [next: number, swept: number] {
    const { writer, clock, counters, notices } = this.#parts
    const note = notices.hearsOfSweeps ? (block: number): void => notices.add(kind, block) : undefined
    const before = writer.swept
    const untilMs = performance.now() + ms
    const nowMs = clock.now()
    do cursor = writer.sweep(cursor, nowMs, STEP_BUCKETS, note)
    while (cursor !== 0 && performance.now() < untilMs)
    const swept = writer.swept - before
    counters?.add(COUNTER.expirations, swept)
    return [cursor, swept]
  }

  /** Removes a slice of the entries that were written longest ago; see `actions/remove-old.ts`. */
  removeOld({ cursor, last, ties }: OldRequest, ms: number): OldReply {
    const { writer, counters } = this.#parts
    const old = { last, ties, removed: 0 }
    const untilMs = performance.now() + ms
    do cursor = writer.removeOld(cursor, old, STEP_BUCKETS)
    while (cursor !== 0 && performance.now() < untilMs)
    counters?.add(COUNTER.evictions, old.removed)
    return { cursor, ties: old.ties, removed: old.removed }
  }

  #sweepOn(ms: number): boolean {
    const { record, shard, clock, notices } = this.#parts
    const [next, swept] = this.sweepFrom(this.#sweepCursor, ms, 'swept')
    this.#sweptSoFar += swept
    this.#sweepCursor = next
    if (next !== 0) return true
    notices.flush()
    record?.note(shard, this.#run, clock.now(), this.#sweptSoFar)
    this.#sweepCursor = -1
    if (!this.#sweepsAgain) return false
    this.#sweepsAgain = false
    this.beginSweep()
    return true
  }
}
