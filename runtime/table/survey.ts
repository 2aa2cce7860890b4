/**
 * A walk over everything that the index reaches: which blocks are in use, of which class each page is therefore, and whether
 * all of that is possible. Reads only. Repair starts from it, and tests compare the books with it.
 *
 * Private memory while it runs: a bit for each 8 bytes of table, twice.
 */
import { BLOCK_BITS, FREE, HASH, headOf, inlineLengthOf, keyLengthOf, keyOffset, LARGE, largeWord, LENS, NO_ENTRY, SEGMENT_BYTES, slotOf, versionOfGroup } from './layout.js'
import { segmentLength } from './large.js'
import type { TableStore } from './store.js'
import { MAX_SLOTS } from './transactions.js'

/**
 * Blocks of a chain lie anywhere, so a walk waits for memory at every one. Looking at the first blocks of some buckets before
 * they are walked lets the processor fetch them at the same time.
 */
const AHEAD = 48

export class Survey {
  entries = 0
  /** Blocks that are prepared: no entries yet. */
  readonly prepared: number[] = []
  /** Keeps the looking ahead from being optimised away. */
  touched = 0
  /** By page: the class that its blocks have, 0 if nothing is in use. */
  readonly classOf: Uint8Array
  /** By page: blocks in use. */
  readonly live: Uint16Array
  /** By page: blocks from its start to the last one in use. */
  readonly fresh: Uint16Array
  readonly #store: TableStore
  readonly #used: Uint32Array
  readonly #unmet: Uint32Array

  /** @throws an `Error` that says what is wrong, if the index cannot be what a writer has written */
  constructor(store: TableStore) {
    this.#store = store
    const { geometry } = store
    this.classOf = new Uint8Array(geometry.endPage)
    this.live = new Uint16Array(geometry.endPage)
    this.fresh = new Uint16Array(geometry.endPage)
    this.#used = new Uint32Array(Math.ceil(geometry.bytes / 256))
    this.#walkIndex()
    this.#unmet = this.#used.slice()
  }

  /** Whether a block is in use. */
  isUsed(block: number): boolean {
    return (this.#used[block >>> 8]! & (1 << ((block >>> 3) & 31))) !== 0
  }

  /** Whether this is an entry that was not met before. Meets it. Any number may be asked for. */
  meet(block: number): boolean {
    if (!this.#isBlock(block) || !this.#isEntry(block)) return false
    const bit = 1 << ((block >>> 3) & 31)
    if ((this.#unmet[block >>> 8]! & bit) === 0) return false
    this.#unmet[block >>> 8]! &= ~bit
    return true
  }

  /** The entries that were not met, by address. */
  unmet(): number[] {
    const blocks: number[] = []
    for (let index = 0; index < this.#unmet.length; index++) {
      if (this.#unmet[index] === 0) continue
      for (let bit = 0; bit < 32; bit++) if ((this.#unmet[index]! & (1 << bit)) !== 0) blocks.push(index * 256 + bit * 8)
    }
    return blocks.filter((block) => this.#isEntry(block))
  }

  /** A thread that has just started runs this slowly, and most of a table's index may be empty: a group without entries costs one look. */
  #walkIndex(): void {
    const { words, geometry } = this.#store
    const heads = new Int32Array(AHEAD)
    let ahead = 0
    for (let group = 0; group < geometry.groups; group++) {
      const first = versionOfGroup(group) + 1
      if (((words[first]! | words[first + 1]! | words[first + 2]!) & BLOCK_BITS) === 0) continue
      for (let head = first; head < first + 3; head++) {
        const block = words[head]! & BLOCK_BITS
        if (block === 0) continue
        this.touched ^= words[(block >>> 2) + LENS] ?? 0
        heads[ahead++] = head
        if (ahead < AHEAD) continue
        for (let next = 0; next < ahead; next++) this.#walkChain(heads[next]!)
        ahead = 0
      }
    }
    for (let next = 0; next < ahead; next++) this.#walkChain(heads[next]!)
  }

  #walkChain(head: number): void {
    const { words, geometry, classes } = this.#store
    for (let block = words[head]! & BLOCK_BITS; block !== 0; block = words[block >> 2]!) {
      if (!this.#isBlock(block)) damaged(`the bucket at ${head} leads to ${block}`)
      const word = block >> 2
      const lens = words[word + LENS]!
      if ((lens & NO_ENTRY) !== 0) damaged(`the bucket at ${head} holds ${lens === FREE ? 'the free block' : 'the segment'} ${block}`)
      if (headOf(words[word + HASH]!, geometry.bucketScale) !== head) damaged(`block ${block} is not one of the bucket at ${head}`)
      const size = keyOffset(lens) + keyLengthOf(lens) + inlineLengthOf(lens)
      if (size > classes.maxBlockBytes) damaged(`block ${block} has ${size} bytes`)
      this.#use(block, classes.ofUnits[(size + 7) >> 3]!)
      const slot = slotOf(words, block)
      if (slot === 0) this.entries++
      else if (slot > 0 && slot < MAX_SLOTS) this.prepared.push(block)
      else damaged(`block ${block} is prepared for slot ${slot}`)
      if ((lens & LARGE) !== 0) this.#walkSegments(block, largeWord(word, lens))
    }
  }

  #walkSegments(owner: number, word: number): void {
    const { words, geometry, classes } = this.#store
    let left = words[word]!
    if (left < 0 || left > geometry.maxValueBytes) damaged(`block ${owner} has a value of ${left} bytes`)
    for (let segment = words[word + 1]!; segment !== 0; segment = words[segment >> 2]!) {
      if (!this.#isBlock(segment)) damaged(`the value of block ${owner} leads to ${segment}`)
      const lens = words[(segment >> 2) + LENS]!
      const length = segmentLength(lens)
      const size = length + SEGMENT_BYTES
      if ((lens & NO_ENTRY) === 0 || lens === FREE || length > left || size > geometry.pageBytes) damaged(`${segment} is no segment of block ${owner}`)
      if (words[(segment >> 2) + HASH] !== words[(owner >> 2) + HASH]) damaged(`segment ${segment} is another block's than ${owner}`)
      this.#use(segment, size > classes.maxBlockBytes ? classes.wholePage : classes.ofUnits[(size + 7) >> 3]!)
      left -= length
    }
    if (left !== 0) damaged(`the value of block ${owner} misses ${left} bytes`)
  }

  #use(block: number, sizeClass: number): void {
    const { geometry, classes } = this.#store
    const page = block >>> geometry.pageShift
    const known = this.classOf[page]!
    if (known === 0) this.classOf[page] = sizeClass
    else if (known !== sizeClass) damaged(`page ${page} has blocks of classes ${known} and ${sizeClass}`)
    const size = classes.sizes[sizeClass]!
    const offset = block & (geometry.pageBytes - 1)
    const slot = (offset / size) | 0
    if (slot * size !== offset || slot >= classes.slots[sizeClass]!) damaged(`block ${block} is not at a place of its class`)
    const bit = 1 << ((block >>> 3) & 31)
    if ((this.#used[block >>> 8]! & bit) !== 0) damaged(`block ${block} is linked twice`)
    this.#used[block >>> 8]! |= bit
    this.live[page]!++
    if (slot >= this.fresh[page]!) this.fresh[page] = slot + 1
  }

  /** Whether a block in use is an entry, not a segment and not prepared. */
  #isEntry(block: number): boolean {
    const { words } = this.#store
    return (words[(block >> 2) + LENS]! & NO_ENTRY) === 0 && slotOf(words, block) === 0
  }

  #isBlock(block: number): boolean {
    const { firstBlock, lastBlock } = this.#store.geometry
    return block >= firstBlock && block <= lastBlock && (block & 7) === 0
  }
}

function damaged(what: string): never {
  throw new Error(`the table is damaged: ${what}`)
}
