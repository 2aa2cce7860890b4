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
import type { TableStore } from './store.js'

/** What a full table does: evicts what was inserted first, or refuses with `ERR_FULL`. */
export type FullPolicy = 'fifo' | 'none'

export class Room {
  readonly policy: FullPolicy
  onEvict: ((block: number) => void) | undefined
  readonly #store: TableStore

  constructor(store: TableStore, policy: FullPolicy) {
    this.#store = store
    this.policy = policy
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
    const reserve = this.policy === 'none' && !replacesSameClass ? 1 : 0
    for (;;) {
      const block = this.#store.pages.take(sizeClass, reserve)
      if (block !== 0) return block
      if (this.#emptyAPage()) continue
      if (this.policy === 'none' || !this.#evictOldest()) {
        throw new CacheError('ERR_FULL', 'the table is full; give the cache more memory, or a limit policy that evicts', {
          bytes: this.#store.geometry.bytes, entries: this.#store.entries,
        })
      }
    }
  }

  #evictOldest(): boolean {
    const { order, words } = this.#store
    let block = order.oldest
    while (block !== 0 && !this.#store.isSpare(block)) block = order.newerThan(block)
    if (block === 0) return false
    this.onEvict?.(block)
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
