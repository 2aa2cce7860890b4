/**
 * Walks over the entries of a cache on all its nodes: a cursor in each, a batch at a time. Entries of other nodes come as records; what chooses
 * among them on this thread sees no difference.
 *
 * A node that fails does not end the walk: the others' entries come all the same, and then `ERR_PARTIAL` with `errors` by node.
 */
import { encodeKey } from '../../runtime/codec/key.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { CacheError, errorCode } from '../../runtime/errors.js'
import { DEFAULT_TIMEOUT_MS, readTimeout } from '../../runtime/actor.js'
import { appendRecord, RecordReader, unpackRecords } from '../../runtime/table/records.js'
import { ScanBatch } from '../../runtime/table/scan-batch.js'
import { pickPart, type PickReply } from '../actions/pick-part.js'
import { walkPart, type WalkPlace, type WalkReply } from '../actions/walk-part.js'
import type { Caller } from '../calls/caller.js'
import { filteredBatches } from '../walks/filtered-walk.js'
import { KeyRuns } from '../walks/key-runs.js'
import type { Patience } from '../calls/patience.js'
import { keyAt, tableBatches, type WalkOptions } from '../walks/walk.js'
import type { Cluster } from './cluster.js'

/** All entries of all nodes, expired ones too, in no order; those for which a function inside the shards says true, if `where` names one. */
export async function* clusterBatches(caller: Caller, cluster: Cluster, where: string | undefined, walk: WalkOptions): AsyncGenerator<ScanBatch, void, undefined> {
  yield* where === undefined ? tableBatches(caller, walk) : filteredBatches(caller, where, walk)
  const failures = new Failures(cluster, walk.patience)
  for (const node of cluster.nodes.slice(1)) {
    try {
      yield* nodeBatches(cluster, node, where, walk)
    } catch (error) {
      failures.note(node, error)
    }
  }
  failures.throwAny()
}

/** As `clusterBatches`, in the order of keys: of the entries that are there when it begins, those that are still there when their turn comes. */
export async function* orderedClusterBatches(caller: Caller, cluster: Cluster, where: string | undefined, walk: WalkOptions): AsyncGenerator<ScanBatch, void, undefined> {
  const failures = new Failures(cluster, walk.patience)
  const runs = new KeyRuns()
  try {
    for await (const batch of clusterBatches(caller, cluster, where, { ...walk, values: false })) {
      for (let index = 0; index < batch.count; index++) runs.add(keyAt(batch, index))
    }
  } catch (error) {
    if (errorCode(error) !== 'ERR_PARTIAL') throw error
    failures.noteAll(error as CacheError)
  }
  const keys = runs.merged()
  const batch = new ScanBatch()
  let most = Math.min(walk.entries, FIRST_KEYS)
  for (;;) {
    const turn = new KeyTurn(caller, cluster, keys, most)
    if (turn.owners.length === 0) break
    const found = await turn.entries(walk, failures)
    // As many as bring a batch's bytes, if the next ones are like these.
    most = Math.max(1, Math.min(walk.entries, Math.floor(most * batch.maxBytes / Math.max(1, found.length)), most * 4))
    unpackRecords(found, batch)
    yield batch
    walk.patience.check()
  }
  failures.throwAny()
}

const FIRST_KEYS = 64

/** Keys of a turn have so many bytes, and one key more. */
const KEY_BYTES = 1 << 18

async function* nodeBatches(cluster: Cluster, node: string, where: string | undefined, { entries, values, patience }: WalkOptions): AsyncGenerator<ScanBatch, void, undefined> {
  const batch = new ScanBatch()
  for (let place: WalkPlace | null = [0, 0]; place !== null;) {
    patience.check()
    const [next, records]: WalkReply = await ask(cluster, node, walkPart.name, [place, [entries, values], where ?? null], patience) as WalkReply // what `walkPart` returns
    unpackRecords(records, batch)
    yield batch
    place = next
  }
}

/** Some keys in order, by their owners. */
class KeyTurn {
  /** The owner of each. */
  readonly owners: string[] = []
  readonly #caller: Caller
  readonly #cluster: Cluster
  /** By node: records of its keys. */
  readonly #keys = new Map<string, Scratch>()

  constructor(caller: Caller, cluster: Cluster, keys: Iterator<unknown, void>, most: number) {
    this.#caller = caller
    this.#cluster = cluster
    const key = new Scratch(256)
    let bytes = 0
    while (this.owners.length < most && bytes < KEY_BYTES) {
      const { value, done } = keys.next()
      if (done === true) break
      key.reset()
      encodeKey(value, key)
      bytes += key.end
      const owner = cluster.ownerOf({ scratch: key, keyEnd: key.end })
      const records = this.#keys.get(owner) ?? new Scratch(256)
      this.#keys.set(owner, records)
      this.owners.push(owner)
      appendRecord(records, key.bytes, 0, key.end, key.bytes, 0, 0, 0, 0, 0)
    }
  }

  /** The entries that are there, as records in the order of the keys. */
  async entries({ values, patience }: WalkOptions, failures: Failures): Promise<Uint8Array> {
    const found = new Map<string, RecordReader>()
    await Promise.all([...this.#keys].map(async ([node, keys]) => {
      try {
        const records = node === this.#cluster.self ? await this.#here(keys, values) : await pickFrom(this.#cluster, node, keys, values, patience)
        found.set(node, new RecordReader(records))
      } catch (error) {
        failures.note(node, error)
      }
    }))
    return this.#inOrder(found)
  }

  async #here(keys: Scratch, values: boolean): Promise<Buffer> {
    const pieces: Uint8Array[] = []
    const packed = keys.bytes.subarray(0, keys.end)
    for (let from = 0; from < packed.length;) {
      const [next, records] = await (pickPart.call(this.#caller, ...[packed, from, values] as never[]) as Promise<PickReply>)
      pieces.push(records)
      from = next
    }
    return Buffer.concat(pieces)
  }

  #inOrder(found: ReadonlyMap<string, RecordReader>): Uint8Array {
    const asked = new Map([...this.#keys].map(([node, { bytes, end }]) => [node, new RecordReader(bytes, 0, end)]))
    const left = new Map([...found].map(([node, record]) => [node, record.next()]))
    const merged = new Scratch()
    for (const node of this.owners) {
      const key = asked.get(node)!
      key.next()
      const entry = found.get(node)
      if (entry === undefined || left.get(node) !== true || entry.bytes.compare(key.bytes, key.keyStart, key.keyEnd, entry.keyStart, entry.keyEnd) !== 0) continue
      appendRecord(merged, entry.bytes, entry.keyStart, entry.keyEnd, entry.bytes, entry.valueStart, entry.valueEnd, entry.modified, entry.expires, entry.duration)
      left.set(node, entry.next())
    }
    return merged.bytes.subarray(0, merged.end)
  }
}

async function pickFrom(cluster: Cluster, node: string, keys: Scratch, values: boolean, patience: Patience): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  const packed = keys.bytes.subarray(0, keys.end)
  for (let from = 0; from < packed.length;) {
    const [next, records] = await ask(cluster, node, pickPart.name, [packed, from, values], patience) as PickReply // what `pickPart` returns
    if (next <= from) throw new CacheError('ERR_FRAME', `node '${node}' does not get on with a walk`, { node })
    pieces.push(records)
    from = next
    patience.check()
  }
  return Buffer.concat(pieces)
}

function ask(cluster: Cluster, node: string, action: string, args: readonly unknown[], patience: Patience): Promise<unknown> {
  const { timeout, signal } = patience.step
  return cluster.call(node, action, args, {}, timeout === undefined ? DEFAULT_TIMEOUT_MS : readTimeout({ timeout }), signal)
}

/** What became of nodes that failed during a walk. */
class Failures {
  readonly #cluster: Cluster
  readonly #patience: Patience
  readonly #errors: Record<string, unknown> = Object.create(null) as Record<string, unknown>

  constructor(cluster: Cluster, patience: Patience) {
    this.#cluster = cluster
    this.#patience = patience
  }

  note(node: string, error: unknown): void {
    // The caller has given up: that is no failure of a node's.
    this.#patience.check()
    if (node === this.#cluster.self) throw error
    this.#errors[node] = error
  }

  noteAll({ errors }: CacheError): void {
    for (const [node, error] of Object.entries(errors as Record<string, unknown>)) this.note(node, error)
  }

  throwAny(): void {
    const names = Object.keys(this.#errors)
    if (names.length === 0) return
    throw new CacheError('ERR_PARTIAL', `${names.length} of ${this.#cluster.nodes.length} nodes failed: ${names.map((name) => `${name} (${errorCode(this.#errors[name]) ?? 'no code'})`).join(', ')}; 'errors' has why`, { errors: this.#errors })
  }
}

/** The error of a walk whose entries were collected: of one that some nodes failed, with what the others had. */
export function withResult(error: unknown, result: unknown): unknown {
  if (!(error instanceof CacheError) || error.code !== 'ERR_PARTIAL') return error
  return new CacheError('ERR_PARTIAL', `${error.message}, 'result' what the others have`, { ...error, cause: error.cause, result })
}
