/** From other nodes, by walks in the order of keys: the entries of some keys of this node. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { invalidArgument } from '../../runtime/errors.js'
import { RecordReader } from '../../runtime/table/records.js'
import { ScanBatch } from '../../runtime/table/scan-batch.js'
import type { Action } from '../action.js'
import { recordsOf } from './walk-part.js'

/** How many bytes of the keys it is through with, and the entries that were there, in their order. */
export type PickReply = readonly [next: number, records: Uint8Array]

/** Not public. `keys`: records of keys; `from`: an offset among them; `values`: whether these are wanted. Ends early when it has a batch's bytes. */
export const pickPart: Action = {
  name: 'pickPart', writes: false, arity: 3, options: [], isOffered: true,
  async call(caller, keys: unknown, from: unknown, values: unknown): Promise<PickReply> {
    if (!(keys instanceof Uint8Array) || !Number.isInteger(from) || typeof values !== 'boolean') throw invalidArgument('no keys of a walk')
    caller.refuseIfStopped()
    const batch = new ScanBatch()
    const record = new RecordReader(Buffer.from(keys.buffer, keys.byteOffset, keys.length), from as number)
    while (batch.scratch.end < batch.maxBytes && record.next()) {
      const key = record.bytes.subarray(record.keyStart, record.keyEnd)
      for (caller.encodedKey(key); caller.pick(batch, values) < 0; caller.encodedKey(key)) await nextTurn()
    }
    return [record.at, recordsOf(batch)]
  },
}
