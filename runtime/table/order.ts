/**
 * The order in which entries may be evicted: up to three lists through all entries, each from its oldest to its newest. A
 * policy says what the lists mean (`policies/policy.ts`); one that keeps a single order uses the first.
 *
 *   OLDEST_WORDS[list] ──▶ block ◀──▶ block ◀──▶ block ◀── NEWEST_WORDS[list]      links: `older`, `newer` of the blocks
 *
 * The links, and the number of its list in an entry's policy byte, are read by the writer only; repair mends them when a
 * writer died between two of them. An entry that changes lists leaves the one before it is linked into the other, so that
 * no list ever leads into another one. The counts are private, and counted anew at open.
 */
import { LIST_BITS, NEWER, NEWEST_WORDS, OLDER, OLDEST_WORDS, POLICY_BYTE } from './layout.js'

/** How many lists there are. */
export const LISTS = OLDEST_WORDS.length

export class OrderLists {
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  /** How many entries each list has. */
  readonly #counts = new Int32Array(LISTS)

  constructor(words: Int32Array, bytes: Uint8Array) {
    this.#words = words
    this.#bytes = bytes
  }

  /** The oldest entry of the first list that has any, 0 if there is none. */
  get oldest(): number {
    return this.#oldestFrom(0)
  }

  oldestOf(list: number): number {
    return this.#words[OLDEST_WORDS[list]!]!
  }

  newestOf(list: number): number {
    return this.#words[NEWEST_WORDS[list]!]!
  }

  countOf(list: number): number {
    return this.#counts[list]!
  }

  /** The number of an entry's list. */
  listOf(block: number): number {
    return this.#bytes[block + POLICY_BYTE]! & LIST_BITS
  }

  /** The next entry of the same list, 0 at its end. */
  newerThan(block: number): number {
    return this.#words[(block >> 2) + NEWER]!
  }

  olderThan(block: number): number {
    return this.#words[(block >> 2) + OLDER]!
  }

  /** The next entry of a walk through all lists from `oldest`, 0 at the end. */
  after(block: number): number {
    const newer = this.newerThan(block)
    return newer !== 0 ? newer : this.#oldestFrom(this.listOf(block) + 1)
  }

  /** Prepares the links of a block that will be the newest of a list, before it is published. */
  prepareNewest(block: number, list: number): void {
    this.#setList(block, list)
    this.#words[(block >> 2) + OLDER] = this.newestOf(list)
    this.#words[(block >> 2) + NEWER] = 0
    this.#counts[list]!++
  }

  /** Prepares the links of a block that will stand where `old` stands, before it is published. */
  prepareInstead(block: number, old: number): void {
    this.#setList(block, this.listOf(old))
    this.#words[(block >> 2) + OLDER] = this.#words[(old >> 2) + OLDER]!
    this.#words[(block >> 2) + NEWER] = this.#words[(old >> 2) + NEWER]!
  }

  /** Links the neighbours of a block that was prepared. */
  join(block: number): void {
    const list = this.listOf(block)
    this.#setNewer(list, this.#words[(block >> 2) + OLDER]!, block)
    this.#setOlder(list, this.#words[(block >> 2) + NEWER]!, block)
  }

  /** Links the neighbours of a block past it. */
  leave(block: number): void {
    const list = this.listOf(block)
    this.link(list, this.#words[(block >> 2) + OLDER]!, this.#words[(block >> 2) + NEWER]!)
    this.#counts[list]!--
  }

  /** Makes an entry the newest of a list, of its own or another one. */
  moveToNewest(block: number, list: number): void {
    if (this.newestOf(list) === block) return
    this.leave(block)
    this.prepareNewest(block, list)
    this.join(block)
  }

  /** Links two blocks of a list; 0 stands for its ends. */
  link(list: number, older: number, newer: number): void {
    this.#setNewer(list, older, newer)
    this.#setOlder(list, newer, older)
  }

  clear(): void {
    for (let list = 0; list < LISTS; list++) {
      this.link(list, 0, 0)
      this.#counts[list] = 0
    }
  }

  /** Moves the entries of lists that a policy does not use, from `list` on, to the first one. */
  mergeFrom(list: number): void {
    for (; list < LISTS; list++) while (this.oldestOf(list) !== 0) this.moveToNewest(this.oldestOf(list), 0)
  }

  /** How many entries all lists have. */
  get count(): number {
    return this.#counts.reduce((sum, count) => sum + count)
  }

  /** For repair: counts entries anew, by `adopt`. */
  forgetCounts(): void {
    this.#counts.fill(0)
  }

  /** For repair: an entry belongs to a list, whatever it says. */
  adopt(block: number, list: number): void {
    this.#setList(block, list)
    this.#counts[list]!++
  }

  #oldestFrom(list: number): number {
    for (; list < LISTS; list++) {
      const block = this.oldestOf(list)
      if (block !== 0) return block
    }
    return 0
  }

  #setList(block: number, list: number): void {
    this.#bytes[block + POLICY_BYTE] = (this.#bytes[block + POLICY_BYTE]! & ~LIST_BITS) | list
  }

  #setNewer(list: number, block: number, newer: number): void {
    this.#words[block === 0 ? OLDEST_WORDS[list]! : (block >> 2) + NEWER] = newer
  }

  #setOlder(list: number, block: number, older: number): void {
    this.#words[block === 0 ? NEWEST_WORDS[list]! : (block >> 2) + OLDER] = older
  }
}
