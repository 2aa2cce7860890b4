/** Where `TableReader.scan` puts what it finds; used again for batch after batch. */
import { Scratch } from '../codec/scratch.js'
import { sameBytes } from './bytes.js'

/** What a call of `scan` has found: entries 0 to `count`, their bytes in `scratch`. */
export class ScanBatch {
  readonly scratch = new Scratch()
  /** A batch ends when it holds so many bytes. */
  readonly maxBytes: number
  count = 0
  readonly keyStarts: number[] = []
  readonly keyEnds: number[] = []
  /** 0, as `valueEnds`, if the scan is one without values. */
  readonly valueStarts: number[] = []
  readonly valueEnds: number[] = []
  /** When each was modified, ms since 1970. */
  readonly modified: number[] = []
  /** The fraction of `modified`: what of a millisecond. */
  readonly fractions: number[] = []
  /** When each expires, ms since 1970, 0 for never. */
  readonly expires: number[] = []
  /** The time to live set last, 0 for none. */
  readonly durations: number[] = []

  constructor(maxBytes = 1 << 20) {
    this.maxBytes = maxBytes
  }

  reset(): void {
    this.scratch.reset()
    this.count = 0
  }

  /** Whether an entry has this key. */
  hasKey(index: number, key: Buffer, keyStart: number, keyEnd: number): boolean {
    const start = this.keyStarts[index]!
    return this.keyEnds[index]! - start === keyEnd - keyStart && sameBytes(this.scratch.bytes, start, key, keyStart, keyEnd)
  }

  /** Lets an entry stand in the place of another. */
  move(from: number, to: number): void {
    for (const column of [this.keyStarts, this.keyEnds, this.valueStarts, this.valueEnds, this.modified, this.fractions, this.expires, this.durations]) column[to] = column[from]!
  }
}
