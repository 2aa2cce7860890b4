/**
 * What all parts of the writer work on: the table's memory, the allocator's books, the order of insertion, and the four
 * steps that every change is made of: find, publish, bump, free. Writer's thread only.
 */
import { sameBytes } from './bytes.js'
import {
  ACCESS_BITS, BLOCK_BITS, countRead, ENTRIES_WORD, FREE, HASH, headOf, keyLengthOf, keyOffset, LARGE, largeWord, LENS, tableGeometry,
  slotOf, TAGGED, tagWord, versionOf, type Geometry,
} from './layout.js'
import { OrderLists } from './order.js'
import { Pages } from './pages.js'
import type { EvictionPolicy } from './policies/policy.js'
import { PreparedBlocks } from './prepared.js'
import { sizeClassesOf, type SizeClasses } from './size-classes.js'
import { bumpVersion } from './version.js'

export class TableStore {
  readonly geometry: Geometry
  readonly classes: SizeClasses
  readonly words: Int32Array
  readonly bytes: Buffer
  readonly view: DataView
  readonly pages: Pages
  readonly order: OrderLists
  readonly prepared = new PreparedBlocks()
  /** Chooses what goes when the table is full. Set by the writer, once the table is repaired. */
  policy!: EvictionPolicy
  /** Whether the entries of a hash are locked: neither evicted nor swept. Asked with a signed hash. */
  isLocked: ((hash: number) => boolean) | undefined
  /** An entry that must not be evicted now: the one that is being overwritten. It follows the entry when it moves. */
  kept = 0
  /** After `find`: the word that refers to the block that was found, or the bucket's head. */
  reference = 0
  readonly #bucketScale: number

  constructor(table: SharedArrayBuffer) {
    this.geometry = tableGeometry(table)
    this.classes = sizeClassesOf(this.geometry.pageBytes)
    this.words = new Int32Array(table)
    this.bytes = Buffer.from(table)
    this.view = new DataView(table)
    this.pages = new Pages(this.words, this.geometry, this.classes)
    this.order = new OrderLists(this.words, this.bytes)
    this.#bucketScale = this.geometry.bucketScale
  }

  get entries(): number {
    return this.words[ENTRIES_WORD]!
  }

  set entries(count: number) {
    this.words[ENTRIES_WORD] = count
  }

  /** The entry of a key, or 0; leaves in `reference` where it hangs, or the head where a new one will. */
  find(hash: number, key: Buffer, keyStart: number, keyEnd: number): number {
    return this.#seek(0, hash, key, keyStart, keyEnd)
  }

  /** The block that is prepared for a key under a slot, or 0. See `find`. */
  findPrepared(slot: number, hash: number, key: Buffer, keyStart: number, keyEnd: number): number {
    return this.#seek(slot, hash, key, keyStart, keyEnd)
  }

  /** The entry of a prepared block's key, or 0. See `find`. */
  findEntryOf(block: number): number {
    const word = block >> 2
    const keyAt = block + keyOffset(this.words[word + LENS]!)
    return this.find(this.words[word + HASH]!, this.bytes, keyAt, keyAt + keyLengthOf(this.words[word + LENS]!))
  }

  /** Walks a chain to the block of a key that has a slot, 0 for the entry. */
  #seek(slot: number, hash: number, key: Buffer, keyStart: number, keyEnd: number): number {
    const words = this.words
    const head = headOf(hash, this.#bucketScale)
    let reference = head
    let block = words[head]! & BLOCK_BITS
    while (block !== 0) {
      const word = block >> 2
      if (words[word + HASH] === hash) {
        const lens = words[word + LENS]!
        if (keyLengthOf(lens) === keyEnd - keyStart && sameBytes(this.bytes, block + keyOffset(lens), key, keyStart, keyEnd)
          && ((lens & TAGGED) === 0 ? 0 : words[tagWord(word, lens)]!) === slot) {
          this.reference = reference
          return block
        }
      }
      reference = word
      block = words[reference]!
    }
    this.reference = head
    return 0
  }

  /** The word of the head of a hash's bucket. */
  headOf(hash: number): number {
    return headOf(hash, this.#bucketScale)
  }

  /** The word that refers to a block of the index. */
  referenceTo(block: number): number {
    const words = this.words
    let reference = headOf(words[(block >> 2) + HASH]!, this.#bucketScale)
    for (;;) {
      const next = words[reference]! & BLOCK_BITS
      if (next === block) return reference
      if (next === 0) throw new Error(`block ${block} is not in the index`)
      reference = next >> 2
    }
  }

  /**
   * The one store that makes a change visible, and the bump after which what it replaced may be freed. A head keeps its count
   * of reads while its bucket has entries; a read that is counted in between is forgotten.
   */
  publish(reference: number, block: number, hash: number): void {
    this.relink(reference, block)
    this.bump(hash)
  }

  /** The store of `publish` alone: what it replaced may be freed after a bump. */
  relink(reference: number, block: number): void {
    const before = this.words[reference]!
    const reads = block !== 0 && (before & BLOCK_BITS) !== 0 ? before & ACCESS_BITS : 0
    Atomics.store(this.words, reference, block | reads)
  }

  /** Moves the version of a hash's buckets. */
  bump(hash: number): void {
    bumpVersion(this.words, versionOf(headOf(hash, this.#bucketScale)))
  }

  hashOf(block: number): number {
    return this.words[(block >> 2) + HASH]!
  }

  /** Whether an entry may be removed without having been asked for: to make room, or since its time has come. */
  isSpare(block: number): boolean {
    return block !== this.kept && (this.isLocked === undefined || !this.isLocked(this.hashOf(block)))
  }

  /** The oldest entry of a list that may be removed, 0 if there is none. */
  oldestSpare(list: number): number {
    let block = this.order.oldestOf(list)
    while (block !== 0 && !this.isSpare(block)) block = this.order.newerThan(block)
    return block
  }

  /** The first entry with a hash, 0 if there is none. */
  findHash(hash: number): number {
    const { words } = this
    for (let block = words[headOf(hash, this.#bucketScale)]! & BLOCK_BITS; block !== 0; block = words[block >> 2]!) {
      if (words[(block >> 2) + HASH] === hash && slotOf(words, block) === 0) return block
    }
    return 0
  }

  /** How often the bucket of an entry was read since that was forgotten, up to 3. */
  readsOf(block: number): number {
    const bits = this.words[this.headOf(this.hashOf(block))]!
    return (bits & 1) + ((bits >> 1) & 1) + ((bits >> 2) & 1)
  }

  /** Counts a read of an entry, as a reader does. */
  countRead(block: number): void {
    countRead(this.words, this.headOf(this.hashOf(block)))
  }

  /** Takes one read from the count of an entry's bucket. */
  forgetRead(block: number): void {
    const head = this.headOf(this.hashOf(block))
    Atomics.and(this.words, head, BLOCK_BITS | ((this.words[head]! & ACCESS_BITS) >> 1))
  }

  /** Takes all reads from the count of an entry's bucket. */
  forgetReads(block: number): void {
    Atomics.and(this.words, this.headOf(this.hashOf(block)), BLOCK_BITS)
  }

  /** Takes an entry out of the index and the order, and frees it. */
  remove(block: number): void {
    const word = block >> 2
    this.publish(this.referenceTo(block), this.words[word]!, this.words[word + HASH]!)
    this.order.leave(block)
    this.entries--
    this.free(block)
  }

  /** Frees an unlinked entry with its segments. */
  free(block: number): void {
    const lens = this.words[(block >> 2) + LENS]!
    if ((lens & LARGE) !== 0) this.freeSegments(this.words[largeWord(block >> 2, lens) + 1]!)
    this.pages.free(block)
  }

  /** Frees a chain of segments from its first. */
  freeSegments(first: number): void {
    for (let segment = first; segment !== 0;) {
      const next = this.words[segment >> 2]!
      this.pages.free(segment)
      segment = next
    }
  }

  /** Bytes of a block's class. */
  sizeOf(block: number): number {
    return this.classes.sizes[this.pages.classOf[block >>> this.geometry.pageShift]!]!
  }

  isFree(block: number): boolean {
    return this.words[(block >> 2) + LENS] === FREE
  }
}
