/**
 * The locks of one shard: which transaction holds which of its keys, and whether one excludes all others.
 *
 * A key is known by its hash, so that one that is absent can be locked; two keys of one hash share a lock, which costs a wait and
 * nothing else. The locks lie in a shared buffer, so that a shard that restarts holds them still:
 *
 *   words 0       holder of the exclusive lock
 *   words 2i+1    hash          written by the shard, before its holder; read by its next incarnation
 *   words 2i+2    holder, 0 for none: the slot and, above 13 bits, the low bits of its generation
 */

/** How many keys of one shard can be locked at a time. */
const MAX_LOCKS = 65_536
export const LOCKS_BYTES = (1 + MAX_LOCKS * 2) * 4

const SLOT_BITS = 13

/** Who holds a lock: a slot and its generation in one number. */
export function holderOf(slot: number, generation: number): number {
  return slot | (generation << SLOT_BITS)
}

export function slotOf(holder: number): number {
  return holder & ((1 << SLOT_BITS) - 1)
}

export function generationOf(holder: number): number {
  return holder >>> SLOT_BITS
}

export class Locks {
  /** The holder of the lock that excludes all other transactions, 0 if there is none. */
  exclusive = 0
  readonly #words: Int32Array
  readonly #held = new Map<number, number>()
  readonly #places = new Map<number, number[]>()
  readonly #free: number[] = []
  /** Places from here on were never used. */
  #fresh = 0

  /** Takes up a buffer of `LOCKS_BYTES`, of zeros or left by another incarnation. */
  constructor(buffer: SharedArrayBuffer) {
    const words = this.#words = new Int32Array(buffer)
    this.exclusive = words[0]!
    for (let place = MAX_LOCKS - 1; place >= 0; place--) {
      const holder = words[place * 2 + 2]!
      if (holder === 0) {
        if (this.#fresh > 0) this.#free.push(place)
        continue
      }
      this.#fresh ||= place + 1
      this.#note(words[place * 2 + 1]!, holder, place)
    }
  }

  /** How many keys are locked. */
  get count(): number {
    return this.#held.size
  }

  /** Who holds the key of a hash, 0 if nobody does. */
  holder(hash: number): number {
    return this.#held.get(hash) ?? 0
  }

  /** Everybody who holds something. */
  holders(): number[] {
    return [...new Set([...this.#places.keys(), ...this.exclusive === 0 ? [] : [this.exclusive]])]
  }

  /** Whether so many more keys can be locked. */
  hasRoom(keys: number): boolean {
    return MAX_LOCKS - this.#fresh + this.#free.length >= keys
  }

  /** Locks keys that nobody else holds. */
  take(hashes: readonly number[], holder: number): void {
    for (const hash of hashes) {
      if (this.#held.has(hash)) continue
      const place = this.#free.pop() ?? this.#fresh++
      this.#words[place * 2 + 1] = hash
      Atomics.store(this.#words, place * 2 + 2, holder)
      this.#note(hash, holder, place)
    }
  }

  takeExclusive(holder: number): void {
    Atomics.store(this.#words, 0, holder)
    this.exclusive = holder
  }

  /** Lets go of all that a transaction holds here. */
  release(holder: number): void {
    for (const place of this.#places.get(holder) ?? []) {
      this.#held.delete(this.#words[place * 2 + 1]!)
      Atomics.store(this.#words, place * 2 + 2, 0)
      this.#free.push(place)
    }
    this.#places.delete(holder)
    if (this.exclusive !== holder) return
    Atomics.store(this.#words, 0, 0)
    this.exclusive = 0
  }

  #note(hash: number, holder: number, place: number): void {
    this.#held.set(hash, holder)
    const places = this.#places.get(holder)
    if (places === undefined) this.#places.set(holder, [place])
    else places.push(place)
  }
}
