/**
 * A shard's table without the shard, filled with the benchmark's keys and values: the thread that writes it can be driven at
 * full speed with no sender that needs a core of its own. Hashes are made beforehand, values are one tag byte and text.
 */
import { NodeClock } from '../../runtime/clock.js'
import { createTable } from '../../runtime/table/layout.js'
import { BUSY, TableReader, type ValueDecoder } from '../../runtime/table/reader.js'
import { TableWriter } from '../../runtime/table/writer.js'
import { KEYS, keys, texts } from './data.js'

const TABLE_BYTES = 64 * 2 ** 20
const TAG = 1

/** All keys' bytes one after the other: key `n` lies from `keyStarts[n]` to `keyStarts[n + 1]`. */
const keyBytes = Buffer.from(keys.join(''), 'latin1')
const keyStarts = new Uint32Array(KEYS + 1)
for (const [n, key] of keys.entries()) keyStarts[n + 1] = keyStarts[n]! + key.length

/** The finalizer of MurmurHash3 (Appleby), over the key's number. */
const hashes = Int32Array.from(keys, (_, n) => {
  let h = n + 1
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
})

const decoder: ValueDecoder = {
  isFlat: (tag) => tag === TAG,
  decodeFlat: (bytes, start, end) => bytes.toString('latin1', start + 1, end),
  decodeValue: () => {
    throw new Error('a value without its tag')
  },
}

/** Writes values of the same length in turn, each key's another one every time. */
export function shardTableWriter(table: SharedArrayBuffer): (n: number, turn: number) => void {
  const writer = TableWriter.open(table)
  const now = Date.now()
  const values = texts.slice(0, 64).map((value) => Buffer.concat([Buffer.of(TAG), Buffer.from(value, 'latin1')]))
  return (n, turn) => {
    const value = values[turn & 63]!
    writer.put(hashes[n]!, keyBytes, keyStarts[n]!, keyStarts[n + 1]!, value, 0, value.length, now, 0, 0)
  }
}

export function filledShardTable(): SharedArrayBuffer {
  const table = createTable({ bytes: TABLE_BYTES, seed: 1 })
  const write = shardTableWriter(table)
  for (let n = 0; n < KEYS; n++) write(n, n)
  return table
}

/** Reads key `n`, again if its buckets were busy; the length of the value, 0 if it is missing. */
export function shardTableReader(table: SharedArrayBuffer): (n: number) => number {
  const reader = new TableReader(table, decoder)
  const clock = new NodeClock()
  return (n) => {
    for (;;) {
      const value = reader.get(hashes[n]!, keyBytes, keyStarts[n]!, keyStarts[n + 1]!, clock)
      if (typeof value === 'string') return value.length
      if (value !== BUSY) return 0
    }
  }
}
