/** To one shard, by `stream`: runs a function over a slice of the shard's entries and replies with those that it wants. */
import { monotonicMs } from '../../runtime/clock.js'
import { functionNamed } from '../../runtime/functions.js'
import { hash32 } from '../../runtime/hash.js'
import { appendRecord, RecordReader } from '../../runtime/table/records.js'
import { ScanBatch } from '../../runtime/table/scan-batch.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import type { Action } from '../action.js'
import { Row, readSelect } from '../walks/entry.js'
import type { Shard } from '../shards/shard.js'

/**
 * A request, as the rest of its message: the function's name, where to go on, the most entries to reply with, whether their
 * values are wanted. Where to go on is a cursor of the table; or keys, as records, and an offset among these.
 */
export type ScanRequest = readonly [name: string, from: number, entries: number, values: boolean, keys?: Uint8Array]

/** Where to go on (0: it is through; among keys, their end), and the entries, as records. */
export type ScanReply = [next: number, found: Uint8Array]

/** After so many milliseconds a slice ends at the next entry: other messages wait meanwhile. */
const SLICE_MS = 2
/** A slice's reply has so many bytes, and one entry more. */
const SLICE_BYTES = 1 << 18

const entryOf = readSelect(undefined)

/** Not public. A slice ends early, also without an entry, when it has taken its time. */
export const scan: Action = {
  name: 'scan', writes: false, arity: 0, options: [],
  call: () => undefined,
  apply(shard, request): ScanReply {
    const [name, from, entries, values, keys] = shard.rest(request) as ScanRequest
    // Also where there is no entry to run it on.
    functionNamed(name, shard.context.node)
    const slice = new Slice(shard, name, entries, values)
    const next = keys === undefined ? slice.throughTable(from) : slice.throughKeys(keys, from)
    return [next, slice.found]
  },
}

class Slice {
  readonly #shard: Shard
  readonly #name: string
  readonly #entries: number
  readonly #values: boolean
  readonly #batch = new ScanBatch()
  readonly #row = new Row()
  readonly #found = new Scratch()
  readonly #untilMs = monotonicMs() + SLICE_MS
  #count = 0

  constructor(shard: Shard, name: string, entries: number, values: boolean) {
    this.#shard = shard
    this.#name = name
    this.#entries = entries
    this.#values = values
  }

  get found(): Uint8Array {
    return this.#found.bytes.subarray(0, this.#found.end)
  }

  /** A bucket at a time, which holds an entry or two. */
  throughTable(cursor: number): number {
    const { reader } = this.#shard
    do {
      cursor = reader.scan(cursor, 1, this.#batch, true)
      this.#test()
    } while (cursor !== 0 && this.#goesOn)
    return cursor
  }

  throughKeys(keys: Uint8Array, from: number): number {
    const { reader, config: { seed } } = this.#shard
    const record = new RecordReader(Buffer.from(keys.buffer, keys.byteOffset, keys.byteLength), from)
    while (this.#goesOn && record.next()) {
      const { bytes, keyStart, keyEnd } = record
      this.#batch.reset()
      reader.pick(hash32(bytes, keyStart, keyEnd, seed), bytes, keyStart, keyEnd, this.#batch, true)
      this.#test()
    }
    return record.at
  }

  get #goesOn(): boolean {
    return this.#count < this.#entries && this.#found.end < SLICE_BYTES && monotonicMs() < this.#untilMs
  }

  /** Runs the function on what is in the batch and keeps what it wants. */
  #test(): void {
    const batch = this.#batch
    const shard = this.#shard
    for (let index = 0; index < batch.count; index++) {
      const row = this.#row.on(batch, index, shard.context.now())
      if ((shard.config.lazy && row.expired) || !shard.limited(undefined, () => shard.call(this.#name, [entryOf.pick(row)]))) continue
      const { bytes } = batch.scratch
      const valueEnd = this.#values ? batch.valueEnds[index]! : batch.valueStarts[index]!
      appendRecord(this.#found, bytes, batch.keyStarts[index]!, batch.keyEnds[index]!, bytes, batch.valueStarts[index]!, valueEnd, batch.modified[index]!, batch.expires[index]!, batch.durations[index]!)
      this.#count++
    }
  }
}
