/**
 * The bytes of a table: one `SharedArrayBuffer` of fixed size, written by one thread and read by any number of them.
 *
 *   ┌────────┬─────────────────────────────────────────┬──────────┬─────────┬──────┬──────┬───┬──────┐
 *   │ header │ groups: u32 version, u32 × 3 heads each │ read log │ padding │ page │ page │ … │ page │
 *   └────────┴─────────────────────────────────────────┴──────────┴─────────┴──────┴──────┴───┴──────┘
 *
 * A version and the heads of its three buckets share 16 aligned bytes, so that a read misses the processor's caches once for
 * both. A head's version is the word at the head's index with its two low bits cleared. Blocks are at multiples of 8: the three
 * low bits of a head count, as 0, 1, 11 and 111, how often the bucket's entries were read (`ACCESS_BITS`). `next` has none.
 *
 * A page holds blocks of one size class (`size-classes.ts`). There is no page directory: a block's class follows from its
 * lengths, so what a directory would say can be read off the blocks themselves, and cannot contradict them.
 *
 * A block of an entry:                                       A block of a segment of a large value:
 *
 *    0  u32  next: the next block of the chain, 0 = none        0  u32  next: the next segment, 0 = none
 *    4  i32  hash                                               4  i32  hash of the entry that it belongs to
 *    8  u32  lens: bits 0–13 key bytes, 14–27 value bytes       8  u32  lens: bit 31, and bits 0–17 bytes of payload
 *            28 has expiry, 29 large, 30 tagged, 31 no entry   12       payload
 *   12  u32  modified, low word (ms)
 *   16  u16  modified, high word                             A free block: lens is bit 31 alone; the hash's word
 *   18  u8   policy: bits 0–1 its list in the order,         holds the next free block of the page.
 *            bits 4–7, with
 *   19  u8   the next byte: modified, 1/4096 ms
 *   20  u32  older: the entry before it in its list
 *   24  u32  newer: the entry after it in its list
 *   28       if has expiry: u32 × 2 expires (ms, low and high), u32 × 2 duration
 *            if large:      u32 bytes of the value, u32 first segment; the value's length in `lens` is 0
 *            if tagged:     u32 slot of the transaction table (`transactions.ts`), 0 for none any more
 *            key bytes, value bytes
 *
 * A block with a slot is prepared: it stands in its chain before the entry of its key, if there is one, and counts in its
 * place once the slot's transaction is committed. Without a value it is a prepared removal. It is no entry yet: neither in
 * the order of insertion nor in the count. Tagged with slot 0 it is an entry like any other.
 *
 * Who touches what, how, and why that is enough:
 *
 *   field                      written by writer         read by readers    why
 *   heads, `next` of blocks    Atomics.store             Atomics.load       publishes what was filled before it
 *   access bits of heads       with the head;            Atomics.or         nobody changes another bit with them, and one that
 *                              Atomics.and                                  is set in a head that has moved on is only a count
 *   versions                   Atomics.add               Atomics.load; the last look at it is a read-modify-write where
 *                                                        the processor reorders loads (`version.ts`)
 *   hash, lens, times, bytes   plain, before the store   plain              never change while reachable; whoever reads a
 *                              that publishes                               block that was freed sees its version moved
 *   slot of a tagged block     plain, before the store   plain, then the    changes once, to 0, when its transaction is committed
 *                              that publishes; then      slot's state by    and the entry that it replaces is out of the chain; a
 *                              Atomics.store of 0        Atomics.load       bump follows before the slot can be another's
 *   policy, older, newer       plain                     never              repaired at open, if the writer died
 *   read log                   plain                     plain (written)    notes may be lost or wrong (`read-log.ts`)
 *   counters, state            plain                     plain              one word each, for information only
 *   seed, geometry             at creation               plain              never change
 *
 * A killed writer leaves the index whole at every instruction, because every change of it is one store.
 * Lock and transaction tables are buffers of their own.
 */
import { CacheError } from '../errors.js'
import { readLogNotes, readLogStrips, readLogWords } from './read-log.js'

/** "Scat" as a little-endian word. */
const MAGIC = 0x74616353
const LAYOUT_VERSION = 2

export const MIN_TABLE_BYTES = 65_536
export const MAX_TABLE_BYTES = 0x8000_0000

const HEADER_BYTES = 256
/** The first group. A multiple of 4. */
const INDEX_WORD = HEADER_BYTES / 4

/** Indices of header words. Those up to 15 hardly ever change: every read looks at some of them. */
const MAGIC_WORD = 0
const LAYOUT_WORD = 1
const BYTES_WORD = 2
const SEED_WORD = 3
const STATE_WORD = 4
/** What readers are to note for the policy, one of `READ_NOTES`. */
export const READ_NOTES_WORD = 5
export const OPENED_WORD = 6
/** The writer's, changed with every entry. */
export const ENTRIES_WORD = 16
export const BYTES_USED_WORD = 17
export const EVICTIONS_WORD = 18
export const MOVES_WORD = 19
/** The ends of the lists in the order. */
export const OLDEST_WORDS = [20, 21, 22] as const
export const NEWEST_WORDS = [23, 24, 25] as const

/** Offsets of a block's words, in words. `next` is the first. */
export const HASH = 1
export const LENS = 2
export const MODIFIED = 3
export const OLDER = 5
export const NEWER = 6
/** Where the next free block of a page is noted: a stale reader that stands on a free block still follows its old `next`. */
export const FREE_NEXT = HASH
/** Byte offset of the policy byte, and its bits that are the number of a list. */
export const POLICY_BYTE = 18
export const LIST_BITS = 3
/** Of a millisecond: what the bits above the list count, so that writes have an order. As fine as a double is at such times. */
export const FRACTIONS = 4096
export const FRACTION_SHIFT = 20

export const FIXED_BYTES = 28
export const FIXED_WORDS = 7
/** What an expiry and a tag would add to a block. */
export const OPTIONAL_BYTES = 20
/** What a large entry's block has for the value's length and its first segment. */
export const LARGE_BYTES = 8
export const SEGMENT_BYTES = 12
export const MIN_BLOCK_BYTES = 32

export const MAX_KEY_BYTES = 0x3fff
export const HAS_EXPIRY = 1 << 28
export const LARGE = 1 << 29
export const TAGGED = 1 << 30
export const NO_ENTRY = 1 << 31
/** `lens` of a free block. */
export const FREE = NO_ENTRY

/** `modified` has 48 bits: up to the year 10889. */
export const MAX_MODIFIED_MS = 2 ** 48 - 1

/** Offset of the key in a block, from its `lens`: 28, and 16, 8 and 4 for the flags. */
export function keyOffset(lens: number): number {
  return FIXED_BYTES + ((lens >>> 24) & 16) + ((lens >>> 26) & 8) + ((lens >>> 28) & 4)
}

/** When a block was modified, in ms since 1970, with a fraction of so many parts as `FRACTIONS`. */
export function modifiedAt(words: Int32Array, block: number): number {
  const high = words[(block >> 2) + MODIFIED + 1]!
  return (words[(block >> 2) + MODIFIED]! >>> 0) + (high & 0xffff) * 4294967296 + (high >>> FRACTION_SHIFT) / FRACTIONS
}

export function keyLengthOf(lens: number): number {
  return lens & 0x3fff
}

/** Bytes of the value inside the block: 0 for a large one. */
export function inlineLengthOf(lens: number): number {
  return (lens >>> 14) & 0x3fff
}

/** The word that holds a large value's length, from the block's first word; the first segment's word follows. */
export function largeWord(firstWord: number, lens: number): number {
  return firstWord + FIXED_WORDS + ((lens >>> 26) & 4)
}

/** Bits of a head that count reads of its bucket; the others are its first block, 0 if it is empty. */
export const ACCESS_BITS = 7
/** Bits of a head that are its first block. */
export const BLOCK_BITS = ~ACCESS_BITS

/** Counts a read in a head, by any thread: up to three, in one step that changes nothing else. */
export function countRead(words: Int32Array, head: number): void {
  const bits = words[head]! & ACCESS_BITS
  if (bits !== ACCESS_BITS) Atomics.or(words, head, ((bits << 1) | 1) & ACCESS_BITS)
}

/** The word of a tagged block's slot, from the block's first word: the one before its key. */
export function tagWord(firstWord: number, lens: number): number {
  return firstWord + (keyOffset(lens) >> 2) - 1
}

/** The slot that a block was prepared for, 0 for an entry. Writer's thread only. */
export function slotOf(words: Int32Array, block: number): number {
  const lens = words[(block >> 2) + LENS]!
  return (lens & TAGGED) === 0 ? 0 : words[tagWord(block >> 2, lens)]!
}

/** Whether a prepared block with these lengths removes its key. */
export function isRemoval(lens: number): boolean {
  return (lens & LARGE) === 0 && inlineLengthOf(lens) === 0
}

/** What a table is doing, for everyone who reads it. */
export const TABLE_STATE = { running: 0, stopping: 1, stopped: 2 } as const
export type TableState = (typeof TABLE_STATE)[keyof typeof TABLE_STATE]

/** Where everything is: follows from the size alone. Offsets in bytes unless they say words. */
export interface Geometry {
  readonly bytes: number
  readonly buckets: number
  /** What a mixed hash is multiplied with to get its bucket. */
  readonly bucketScale: number
  readonly groups: number
  /** The word at which the read log begins, at the start of a cache line. */
  readonly readLogWord: number
  readonly readLogStrips: number
  /** Notes of each strip. */
  readonly readLogNotes: number
  readonly pageShift: number
  readonly pageBytes: number
  /** Pages before this one are the header and the index. */
  readonly firstPage: number
  readonly endPage: number
  /** No block starts before or after these. */
  readonly firstBlock: number
  readonly lastBlock: number
  /** The longest value that a put takes: a quarter of the table. */
  readonly maxValueBytes: number
  /** The longest encoded key: what fits the largest block even if the value does not. */
  readonly maxKeyBytes: number
}

/** One bucket for so many bytes of table: at 70% fill with 110-byte entries, 0.8 entries a bucket and 6.5 bytes an entry. */
const BYTES_PER_BUCKET = 176

export function geometryOf(bytes: number): Geometry {
  // 512 pages or more where that leaves pages of 1 KB to 64 KB: every size class in use holds a page that is partly empty.
  let pageShift = 10
  while (pageShift < 16 && bytes >>> (pageShift + 1) >= 512) pageShift++
  const pageBytes = 1 << pageShift
  const endPage = bytes >>> pageShift
  const groups = Math.ceil(bytes / BYTES_PER_BUCKET / 3)
  const buckets = groups * 3
  const readLogWord = (INDEX_WORD + groups * 4 + 15) & ~15
  const strips = readLogStrips(bytes)
  const notes = readLogNotes(bytes)
  const firstPage = Math.ceil((readLogWord + readLogWords(strips, notes)) * 4 / pageBytes)
  return {
    bytes: endPage * pageBytes, buckets, bucketScale: buckets / 2 ** 32, groups, readLogWord, readLogStrips: strips, readLogNotes: notes, pageShift, pageBytes, firstPage, endPage,
    firstBlock: firstPage * pageBytes, lastBlock: endPage * pageBytes - MIN_BLOCK_BYTES, maxValueBytes: Math.floor(bytes / 4),
    maxKeyBytes: Math.min(MAX_KEY_BYTES, maxBlockBytesOf(pageBytes) - FIXED_BYTES - OPTIONAL_BYTES - LARGE_BYTES),
  }
}

/** The largest block short of a whole page. */
export function maxBlockBytesOf(pageBytes: number): number {
  return pageBytes >= 4096 ? pageBytes / 4 : pageBytes / 2
}

/** A hash's bucket. The product spreads the hash's low bits over the high ones, which then choose. */
export function bucketOf(hash: number, bucketScale: number): number {
  return ((Math.imul(hash, 0x9e3779b1) >>> 0) * bucketScale) | 0
}

/** The word of the head of a hash's bucket. */
export function headOf(hash: number, bucketScale: number): number {
  return headOfBucket(bucketOf(hash, bucketScale))
}

/** The word of the head of a bucket. */
export function headOfBucket(bucket: number): number {
  return INDEX_WORD + 1 + bucket + ((bucket / 3) | 0)
}

/** The word of the version that a head belongs to. */
export function versionOf(head: number): number {
  return head & ~3
}

/** The word of the version of a group of buckets; the heads follow it. */
export function versionOfGroup(group: number): number {
  return INDEX_WORD + group * 4
}

/**
 * Allocates an empty table. The kernel commits its memory as it is first written, so an empty one costs next to nothing.
 *
 * @param options.bytes size of everything, index included: 64 KB to 2 GB; rounded down to whole pages
 * @param options.seed seed of the hash of its keys (32 bits), kept for whoever reads it
 * @throws `ERR_INVALID_OPTION` for a size out of these bounds
 */
export function createTable(options: { bytes: number; seed: number }): SharedArrayBuffer {
  const table = new SharedArrayBuffer(tableBufferBytes(options.bytes))
  initializeTable(table, options)
  return table
}

/** Bytes of the buffer that a table of this size takes. Throws `ERR_INVALID_OPTION` for a size out of bounds. */
export function tableBufferBytes(bytes: number): number {
  if (!Number.isInteger(bytes) || bytes < MIN_TABLE_BYTES || bytes > MAX_TABLE_BYTES) {
    throw new CacheError('ERR_INVALID_OPTION',
      `a table's size has to be a whole number of bytes from ${MIN_TABLE_BYTES} (64 KB) to ${MAX_TABLE_BYTES} (2 GB), not ${bytes}`,
      { option: 'bytes', value: bytes })
  }
  return geometryOf(bytes).bytes
}

/** Makes an empty table of a buffer of zeros that has `tableBufferBytes`. */
export function initializeTable(table: SharedArrayBuffer, { bytes, seed }: { bytes: number; seed: number }): void {
  const words = new Int32Array(table, 0, HEADER_BYTES / 4)
  words[BYTES_WORD] = bytes | 0
  words[SEED_WORD] = seed | 0
  words[LAYOUT_WORD] = LAYOUT_VERSION
  words[BYTES_USED_WORD] = geometryOf(bytes).firstBlock | 0
  // Last: a buffer whose maker died before this is made again.
  words[MAGIC_WORD] = MAGIC
}

/** Whether a buffer has been made a table. */
export function isTable(table: SharedArrayBuffer): boolean {
  return new Int32Array(table, 0, HEADER_BYTES / 4)[MAGIC_WORD] === MAGIC
}

/**
 * Empties a table in place; what is being read from it is read again. For a table that cannot be repaired. Its writer has to
 * be gone, and its size and seed stay.
 */
export function formatTable(table: SharedArrayBuffer): void {
  const geometry = tableGeometry(table)
  const words = new Int32Array(table)
  for (let bucket = 0; bucket < geometry.buckets; bucket++) Atomics.store(words, headOfBucket(bucket), 0)
  for (let group = 0; group < geometry.groups; group++) Atomics.add(words, versionOfGroup(group), 1)
  words[ENTRIES_WORD] = 0
  for (const word of [...OLDEST_WORDS, ...NEWEST_WORDS]) words[word] = 0
  words[BYTES_USED_WORD] = geometry.firstBlock | 0
}

/** The geometry of an existing table. Throws if the buffer is not one. */
export function tableGeometry(table: SharedArrayBuffer): Geometry {
  const words = table.byteLength >= MIN_TABLE_BYTES ? new Int32Array(table, 0, HEADER_BYTES / 4) : undefined
  if (words?.[MAGIC_WORD] === MAGIC && words[LAYOUT_WORD] === LAYOUT_VERSION) {
    const geometry = geometryOf(words[BYTES_WORD]! >>> 0)
    if (geometry.bytes === table.byteLength) return geometry
  }
  throw new CacheError('ERR_INVALID_OPTION', 'this buffer is not a table of this version', { option: 'table' })
}

/** The seed that the table was made with. */
export function tableSeed(table: SharedArrayBuffer): number {
  return new Int32Array(table, 0, HEADER_BYTES / 4)[SEED_WORD]!
}

/** Says to all readers what the table is doing. */
export function setTableState(table: SharedArrayBuffer, state: TableState): void {
  Atomics.store(new Int32Array(table, 0, HEADER_BYTES / 4), STATE_WORD, state)
}

/** What the table is doing. */
export function tableState(table: SharedArrayBuffer): number {
  return stateOf(new Int32Array(table, 0, HEADER_BYTES / 4))
}

/** The state, from the table's words. */
export function stateOf(words: Int32Array): number {
  return words[STATE_WORD]!
}
