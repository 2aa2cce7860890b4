/** From other nodes, by `import` and `load`: stores entries that this node owns, with their own times. */
import { checkValue } from '../../runtime/codec/value.js'
import { decodeKey } from '../../runtime/codec/key.js'
import { CacheError, invalidArgument } from '../../runtime/errors.js'
import { RecordReader } from '../../runtime/table/records.js'
import type { Action, CallOptions } from '../action.js'
import type { Caller } from '../calls/caller.js'
import { Importer, RecordBatches } from '../walks/importer.js'
import { Patience } from '../calls/patience.js'

/** Not public. All of the records are looked at before the first one is stored. Replies with how many were. */
export const importPart: Action = {
  name: 'importPart', writes: true, arity: 1, options: [], isOffered: true,
  call(caller, records: unknown, options?: CallOptions): Promise<number> {
    if (!(records instanceof Uint8Array)) throw invalidArgument('no records')
    const bytes = Buffer.from(records.buffer, records.byteOffset, records.length)
    for (const record = new RecordReader(bytes); record.next();) checkRecord(caller, record)
    const importer = new Importer(caller, Patience.ofAll(options))
    const batches = new RecordBatches(caller, false, (batch) => importer.send(batch))
    for (const record = new RecordReader(bytes); record.next();) {
      batches.add(bytes, record.keyStart, record.keyEnd, bytes, record.valueStart, record.valueEnd, record.modified, record.expires, record.duration)
    }
    batches.flush()
    return importer.end()
  },
}

/** Throws `ERR_FRAME` for what is no entry, and `ERR_TOO_LARGE` for one that does not fit. */
export function checkRecord({ maxKeyBytes, maxValueBytes }: Caller, { bytes, keyStart, keyEnd, valueStart, valueEnd }: RecordReader): void {
  decodeKey(bytes, keyStart, keyEnd)
  checkValue(bytes, valueStart, valueEnd)
  const keyLength = keyEnd - keyStart
  const valueLength = valueEnd - valueStart
  if (keyLength <= maxKeyBytes && valueLength <= maxValueBytes) return
  throw new CacheError('ERR_TOO_LARGE', `an entry with ${keyLength} bytes of key and ${valueLength} of value, where this cache takes ${maxKeyBytes} and ${maxValueBytes}`, { bytes: keyLength + valueLength })
}
