/**
 * The read log: where readers note the hashes of what they read, for policies that want to know (`READ_NOTES.hashes`).
 *
 *   strip: u32 position, 60 bytes of nothing, u32 hash × 16 to 512          4 to 16 strips, between the index and the pages
 *
 * A reader writes into the strip of its thread with plain stores, round and round. The writer takes what is new now and then.
 * Nobody waits and nothing is checked: what comes too fast is overwritten, threads that share a strip may lose a note, and a
 * hash that is half of one read and half of another is as good as none. A strip begins a line of the processor's cache of
 * its own, so threads do not slow each other down.
 */
import { threadId } from 'node:worker_threads'
import type { Geometry } from './layout.js'

const MIN_STRIPS = 4
const MAX_STRIPS = 16
/** One strip for so many bytes of table. */
const BYTES_PER_STRIP = 16_384
/** A position has its line to itself. */
const POSITION_WORDS = 16
const MIN_NOTES = 16
const MAX_NOTES = 512
/** One note for so many bytes of table. */
const BYTES_PER_NOTE = 8192

/** Notes that a strip of a table of this size holds: a power of two. */
export function readLogNotes(bytes: number): number {
  let notes = MIN_NOTES
  while (notes < MAX_NOTES && bytes / (notes * 2) >= BYTES_PER_NOTE) notes *= 2
  return notes
}

/** Strips of the log of a table of this size: a power of two. */
export function readLogStrips(bytes: number): number {
  let strips = MIN_STRIPS
  while (strips < MAX_STRIPS && bytes / (strips * 2) >= BYTES_PER_STRIP) strips *= 2
  return strips
}

/** Words that a log takes. */
export function readLogWords(strips: number, notes: number): number {
  return strips * (POSITION_WORDS + notes)
}

/** A reader's side: the strip of this thread. */
export class ReadLogStrip {
  readonly #words: Int32Array
  readonly #position: number
  readonly #mask: number

  constructor(words: Int32Array, geometry: Geometry) {
    this.#words = words
    this.#position = geometry.readLogWord + (threadId & (geometry.readLogStrips - 1)) * (POSITION_WORDS + geometry.readLogNotes)
    this.#mask = geometry.readLogNotes - 1
  }

  note(hash: number): void {
    const words = this.#words
    const position = words[this.#position]!
    words[this.#position + POSITION_WORDS + (position & this.#mask)] = hash
    words[this.#position] = position + 1
  }
}

/** The writer's side. */
export class ReadLog {
  readonly #words: Int32Array
  readonly #first: number
  readonly #stride: number
  readonly #notes: number
  /** By strip: the position up to which it was taken. */
  readonly #taken: Int32Array

  constructor(words: Int32Array, geometry: Geometry) {
    this.#words = words
    this.#first = geometry.readLogWord
    this.#notes = geometry.readLogNotes
    this.#stride = POSITION_WORDS + this.#notes
    this.#taken = Int32Array.from({ length: geometry.readLogStrips }, (_, strip) => words[this.#first + strip * this.#stride]!)
  }

  /** Hands over what was noted since the last time, at most `most` notes. Returns how many. */
  take(most: number, hear: (hash: number) => void): number {
    const words = this.#words
    let left = most
    for (let strip = 0; strip < this.#taken.length && left > 0; strip++) {
      const position = this.#first + strip * this.#stride
      // A plain read: a note that is missed now is taken the next time, and one that is read too early is another hash.
      const end = words[position]!
      let taken = this.#taken[strip]!
      if (taken === end) continue
      if (((end - taken) | 0) > this.#notes || ((end - taken) | 0) < 0) taken = (end - this.#notes) | 0
      for (; taken !== end && left > 0; left--) {
        hear(words[position + POSITION_WORDS + (taken & (this.#notes - 1))]!)
        taken = (taken + 1) | 0
      }
      this.#taken[strip] = taken
    }
    return most - left
  }
}
