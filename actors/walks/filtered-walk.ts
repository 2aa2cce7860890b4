/**
 * Walks on which a function inside the shards chooses the entries: each step is a message `scan` to one shard, answered after
 * a slice of its entries. Batches are as those of `walk.ts`.
 */
import { encodeKey } from '../../runtime/codec/key.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { appendRecord, RecordReader, unpackRecords } from '../../runtime/table/records.js'
import { ScanBatch } from '../../runtime/table/scan-batch.js'
import { scan, type ScanReply, type ScanRequest } from '../actions/scan.js'
import type { Caller } from '../calls/caller.js'
import { collectKeys, type WalkOptions } from './walk.js'

/** The entries for which the function of that name returns something true, in no order. */
export async function* filteredBatches(caller: Caller, name: string, { entries, values, patience }: WalkOptions): AsyncGenerator<ScanBatch, void, undefined> {
  const batch = new ScanBatch()
  for (let shard = 0; shard < caller.shardCount; shard++) {
    let cursor = 0
    do {
      const [next, found] = await scanShard(caller, shard, [name, cursor, entries, values], patience.step)
      cursor = next
      unpackRecords(found, batch)
      yield batch
      patience.check()
    } while (cursor !== 0)
  }
}

/** As `filteredBatches`, in the order of keys. */
export async function* orderedFilteredBatches(caller: Caller, name: string, walk: WalkOptions): AsyncGenerator<ScanBatch, void, undefined> {
  // Also in an empty cache a function that nobody knows is an error.
  await scanShard(caller, 0, [name, 0, 1, false, NO_KEYS], walk.patience.step)
  const keys = (await collectKeys(caller, true, walk.patience)).merged()
  const batch = new ScanBatch()
  let most = Math.min(walk.entries, FIRST_KEYS)
  for (;;) {
    const asked = new KeyBatch(caller, keys, most)
    if (asked.shards.length === 0) return
    const found = await asked.askWith(caller, name, walk)
    // As many as bring a batch's bytes, if the next ones are like these.
    most = Math.max(1, Math.min(walk.entries, Math.floor(most * batch.maxBytes / found.length), most * 4))
    unpackRecords(found, batch)
    yield batch
  }
}

const FIRST_KEYS = 64
const NO_KEYS = new Uint8Array(0)

/** Keys in order, and which of them are asked of which shard. */
class KeyBatch {
  /** The shard of each. */
  readonly shards: number[] = []
  /** By shard: records of its keys. */
  readonly #packed: Scratch[]

  constructor(caller: Caller, keys: Iterator<unknown, void>, most: number) {
    this.#packed = Array.from({ length: caller.shardCount }, () => new Scratch(256))
    const key = new Scratch(256)
    let bytes = 0
    while (this.shards.length < most && bytes < KEY_BATCH_BYTES) {
      const { value, done } = keys.next()
      if (done === true) break
      key.end = 0
      encodeKey(value, key)
      bytes += key.end
      const shard = caller.shardOfKey(key.bytes, 0, key.end)
      this.shards.push(shard)
      appendRecord(this.#packed[shard]!, key.bytes, 0, key.end, key.bytes, 0, 0, 0, 0, 0)
    }
  }

  /** The entries that the shards found, as records in the order of the keys. */
  async askWith(caller: Caller, name: string, walk: WalkOptions): Promise<Uint8Array> {
    const replies = await Promise.all(this.#packed.map((keys, shard) => askForKeys(caller, shard, name, keys, walk)))
    const found = replies.map((pieces) => new RecordReader(Buffer.concat(pieces)))
    const has = found.map((record) => record.next())
    const asked = this.#packed.map(({ bytes, end }) => new RecordReader(bytes, 0, end))
    const merged = new Scratch()
    for (const shard of this.shards) {
      const { bytes, keyStart, keyEnd } = nextOf(asked[shard]!)
      const entry = found[shard]!
      if (has[shard] !== true || entry.bytes.compare(bytes, keyStart, keyEnd, entry.keyStart, entry.keyEnd) !== 0) continue
      appendRecord(merged, entry.bytes, entry.keyStart, entry.keyEnd, entry.bytes, entry.valueStart, entry.valueEnd, entry.modified, entry.expires, entry.duration)
      has[shard] = entry.next()
    }
    return merged.bytes.subarray(0, merged.end)
  }
}

/** Keys of a batch have so many bytes, and one key more. */
const KEY_BATCH_BYTES = 1 << 18

async function askForKeys(caller: Caller, shard: number, name: string, keys: Scratch, { entries, values, patience }: WalkOptions): Promise<Uint8Array[]> {
  const packed = keys.bytes.subarray(0, keys.end)
  const pieces: Uint8Array[] = []
  for (let from = 0; from < packed.length;) {
    const [next, found] = await scanShard(caller, shard, [name, from, entries, values, packed], patience.step)
    from = next
    pieces.push(found)
    patience.check()
  }
  return pieces
}

/** One step: asks a shard for entries that its function wants. */
export function scanShard(caller: Caller, shard: number, request: ScanRequest, options: WalkOptions['patience']['step']): Promise<ScanReply> {
  caller.noKey()
  caller.rest(request)
  return caller.sendTo(shard, scan, options) as Promise<ScanReply> // what the shard's part of `scan` returns
}

function nextOf(record: RecordReader): RecordReader {
  record.next()
  return record
}
