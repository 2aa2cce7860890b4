/** The part of a walk that a registered function chooses entries for: tests some of them, on its thread. */
import { Scratch } from '../../runtime/codec/scratch.js'
import { encodeValue } from '../../runtime/codec/value.js'
import { unpackRecords } from '../../runtime/table/records.js'
import { ScanBatch } from '../../runtime/table/scan-batch.js'
import { readSelect, Row } from './entry.js'
import type { ValueReply } from '../functions/function-wire.js'

/** Entries as records: plain data. */
export type FilterTicket = Uint8Array

/** How many of the entries were tested, from the first on, and which of them are wanted. */
export type FilterReply = readonly [tested: number, chosen: readonly number[]]

/** After so many milliseconds a slice ends at the next entry: the thread has other things to do. */
const SLICE_MS = 5

const entryOf = readSelect(undefined)

/** Calls the function with one entry after the other. At least one is tested, however long that takes. */
export async function filterSlice(records: FilterTicket, call: (entry: unknown) => Promise<unknown>, isOver: () => boolean): Promise<ValueReply> {
  const batch = new ScanBatch()
  unpackRecords(records, batch)
  const row = new Row()
  const chosen: number[] = []
  const untilMs = performance.now() + SLICE_MS
  let tested = 0
  do {
    if (await call(entryOf.pick(row.on(batch, tested, 0)))) chosen.push(tested)
    tested++
  } while (tested < batch.count && performance.now() < untilMs && !isOver())
  const scratch = new Scratch(256)
  encodeValue([tested, chosen] satisfies FilterReply, scratch)
  return ['value', undefined, scratch.bytes.subarray(0, scratch.end)]
}
