/**
 * Comparing and copying ranges of bytes, of any alignment, private or shared, without garbage for short ones.
 */

/** Longer ranges are copied through a view: two small objects, and the speed of the machine's own copy. */
const LONG_BYTES = 320
const LONG_KEY_BYTES = 48

/** A `DataView` of the buffer that was asked for last: callers hand the same few buffers again and again. */
export class ViewOf {
  #buffer: Uint8Array = EMPTY
  #view: DataView = new DataView(EMPTY.buffer)

  of(buffer: Uint8Array): DataView {
    if (buffer !== this.#buffer) {
      this.#view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength)
      this.#buffer = buffer
    }
    return this.#view
  }
}

const EMPTY = new Uint8Array(0)

/** Whether `a` from `aStart` holds the bytes `start` to `end` of `b`. Readers may ask for a range that `a` does not have. */
export function sameBytes(a: Buffer, aStart: number, b: Buffer, start: number, end: number): boolean {
  if (end - start > LONG_KEY_BYTES) return aStart + end - start <= a.length && b.compare(a, aStart, aStart + end - start, start, end) === 0
  for (let at = start, other = aStart; at < end; at++, other++) {
    if (a[other] !== b[at]) return false
  }
  return true
}

/** Copies `from` bytes `start` to `end` into `to` at `at`. `toView` and `fromView` are views of the same memory. */
export function copyBytes(to: Buffer, toView: DataView, at: number, from: Buffer, fromView: DataView, start: number, end: number): void {
  if (end - start > LONG_BYTES) {
    to.set(from.subarray(start, end), at)
    return
  }
  let source = start
  let target = at
  for (const last = end - 4; source <= last; source += 4, target += 4) toView.setInt32(target, fromView.getInt32(source, true), true)
  for (; source < end; source++, target++) to[target] = from[source]!
}

/** Copies whole words, for blocks of the table. */
export function copyWords(words: Int32Array, to: number, from: number, count: number): void {
  if (count > 128) {
    words.copyWithin(to, from, from + count)
    return
  }
  for (let index = 0; index < count; index++) words[to + index] = words[from + index]!
}

/** Milliseconds from two words. */
export function readTime(words: Int32Array, word: number): number {
  return (words[word]! >>> 0) + (words[word + 1]! >>> 0) * 4294967296
}

/** Milliseconds into two words. A fraction is cut off. */
export function writeTime(words: Int32Array, word: number, ms: number): void {
  words[word] = ms | 0
  words[word + 1] = (ms / 4294967296) | 0
}
