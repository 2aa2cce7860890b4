/**
 * Which entries were evicted of late, by their hashes: as a queue that forgets what is older than a window of evictions.
 *
 * A set-associative table as the S3-FIFO paper proposes (its section 4.2): a set is one line of the processor's cache, 16 words of
 * 16 bits of hash and 16 bits of time. The oldest word of a set makes room for a new one. About 8 bytes for each entry of
 * the window, 4 at best. What it says is wrong for one hash in some thousand, and for a hash whose set was crowded.
 */
import { mix32 } from '../../hash.js'

const WAYS = 16
/** Hashes that a set is meant to hold: half of what it can, so that few are crowded out. */
const MEANT = 8
/** Units of time in a window; 16 times as many, and time comes round. */
const WINDOW_UNITS = 4096

export class GhostQueue {
  #ways = new Uint32Array(0)
  #setMask = 0
  /** Evictions that count as one unit of time. */
  #unit = 1
  #window = 0
  #evictions = 0

  /** Notes an eviction. `window`: how many evictions it is to be remembered for. */
  add(hash: number, window: number): void {
    while (window > this.#ways.length / WAYS * MEANT) this.#grow()
    this.#window = window
    this.#evictions++
    const now = this.#now()
    const mixed = mix32(hash)
    const first = this.#firstWay(mixed)
    let chosen = first
    let oldest = -1
    for (let way = first; way < first + WAYS; way++) {
      if (this.#ways[way]! >>> 16 === mixed >>> 16) {
        chosen = way
        break
      }
      const age = (now - this.#ways[way]!) & 0xffff
      if (age > oldest) {
        oldest = age
        chosen = way
      }
    }
    this.#ways[chosen] = (mixed & 0xffff0000) | now
  }

  /** Whether a hash was evicted within the window. It is not known any more then. */
  take(hash: number): boolean {
    if (this.#ways.length === 0) return false
    const now = this.#now()
    const mixed = mix32(hash)
    const first = this.#firstWay(mixed)
    for (let way = first; way < first + WAYS; way++) {
      if (this.#ways[way]! >>> 16 !== mixed >>> 16) continue
      const age = (now - this.#ways[way]!) & 0xffff
      if (age * this.#unit >= this.#window) continue
      this.#ways[way] = (mixed & 0xffff0000) | ((now - 0x8000) & 0xffff)
      return true
    }
    return false
  }

  clear(): void {
    this.#ways.fill(0)
    this.#begin()
  }

  #now(): number {
    return Math.floor(this.#evictions / this.#unit) & 0xffff
  }

  #firstWay(mixed: number): number {
    return (Math.imul(mixed, 0x9e3779b1) >>> 8 & this.#setMask) * WAYS
  }

  /** Doubles it. A set's hashes go to that set or to its copy. */
  #grow(): void {
    const old = this.#ways
    const oldNow = this.#now()
    const oldUnit = this.#unit
    this.#ways = new Uint32Array(Math.max(WAYS, old.length * 2))
    const sets = this.#ways.length / WAYS
    this.#setMask = sets - 1
    this.#unit = Math.max(1, Math.ceil(sets * MEANT / WINDOW_UNITS))
    this.#begin()
    const now = this.#now()
    for (let way = 0; way < this.#ways.length && old.length > 0; way++) {
      const word = old[way % old.length]!
      const age = Math.floor(((oldNow - word) & 0xffff) * oldUnit / this.#unit)
      this.#ways[way] = (word & 0xffff0000) | ((now - age) & 0xffff)
    }
  }

  /** Words that were never written, 0, look as old as can be. */
  #begin(): void {
    this.#evictions = this.#unit * 0x8000
  }
}
