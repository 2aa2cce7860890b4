/**
 * Which loads wait for which, so that loads that wait for each other in a circle are found. In shared memory: their functions run on
 * different threads.
 *
 * An edge is six words: 0 whose it is (client + 1, 0 for free; taken by compare-and-exchange, and negative until the others are written), 1 2 the load that
 * waits, 3 4 the load that it waits for (each by two hashes of its key), 5 the deadline word of the load that waits: an edge that its thread left behind
 * counts no longer. Whoever enters an edge publishes it before it looks for a circle, so of several that close one at the same moment at least
 * one finds it.
 */
import { deadlineMsWord, monotonicMs, nowMsWord } from '../../runtime/clock.js'
import { hash32 } from '../../runtime/hash.js'

const EDGE_WORDS = 6
const MAX_EDGES = 4096
export const LOAD_WAITS_BYTES = MAX_EDGES * EDGE_WORDS * 4

/** A wait of a load for another: two hashes of the key of each. */
export type LoadEdge = readonly [fromFirst: number, fromSecond: number, toFirst: number, toSecond: number]

/** A key that is loaded, as the edges name it. */
export interface LoadedKey {
  readonly first: number
  readonly second: number
  /** When its load ends at the latest, in monotonic milliseconds. */
  readonly untilMs: number
}

export function loadedKey(key: Uint8Array, limitMs: number): LoadedKey {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.length)
  return { first: hash32(bytes, 0, bytes.length, 0x51ed270b) | 0, second: hash32(bytes, 0, bytes.length, 0x2c1b3c6d) | 0, untilMs: monotonicMs() + limitMs }
}

export class LoadWaits {
  readonly #words: Int32Array

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer)
  }

  /** A load waits for a key. Returns what takes the edge out again; `undefined` if it would wait for itself. */
  enter(client: number, from: LoadedKey, to: LoadedKey): (() => void) | undefined {
    const place = this.#take(client)
    // As many waits within loads are no circle, whatever else they are.
    if (place < 0) return () => undefined
    const words = this.#words
    words[place + 1] = from.first
    words[place + 2] = from.second
    words[place + 3] = to.first
    words[place + 4] = to.second
    words[place + 5] = deadlineMsWord(from.untilMs)
    Atomics.store(words, place, client + 1)
    if (!leadsTo(to, from, this.edges())) return () => this.#leave(place)
    this.#leave(place)
    return undefined
  }

  /** All waits that there are. */
  edges(): LoadEdge[] {
    const edges: LoadEdge[] = []
    const words = this.#words
    for (let place = 0; place < MAX_EDGES * EDGE_WORDS; place += EDGE_WORDS) {
      if (Atomics.load(words, place) > 0 && !this.#isStale(place)) edges.push([words[place + 1]!, words[place + 2]!, words[place + 3]!, words[place + 4]!])
    }
    return edges
  }

  #take(client: number): number {
    for (let place = 0; place < MAX_EDGES * EDGE_WORDS; place += EDGE_WORDS) {
      const owner = Atomics.load(this.#words, place)
      if (owner !== 0 && !this.#isStale(place)) continue
      if (Atomics.compareExchange(this.#words, place, owner, -(client + 1)) === owner) return place
    }
    return -1
  }

  #leave(place: number): void {
    Atomics.store(this.#words, place, 0)
  }

  /** Left behind by a thread that ended: whoever waits within a load is at its end when the load is. */
  #isStale(place: number): boolean {
    return this.#words[place]! > 0 && ((this.#words[place + 5]! - nowMsWord(monotonicMs() - GRACE_MS)) | 0) < 0
  }
}

/** Whether waits lead from one load to another. */
export function leadsTo(from: LoadedKey, target: LoadedKey, edges: readonly LoadEdge[]): boolean {
  const targets = new Map<string, string[]>()
  for (const [fromFirst, fromSecond, toFirst, toSecond] of edges) {
    const name = `${fromFirst} ${fromSecond}`
    targets.set(name, [...targets.get(name) ?? [], `${toFirst} ${toSecond}`])
  }
  const seen = new Set<string>()
  const open = [nameOf(from)]
  for (let name; (name = open.pop()) !== undefined;) {
    if (name === nameOf(target)) return true
    if (seen.has(name)) continue
    seen.add(name)
    open.push(...targets.get(name) ?? [])
  }
  return false
}

function nameOf({ first, second }: LoadedKey): string {
  return `${first} ${second}`
}

/** How much longer than its load an edge counts, in milliseconds. */
const GRACE_MS = 1000
