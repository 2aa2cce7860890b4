/**
 * The allocator: which pages have which class, and which of their blocks are free. Its books are private memory of the
 * writer, rebuilt from the index by `repair.ts`; only the lists of free blocks run through the pages themselves.
 *
 * A page with room is in the list of its class (`#open`). An empty page belongs to no class. Pages that were never used are
 * taken last, so memory that nothing needed yet stays uncommitted.
 */
import { BYTES_USED_WORD, FREE, FREE_NEXT, LENS, type Geometry } from './layout.js'
import type { SizeClasses } from './size-classes.js'

export class Pages {
  readonly classes: SizeClasses
  /** Free blocks in pages of a class, by class. */
  readonly freeBlocks: Int32Array
  /** By page: its class, or 0. */
  readonly classOf: Uint8Array
  /** By page: how many blocks are in use. */
  readonly live: Uint16Array
  /** By page: how many blocks, from its start, were ever used. */
  readonly fresh: Uint16Array
  /** By page: blocks of an entry that is being put, which must not move. */
  readonly pins: Uint8Array
  readonly #words: Int32Array
  readonly #geometry: Geometry
  readonly #firstFree: Int32Array
  readonly #open: Int32Array
  readonly #nextOpen: Int32Array
  readonly #previousOpen: Int32Array
  readonly #emptyPages: Int32Array
  #emptyCount = 0
  /** The page that is being emptied: nothing is allocated from it. */
  #closing = 0

  constructor(words: Int32Array, geometry: Geometry, classes: SizeClasses) {
    this.classes = classes
    this.#words = words
    this.#geometry = geometry
    const pages = geometry.endPage
    this.classOf = new Uint8Array(pages)
    this.live = new Uint16Array(pages)
    this.fresh = new Uint16Array(pages)
    this.pins = new Uint8Array(pages)
    this.#firstFree = new Int32Array(pages)
    this.#nextOpen = new Int32Array(pages)
    this.#previousOpen = new Int32Array(pages)
    this.#emptyPages = new Int32Array(pages - geometry.firstPage)
    this.#open = new Int32Array(classes.sizes.length)
    this.freeBlocks = new Int32Array(classes.sizes.length)
    this.reset()
  }

  get emptyPages(): number {
    return this.#emptyCount
  }

  /** Forgets everything: all pages are empty. */
  reset(): void {
    for (const books of [this.classOf, this.live, this.fresh, this.pins, this.#firstFree, this.#open, this.freeBlocks]) books.fill(0)
    this.#emptyCount = 0
    for (let page = this.#geometry.endPage - 1; page >= this.#geometry.firstPage; page--) this.#emptyPages[this.#emptyCount++] = page
    this.#count()
  }

  /**
   * Takes a block of a class, or returns 0.
   *
   * @param reserve how many empty pages have to be left over
   */
  take(sizeClass: number, reserve: number): number {
    let page = this.#open[sizeClass]!
    if (page === 0) {
      if (this.#emptyCount <= reserve) return 0
      page = this.#openEmpty(sizeClass)
    }
    let block = this.#firstFree[page]!
    if (block !== 0) {
      this.#firstFree[page] = this.#words[(block >> 2) + FREE_NEXT]!
    } else {
      block = (page << this.#geometry.pageShift) + this.fresh[page]! * this.classes.sizes[sizeClass]!
      this.fresh[page]!++
    }
    this.freeBlocks[sizeClass]!--
    if (++this.live[page]! === this.classes.slots[sizeClass]) this.#unlink(page, sizeClass)
    return block
  }

  /** Gives a block back. No reader may be able to reach it under a version that has not moved. */
  free(block: number): void {
    const page = block >>> this.#geometry.pageShift
    const sizeClass = this.classOf[page]!
    this.#words[(block >> 2) + FREE_NEXT] = this.#firstFree[page]!
    this.#words[(block >> 2) + LENS] = FREE
    this.#firstFree[page] = block
    this.freeBlocks[sizeClass]!++
    const live = --this.live[page]!
    if (live === 0) this.#empty(page, sizeClass)
    else if (live === this.classes.slots[sizeClass]! - 1 && page !== this.#closing) this.#link(page, sizeClass)
  }

  /** Takes a page out of use: nothing is allocated from it until it was emptied. */
  close(page: number): void {
    this.#closing = page
    if (this.live[page]! < this.classes.slots[this.classOf[page]!]!) this.#unlink(page, this.classOf[page]!)
  }

  /** The page that was closed has been emptied. */
  closed(): void {
    this.#closing = 0
  }

  /** For repair: a page that has blocks in use, with `fresh` blocks ever used, of which those in the free list from `firstFree` are free. */
  adopt(page: number, sizeClass: number, live: number, fresh: number, firstFree: number): void {
    this.classOf[page] = sizeClass
    this.live[page] = live
    this.fresh[page] = fresh
    this.#firstFree[page] = firstFree
    this.freeBlocks[sizeClass]! += this.classes.slots[sizeClass]! - live
    if (live < this.classes.slots[sizeClass]!) this.#link(page, sizeClass)
  }

  /** For repair, after the last page was adopted: lists the empty pages, lower ones first to be used. */
  adopted(): void {
    this.#emptyCount = 0
    for (let page = this.#geometry.endPage - 1; page >= this.#geometry.firstPage; page--) {
      if (this.classOf[page] === 0) this.#emptyPages[this.#emptyCount++] = page
    }
    this.#count()
  }

  /** For tests: throws if the lists contradict the numbers. Returns how many free blocks the free list of each page must have. */
  verify(): void {
    const listed = new Uint8Array(this.#geometry.endPage)
    for (let index = 0; index < this.#emptyCount; index++) {
      const page = this.#emptyPages[index]!
      if (listed[page]! || this.classOf[page]! !== 0 || this.live[page]! !== 0) throw new Error(`page ${page} is listed as empty and is not`)
      listed[page] = 1
    }
    for (let sizeClass = 1; sizeClass < this.#open.length; sizeClass++) {
      for (let page = this.#open[sizeClass]!, before = 0; page !== 0; before = page, page = this.#nextOpen[page]!) {
        if (listed[page]! || this.classOf[page] !== sizeClass || this.#previousOpen[page] !== before) throw new Error(`page ${page} is in a wrong list`)
        listed[page] = 1
      }
    }
    const freeBlocks = new Int32Array(this.freeBlocks.length)
    for (let page = this.#geometry.firstPage; page < this.#geometry.endPage; page++) {
      const sizeClass = this.classOf[page]!
      const free = this.classes.slots[sizeClass]! - this.live[page]!
      freeBlocks[sizeClass]! += free
      if (listed[page] !== (sizeClass === 0 || free > 0 ? 1 : 0)) throw new Error(`page ${page} is not listed as it should be`)
      if (this.pins[page] !== 0) throw new Error(`page ${page} is still pinned`)
      if (sizeClass !== 0) this.#verifyFreeList(page, sizeClass)
    }
    for (let sizeClass = 1; sizeClass < freeBlocks.length; sizeClass++) {
      if (freeBlocks[sizeClass] !== this.freeBlocks[sizeClass]) throw new Error(`class ${sizeClass} counts its free blocks wrong`)
    }
  }

  #verifyFreeList(page: number, sizeClass: number): void {
    let free = 0
    const size = this.classes.sizes[sizeClass]!
    const start = page << this.#geometry.pageShift
    for (let block = this.#firstFree[page]!; block !== 0; block = this.#words[(block >> 2) + FREE_NEXT]!) {
      const slot = (block - start) / size
      if (!Number.isInteger(slot) || slot < 0 || slot >= this.fresh[page]!) throw new Error(`free block ${block} is not one of page ${page}`)
      if (this.#words[(block >> 2) + LENS] !== FREE) throw new Error(`free block ${block} is not marked free`)
      if (++free > this.classes.slots[sizeClass]!) throw new Error(`the free list of page ${page} is a circle`)
    }
    if (free !== this.fresh[page]! - this.live[page]!) throw new Error(`the free list of page ${page} has ${free} blocks`)
  }

  #openEmpty(sizeClass: number): number {
    const page = this.#emptyPages[--this.#emptyCount]!
    this.classOf[page] = sizeClass
    this.fresh[page] = 0
    this.#firstFree[page] = 0
    this.freeBlocks[sizeClass]! += this.classes.slots[sizeClass]!
    this.#link(page, sizeClass)
    this.#count()
    return page
  }

  #empty(page: number, sizeClass: number): void {
    if (page !== this.#closing && this.classes.slots[sizeClass]! > 1) this.#unlink(page, sizeClass)
    this.classOf[page] = 0
    this.freeBlocks[sizeClass]! -= this.classes.slots[sizeClass]!
    this.#emptyPages[this.#emptyCount++] = page
    this.#count()
  }

  #count(): void {
    this.#words[BYTES_USED_WORD] = ((this.#geometry.endPage - this.#emptyCount) << this.#geometry.pageShift)
  }

  #link(page: number, sizeClass: number): void {
    const first = this.#open[sizeClass]!
    this.#nextOpen[page] = first
    this.#previousOpen[page] = 0
    if (first !== 0) this.#previousOpen[first] = page
    this.#open[sizeClass] = page
  }

  #unlink(page: number, sizeClass: number): void {
    const next = this.#nextOpen[page]!
    const previous = this.#previousOpen[page]!
    if (next !== 0) this.#previousOpen[next] = previous
    if (previous !== 0) this.#nextOpen[previous] = next
    else this.#open[sizeClass] = next
  }
}
