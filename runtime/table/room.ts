/**
 * Finding room for a block: from a page with room, from an empty page, by moving blocks together, and at last by evicting.
 *
 * Moving: a class with a page's worth of free blocks or more can spare a page. The blocks of its emptiest page are copied
 * into others of the class, each published like an overwrite, and the page is empty. So a table whose sizes change over time
 * does not end up with pages that are nearly empty and of the wrong class. The work is bounded by the blocks of one page.
 */
import { CacheError } from '../errors.js'
import { copyWords } from './bytes.js'
import { BLOCK_BITS, EVICTIONS_WORD, FREE, HASH, LARGE, largeWord, LENS, MOVES_WORD, NO_ENTRY, slotOf } from './layout.js'
import { READ_NOTES } from './policies/policy.js'
import { ReadLog } from './read-log.js'
import type { TableStore } from './store.js'

/** Why an entry was evicted: too many entries, or no room for what was put. */
export type EvictionReason = 'limit' | 'memory'

/** How many of `size` entries are left after a part is reclaimed: what is not more than the rest, but for the error of the arithmetic. */
export function leftAfter(size: number, reclaim: number): number {
  return Math.floor(size - size * reclaim + size * 1e-12)
}

/** What bounds a table besides its bytes. */
export interface RoomOptions {
  /** Whether a full table refuses, instead of evicting. */
  readonly refuses: boolean
  /** The most entries; `Infinity` for no bound. */
  readonly maxEntries: number
  /** How many are left when that is exceeded: at most `maxEntries`. */
  readonly keptEntries: number
  /** Whether `maxEntries` holds at every insertion, or only when `trim` is called. A table that refuses refuses at once. */
  readonly checksInsertions: boolean
}

/** Notes of readers that are taken for one eviction, at most, if the writer is never idle; see `catchUp`. */
const READS_AHEAD = 1024

/** Evictions between two looks at the clock. */
const TRIM_STEP = 32
/** An insertion evicts for so long, in milliseconds, when it exceeds the limit of entries; what is left over is for `trim`. */
const INSERTION_TRIM_MS = 2

export class Room {
  readonly refuses: boolean
  onEvict: ((block: number, reason: EvictionReason) => void) | undefined
  readonly #store: TableStore
  readonly #options: RoomOptions
  readonly #reads: ReadLog | undefined
  readonly #wasRead: (hash: number) => void
  #readsAhead = READS_AHEAD
  /** Whether more has to go than an insertion had the time for. */
  #isTrimming = false

  constructor(store: TableStore, options: RoomOptions) {
    this.#store = store
    this.#options = options
    this.refuses = options.refuses
    this.#reads = store.policy.readNotes === READ_NOTES.hashes ? new ReadLog(store.words, store.geometry) : undefined
    this.#wasRead = (hash) => store.policy.wasRead(hash)
  }

  /** Whether another entry would be one too many. */
  get isFull(): boolean {
    return this.isFullWith(0)
  }

  /** The same with so many more entries than there are. */
  isFullWith(more: number): boolean {
    return this.#store.entries + more >= this.#options.maxEntries && (this.#options.checksInsertions || this.refuses)
  }

  /**
   * A block of a class.
   *
   * A table that refuses when it is full keeps one empty page in reserve for blocks that replace one of the same class, so
   * that what is in it can still be overwritten: the old block's room is given back a moment later.
   *
   * @throws `ERR_FULL` where nothing may be evicted, and where nothing is left to evict
   */
  take(sizeClass: number, replacesSameClass: boolean): number {
    const reserve = this.refuses && !replacesSameClass ? 1 : 0
    for (;;) {
      const block = this.#store.pages.take(sizeClass, reserve)
      if (block !== 0) return block
      if (this.#emptyAPage()) continue
      if (!this.#evict('memory', this.#store.entries)) {
        throw new CacheError('ERR_FULL', 'the table is full; give the cache more memory, or a limit policy that evicts', {
          bytes: this.#store.geometry.bytes, entries: this.#store.entries,
        })
      }
    }
  }

  /**
   * Makes way for one more entry, where `isFull`: evicts until as many are left as are to be kept, or for about 2 ms.
   *
   * @throws `ERR_FULL` where nothing may be evicted
   */
  makeWay(): void {
    const { maxEntries, keptEntries } = this.#options
    if (this.refuses) {
      throw new CacheError('ERR_FULL', `there are ${this.#store.entries} entries, as many as the option limit.entries allows; raise it, or choose a policy that evicts`, {
        entries: this.#store.entries, limit: maxEntries,
      })
    }
    this.#isTrimming = this.#trimTo(Math.max(0, keptEntries - 1), INSERTION_TRIM_MS)
  }

  /** Evicts what is beyond the limit of entries, for about so many milliseconds. Begins if there are too many; returns whether there is more to do. */
  trim(ms: number): boolean {
    this.#isTrimming = (this.#isTrimming || this.#store.entries > this.#options.maxEntries)
      && this.#trimTo(this.#options.keptEntries, ms)
    return this.#isTrimming
  }

  /** Whether `trim` was not done yet. */
  get isTrimming(): boolean {
    return this.#isTrimming
  }

  /** Between two batches of work: hears of what readers have noted. */
  catchUp(): void {
    this.#reads?.take(READS_AHEAD, this.#wasRead)
    this.#readsAhead = READS_AHEAD
  }

  /** Evicts down to a number of entries. Whether there is more to do at the end of the time; not if nothing more may go. */
  #trimTo(entries: number, ms: number): boolean {
    const { maxEntries } = this.#options
    // Most insertions evict one entry, and a look at the clock takes longer than that.
    let untilMs = Infinity
    for (let step = 1; this.#store.entries > entries; step++) {
      if (step % TRIM_STEP === 0) {
        const now = performance.now()
        if (untilMs === Infinity) untilMs = now + ms
        else if (now >= untilMs) return true
      }
      if (!this.#evict('limit', maxEntries)) return false
    }
    return false
  }

  #evict(reason: EvictionReason, capacity: number): boolean {
    const { policy, words } = this.#store
    if (this.#reads !== undefined) this.#readsAhead -= this.#reads.take(this.#readsAhead, this.#wasRead)
    const block = policy.victim(capacity)
    if (block === 0) return false
    this.onEvict?.(block, reason)
    policy.evicted(block)
    this.#store.remove(block)
    words[EVICTIONS_WORD]!++
    return true
  }

  /** Empties the emptiest page of the class that has most to spare. False if no class can spare one. */
  #emptyAPage(): boolean {
    const { pages, geometry } = this.#store
    const { sizes, slots, wholePage } = pages.classes
    let sizeClass = 0
    let spare = 0
    for (let candidate = 1; candidate < wholePage; candidate++) {
      const free = pages.freeBlocks[candidate]!
      if (free >= slots[candidate]! && free * sizes[candidate]! > spare) {
        spare = free * sizes[candidate]!
        sizeClass = candidate
      }
    }
    if (sizeClass === 0) return false
    let emptiest = 0
    let fewest = slots[sizeClass]!
    for (let page = geometry.firstPage; page < geometry.endPage; page++) {
      if (pages.classOf[page] === sizeClass && pages.live[page]! < fewest && pages.pins[page] === 0) {
        emptiest = page
        fewest = pages.live[page]!
      }
    }
    if (emptiest === 0) return false
    // With pages pinned, the emptiest may need more room than the others have.
    if (pages.freeBlocks[sizeClass]! - (slots[sizeClass]! - fewest) < fewest) return false
    pages.close(emptiest)
    const size = sizes[sizeClass]!
    const start = emptiest << geometry.pageShift
    for (let slot = 0; slot < pages.fresh[emptiest]!; slot++) {
      const block = start + slot * size
      const lens = this.#store.words[(block >> 2) + LENS]!
      if (lens === FREE) continue
      if ((lens & NO_ENTRY) === 0) this.#moveEntry(block, sizeClass, size)
      else this.#moveSegment(block, sizeClass, size)
      if (pages.classOf[emptiest] === 0) break
    }
    pages.closed()
    return true
  }

  #moveEntry(block: number, sizeClass: number, size: number): void {
    const { words, pages, order, prepared } = this.#store
    const moved = this.#copy(block, sizeClass, size)
    const slot = slotOf(words, block)
    this.#store.publish(this.#store.referenceTo(block), moved, words[(block >> 2) + HASH]!)
    if (slot === 0) order.join(moved)
    else prepared.move(slot, block, moved)
    if (this.#store.kept === block) this.#store.kept = moved
    pages.free(block)
  }

  #moveSegment(segment: number, sizeClass: number, size: number): void {
    const { words, pages } = this.#store
    const reference = this.#referenceToSegment(segment)
    const moved = this.#copy(segment, sizeClass, size)
    this.#store.publish(reference, moved, words[(segment >> 2) + HASH]!)
    pages.free(segment)
  }

  #copy(block: number, sizeClass: number, size: number): number {
    const { words, pages } = this.#store
    const moved = pages.take(sizeClass, Number.MAX_SAFE_INTEGER)
    copyWords(words, moved >> 2, block >> 2, size >> 2)
    words[MOVES_WORD]!++
    return moved
  }

  /** The word that refers to a segment: it carries its owner's hash, and small segments come first in their chains. */
  #referenceToSegment(segment: number): number {
    const { words } = this.#store
    const hash = words[(segment >> 2) + HASH]!
    for (let block = words[this.#store.headOf(hash)]! & BLOCK_BITS; block !== 0; block = words[block >> 2]!) {
      const lens = words[(block >> 2) + LENS]!
      if (words[(block >> 2) + HASH] !== hash || (lens & LARGE) === 0) continue
      for (let reference = largeWord(block >> 2, lens) + 1; words[reference] !== 0; reference = words[reference]! >> 2) {
        if (words[reference] === segment) return reference
      }
    }
    throw new Error(`segment ${segment} has no owner`)
  }
}
