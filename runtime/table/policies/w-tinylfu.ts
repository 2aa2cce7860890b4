/**
 * W-TinyLFU, as in Caffeine: Gil Einziger, Roy Friedman and Ben Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", ACM
 * Transactions on Storage, 2017.
 *
 *   new ──▶ window (LRU) ──oldest──▶ seen more often than the oldest of the main part? ──no──▶ gone
 *                                        │ yes, and that one goes
 *                                        ▼
 *                                    probation ◀──oldest beyond 80% of the main part── protected
 *                                        └───────────────used───────────────────────────▶ │
 *
 * The window has 1% of the capacity at first, and as much as serves best later (`window-climber.ts`). How often a key was
 * seen is an estimate (`frequency-sketch.ts`). Reads come late, from the read log, and some are lost while threads read
 * faster than the writer can keep up with.
 */
import { FrequencySketch } from './frequency-sketch.js'
import { READ_NOTES, type EvictionPolicy } from './policy.js'
import type { TableStore } from '../store.js'
import { WindowClimber } from './window-climber.js'

const WINDOW = 0
const PROBATION = 1
const PROTECTED = 2
const WINDOW_SHARE = 0.01
const PROTECTED_SHARE = 0.8
/**
 * From this frequency on, a candidate that was not seen more often than the victim is let in now and then, so that colliding
 * or outdated counts cannot keep it out for ever: once in 128 times, as in Caffeine.
 */
const WARM_FREQUENCY = 6
const LUCK_MASK = 127
/** Entries that change lists for one eviction when the window's size has changed: none is to take long. */
const MOST_MOVES = 256

export class WindowTinyLfu implements EvictionPolicy {
  readonly readNotes = READ_NOTES.hashes
  readonly lists = 3
  readonly #store: TableStore
  readonly #sketch = new FrequencySketch()
  readonly #climber = new WindowClimber()
  /** What the window has more, or less, than its first share. */
  #windowGrowth = 0
  /** Entries of the main part that are to go over to the window, since it has grown. */
  #toWindow = 0
  /** The capacity of the last eviction; 0 before the first. */
  #capacity = 0
  /** xorshift32 (Marsaglia, 2003). */
  #random = 0x2545f491

  /** @param maxEntries the most entries that there will be, as far as that is known */
  constructor(store: TableStore, maxEntries: number) {
    this.#store = store
    // A table that is full of small entries has about one for each bucket. Beyond that, the sketch grows with them.
    this.#sketch.ensure(maxEntries === Infinity ? 0 : Math.min(maxEntries, store.geometry.buckets))
  }

  listFor(block: number): number {
    const { order, entries } = this.#store
    const capacity = Math.max(entries + 1, this.#capacity)
    this.#sketch.ensure(capacity)
    this.#see(this.#store.hashOf(block))
    this.#climber.miss()
    // While the table fills up. Once it is full, there has been an eviction before.
    if (order.countOf(WINDOW) >= this.#windowCapacity(capacity)) order.moveToNewest(order.oldestOf(WINDOW), PROBATION)
    return WINDOW
  }

  used(block: number): void {
    this.#see(this.#store.hashOf(block))
    this.#climber.hit()
    this.#use(block)
  }

  written(block: number): void {
    this.used(block)
  }

  wasRead(hash: number): void {
    this.#see(hash)
    this.#climber.hit()
    const block = this.#store.findHash(hash)
    if (block !== 0) this.#use(block)
  }

  victim(capacity: number): number {
    // While the table filled up, everything that was new was a miss: nothing to compare with.
    if (this.#capacity === 0) this.#climber.clear()
    this.#capacity = capacity
    this.#adjustWindow(capacity)
    this.#balance(capacity)
    const store = this.#store
    const { order } = store
    if (order.countOf(WINDOW) < this.#windowCapacity(capacity)) return this.#oldestOfMain() || store.oldestSpare(WINDOW)
    const candidate = store.oldestSpare(WINDOW)
    const victim = this.#oldestOfMain()
    if (candidate === 0 || victim === 0) return candidate || victim
    if (!this.#isLetIn(candidate, victim)) return candidate
    order.moveToNewest(candidate, PROBATION)
    return victim
  }

  evicted(_block: number): void {
    // The sketch remembers it.
  }

  cleared(): void {
    this.#sketch.clear()
    this.#climber.clear()
    this.#windowGrowth = this.#toWindow = this.#capacity = 0
  }

  #see(hash: number): void {
    this.#sketch.pace = this.#capacity || Infinity
    this.#sketch.increment(hash)
  }

  #use(block: number): void {
    const { order } = this.#store
    const list = order.listOf(block)
    order.moveToNewest(block, list === WINDOW ? WINDOW : PROTECTED)
    if (list === PROBATION) this.#demote(this.#capacity || this.#store.entries)
  }

  /** Moves to probation what the protected part has too many of. */
  #demote(capacity: number): void {
    const { order } = this.#store
    const most = Math.floor((capacity - this.#windowCapacity(capacity)) * PROTECTED_SHARE)
    for (let moves = 0; moves < MOST_MOVES && order.countOf(PROTECTED) > most; moves++) order.moveToNewest(order.oldestOf(PROTECTED), PROBATION)
  }

  #windowCapacity(capacity: number): number {
    return Math.min(Math.max(1, Math.round(capacity * WINDOW_SHARE) + this.#windowGrowth), Math.max(1, capacity - 1))
  }

  #oldestOfMain(): number {
    return this.#store.oldestSpare(PROBATION) || this.#store.oldestSpare(PROTECTED)
  }

  #isLetIn(candidate: number, victim: number): boolean {
    const store = this.#store
    const frequency = this.#sketch.frequency(store.hashOf(candidate))
    if (frequency > this.#sketch.frequency(store.hashOf(victim))) return true
    return frequency >= WARM_FREQUENCY && (this.#nextRandom() & LUCK_MASK) === 0
  }

  /** Lets the window be as large as serves best, by what was hit of late. */
  #adjustWindow(capacity: number): void {
    const growth = this.#climber.adjustment(capacity)
    if (growth === 0) return
    const before = this.#windowCapacity(capacity)
    this.#windowGrowth += growth
    const after = this.#windowCapacity(capacity)
    // What was beyond the bounds is forgotten.
    this.#windowGrowth += after - before - growth
    this.#toWindow = Math.max(0, after - before)
  }

  /** Entries go over between the window and the main part as its size has changed: the oldest of each, which one would lose otherwise. */
  #balance(capacity: number): void {
    const { order } = this.#store
    const window = this.#windowCapacity(capacity)
    for (let moves = 0; moves < MOST_MOVES && this.#toWindow > 0; moves++, this.#toWindow--) {
      const block = order.oldestOf(PROBATION) || order.oldestOf(PROTECTED)
      if (block !== 0) order.moveToNewest(block, WINDOW)
    }
    for (let moves = 0; moves < MOST_MOVES && order.countOf(WINDOW) > window; moves++) order.moveToNewest(order.oldestOf(WINDOW), PROBATION)
    this.#demote(capacity)
  }

  #nextRandom(): number {
    this.#random ^= this.#random << 13
    this.#random ^= this.#random >>> 17
    this.#random ^= this.#random << 5
    return this.#random
  }
}
