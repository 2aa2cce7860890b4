/**
 * Values of several keys, in one or several tables, that all held at one moment: so never a part of a transaction.
 *
 * All keys are read; then, in rounds, each is looked at again, and read anew if it does not hold any more what was read. A
 * round that finds nothing changed proves the moment between the reads and that round: there every key held its value. The
 * time by which expiry is judged is taken there too.
 */
import { Scratch } from '../codec/scratch.js'
import { BUSY, MISSING, type ReaderClock, type TableReader } from './reader.js'

/** Under writers that change some of the keys without pause there may never be an end. */
const MAX_ROUNDS = 16

interface Read {
  readonly reader: TableReader
  readonly hash: number
  /** Where its key is. */
  readonly start: number
  readonly end: number
  value: unknown
  expiresAt: number
  block: number
  version: number
}

export class Snapshot {
  readonly #keys = new Scratch()
  readonly #reads: Read[] = []

  /** Adds a key, whose bytes are copied. */
  add(reader: TableReader, hash: number, key: Buffer, keyStart: number, keyEnd: number): void {
    const start = this.#keys.end
    this.#keys.ensure(keyEnd - keyStart)
    key.copy(this.#keys.bytes, start, keyStart, keyEnd)
    this.#keys.end = start + keyEnd - keyStart
    this.#reads.push({ reader, hash, start, end: this.#keys.end, value: MISSING, expiresAt: 0, block: 0, version: 0 })
  }

  /**
   * Reads all keys.
   *
   * @param clock tells whether an entry with an expiry is still there; null: entries that are not swept yet are
   * @returns the values in the order of `add`, `MISSING` where there is none; `BUSY` if writers left no such moment
   */
  read(clock: ReaderClock | null): unknown[] | typeof BUSY {
    for (const read of this.#reads) if (!this.#look(read)) return BUSY
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const now = clock?.now() ?? 0
      let moved = false
      for (const read of this.#reads) {
        if (this.#holds(read)) continue
        moved = true
        if (!this.#look(read)) return BUSY
      }
      if (!moved) return this.#reads.map(({ value, expiresAt }) => (clock !== null && expiresAt !== 0 && expiresAt <= now ? MISSING : value))
    }
    return BUSY
  }

  #look(read: Read): boolean {
    const { reader, hash, start, end } = read
    read.value = reader.look(hash, this.#keys.bytes, start, end)
    read.block = reader.seenBlock
    read.version = reader.seenVersion
    read.expiresAt = read.value === MISSING ? 0 : reader.expiresAt
    return read.value !== BUSY
  }

  #holds({ reader, hash, start, end, block, version }: Read): boolean {
    return reader.holds(hash, this.#keys.bytes, start, end, block, version)
  }
}
