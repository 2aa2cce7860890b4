/**
 * The order of insertion: a list through all entries, oldest first, for eviction. Its links are words of the blocks that
 * only the writer reads; repair mends them when a writer died between two of them.
 */
import { NEWER, NEWEST_WORD, OLDER, OLDEST_WORD } from './layout.js'

export class OrderList {
  readonly #words: Int32Array

  constructor(words: Int32Array) {
    this.#words = words
  }

  /** The block inserted first, 0 if there is none. */
  get oldest(): number {
    return this.#words[OLDEST_WORD]!
  }

  get newest(): number {
    return this.#words[NEWEST_WORD]!
  }

  newerThan(block: number): number {
    return this.#words[(block >> 2) + NEWER]!
  }

  olderThan(block: number): number {
    return this.#words[(block >> 2) + OLDER]!
  }

  /** Prepares the links of a block that will be the newest, before it is published. */
  prepareNewest(block: number): void {
    this.#words[(block >> 2) + OLDER] = this.#words[NEWEST_WORD]!
    this.#words[(block >> 2) + NEWER] = 0
  }

  /** Prepares the links of a block that will stand where `old` stands, before it is published. */
  prepareInstead(block: number, old: number): void {
    this.#words[(block >> 2) + OLDER] = this.#words[(old >> 2) + OLDER]!
    this.#words[(block >> 2) + NEWER] = this.#words[(old >> 2) + NEWER]!
  }

  /** Links the neighbours of a block that was prepared. */
  join(block: number): void {
    this.#setNewer(this.#words[(block >> 2) + OLDER]!, block)
    this.#setOlder(this.#words[(block >> 2) + NEWER]!, block)
  }

  /** Links the neighbours of a block past it. */
  leave(block: number): void {
    const older = this.#words[(block >> 2) + OLDER]!
    const newer = this.#words[(block >> 2) + NEWER]!
    this.#setNewer(older, newer)
    this.#setOlder(newer, older)
  }

  /** Links two blocks; 0 stands for the ends of the list. */
  link(older: number, newer: number): void {
    this.#setNewer(older, newer)
    this.#setOlder(newer, older)
  }

  clear(): void {
    this.#words[OLDEST_WORD] = 0
    this.#words[NEWEST_WORD] = 0
  }

  #setNewer(block: number, newer: number): void {
    this.#words[block === 0 ? OLDEST_WORD : (block >> 2) + NEWER] = newer
  }

  #setOlder(block: number, older: number): void {
    this.#words[block === 0 ? NEWEST_WORD : (block >> 2) + OLDER] = older
  }
}
