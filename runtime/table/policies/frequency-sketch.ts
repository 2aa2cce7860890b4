/**
 * How often a hash was seen of late, about: a count-min sketch of 4-bit counters that are halved as time goes by.
 *
 * TinyLFU's, of Gil Einziger, Roy Friedman and Ben Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", ACM Transactions
 * on Storage, 2017, with the four counters of a hash in one line of the processor's cache, as Caffeine places them. 8 to 16
 * bytes for each entry. Halving goes on with the increments, a line at each, so that none takes long.
 */
import { mix32 } from '../../hash.js'

/** Words of a line. Each of the four counters has a quarter of them to itself. */
const LINE_WORDS = 16
const QUARTER_WORDS = 4
const DEPTH = 4
const MOST = 15
/** Entries for each line. */
const LINE_ENTRIES = 8
const MIN_WORDS = 8 * LINE_WORDS
/** Counters are halved after so many increments for each entry. */
const SAMPLE = 10

export class FrequencySketch {
  #words = new Int32Array(0)
  #lineMask = 0
  #sampleSize = 0
  /** Increments since the last halving. */
  #seen = 0
  /** The next word to halve; at the end, none. */
  #halving = 0

  /** Makes it large enough for so many entries. */
  ensure(entries: number): void {
    while (entries * (LINE_WORDS / LINE_ENTRIES) > this.#words.length) this.#grow()
  }

  /** How many entries halving is paced for. */
  set pace(entries: number) {
    this.#sampleSize = entries * SAMPLE
  }

  /** How often a hash was seen: 0 to 15, never too few, but for what was halved. */
  frequency(hash: number): number {
    if (this.#words.length === 0) return 0
    let places = mix32(hash)
    const line = this.#lineOf(places)
    places = mix32(places)
    let least = MOST
    for (let row = 0; row < DEPTH; row++, places >>>= 8) {
      const count = (this.#words[line + row * QUARTER_WORDS + (places & 3)]! >>> (places & 0x1c)) & 15
      if (count < least) least = count
    }
    return least
  }

  /** Counts a hash once more. */
  increment(hash: number): void {
    if (this.#words.length === 0) return
    if (this.#halving < this.#words.length) this.#halveLine()
    let places = mix32(hash)
    const line = this.#lineOf(places)
    places = mix32(places)
    let counted = false
    for (let row = 0; row < DEPTH; row++, places >>>= 8) {
      const word = line + row * QUARTER_WORDS + (places & 3)
      if (((this.#words[word]! >>> (places & 0x1c)) & 15) === MOST) continue
      this.#words[word]! += 1 << (places & 0x1c)
      counted = true
    }
    if (counted && ++this.#seen >= this.#sampleSize) {
      this.#halving = 0
      this.#seen >>>= 1
    }
  }

  clear(): void {
    this.#words.fill(0)
    this.#seen = 0
    this.#halving = this.#words.length
  }

  /** Doubles it. A line's hashes go to that line or to its copy, so that nothing is forgotten. */
  #grow(): void {
    const old = this.#words
    this.#words = new Int32Array(Math.max(MIN_WORDS, old.length * 2))
    for (let at = 0; at < this.#words.length && old.length > 0; at += old.length) this.#words.set(old, at)
    this.#lineMask = this.#words.length / LINE_WORDS - 1
    this.#halving = this.#words.length
  }

  #lineOf(mixed: number): number {
    return (mixed & this.#lineMask) * LINE_WORDS
  }

  #halveLine(): void {
    const end = this.#halving + LINE_WORDS
    for (; this.#halving < end; this.#halving++) this.#words[this.#halving] = (this.#words[this.#halving]! >>> 1) & 0x77777777
  }
}
