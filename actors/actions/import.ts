/** By keys: encodes all entries on the caller's thread, then stores them shard by shard, and node by node, several in a message. */
import { CacheError, invalidArgument } from '../../runtime/errors.js'
import { MAX_TIME_MS } from '../../runtime/clock.js'
import { MAX_MODIFIED_MS } from '../../runtime/table/layout.js'
import type { Key } from '../../runtime/codec/key.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import type { Caller } from '../calls/caller.js'
import { Importer, RecordBatches, type Records } from '../walks/importer.js'
import { Patience } from '../calls/patience.js'
import { DEFAULT_TIMEOUT_MS } from '../../runtime/actor.js'
import { importPart } from './import-part.js'
import { importRecords } from './import-records.js'

/** An entry to be imported: what `export` returns; without `modified` it is modified now, without `expires` it never expires. */
export interface ImportedEntry<V> {
  readonly key: Key
  readonly value: V
  readonly modified?: number | undefined
  readonly expires?: number | null | undefined
}

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Stores entries as `export` returns them, over those that are there: with their modified times and absolute deadlines. Resolves with how
     * many that were; those that have expired are not. Of two entries of one key the later one stays.
     *
     * All of them are looked at before the first one is stored. The whole is not atomic: readers see entries come one by one. `timeout`, if
     * given, bounds the whole call.
     *
     * Errors: `ERR_INVALID_ARGUMENT`, `ERR_INVALID_KEY`, `ERR_UNSUPPORTED_VALUE`, `ERR_TOO_LARGE` with the `index` of the entry, and nothing was
     * stored; later ones, such as `ERR_FULL` with the policy `none`, have `outcome: 'unknown'`.
     *
     * @example
     * const entries = await users.export()
     * await users.clear()
     * await users.import(entries)    // → 2
     */
    import(entries: Iterable<ImportedEntry<V>>, options?: CallOptions): Promise<number>
  }
}

export const importEntries: Action = {
  name: 'import', many: true, writes: true, arity: 1, options: [],
  call(caller, entries: unknown, options?: CallOptions) {
    checkCallOptions(importEntries, options)
    caller.refuseIfStopped()
    const { telling } = caller
    // While the entries are read, code of the user's may run, and call this cache.
    caller.telling = false
    const messages = pack(caller, entries, options?.local !== true)
    caller.telling = telling
    if (!telling) return caller.order.take({ hashes: undefined, kind: 'write' }, (sent) => store(caller, messages, Patience.ofAll(options), sent))
    return messages.map((records) => tell(caller, records, options)).every(Boolean)
  },
  keysIn: ([entries]) => Array.isArray(entries) ? entries.map((entry: unknown) => (entry as Partial<ImportedEntry<unknown>> | null)?.key) : [],
}

function tell(caller: Caller, { node, shard, bytes }: Records, options: CallOptions | undefined): unknown {
  if (node !== undefined) {
    caller.cluster!.call(node, importPart.name, [bytes], {}, DEFAULT_TIMEOUT_MS, undefined).catch(() => undefined)
    return true
  }
  caller.noKey()
  caller.restBytes(bytes)
  return caller.sendTo(shard, importRecords, options)
}

async function store(caller: Caller, messages: readonly Records[], patience: Patience, sent: () => void): Promise<number> {
  const importer = new Importer(caller, patience)
  for (const records of messages) {
    if (importer.isFull) await importer.room()
    importer.send(records)
  }
  sent()
  return importer.end()
}

/** Encodes all entries, or throws what is wrong with one of them. */
function pack(caller: Caller, entries: unknown, routes: boolean): Records[] {
  if (typeof entries !== 'object' || entries === null || !(Symbol.iterator in entries)) throw invalidArgument('import needs an array of entries, as export returns them')
  const messages: Records[] = []
  const batches = new RecordBatches(caller, routes, (records) => void messages.push(records))
  let index = 0
  for (const entry of entries as Iterable<unknown>) packEntry(caller, entry, index++, batches)
  batches.flush()
  return messages
}

function packEntry(caller: Caller, entry: unknown, index: number, batches: RecordBatches): void {
  const refuse = (what: string): TypeError => invalidArgument(`entry ${index} of import ${what}`, { index })
  if (typeof entry !== 'object' || entry === null) throw refuse('is an object { key, value, modified, expires }')
  const { key, value, modified = caller.clock.now(), expires = null } = entry as Partial<ImportedEntry<unknown>>
  if (typeof modified !== 'number' || !(modified >= 0 && modified <= MAX_MODIFIED_MS)) throw refuse('has its modified time in milliseconds since 1970')
  if (expires !== null && (typeof expires !== 'number' || Number.isNaN(expires))) throw refuse('has its expiry in milliseconds since 1970, or null')
  encodeEntry(caller, key, value, index)
  const { scratch, keyEnd, valueEnd } = caller
  const modifiedMs = Math.floor(modified)
  const expiresMs = expires === null || expires === Infinity ? 0 : Math.max(1, Math.min(Math.ceil(expires), MAX_TIME_MS))
  // What it was last given, unless it was touched since.
  const durationMs = expiresMs === 0 ? 0 : Math.max(0, expiresMs - modifiedMs)
  batches.add(scratch.bytes, 0, keyEnd, scratch.bytes, keyEnd, valueEnd, modifiedMs, expiresMs, durationMs)
}

function encodeEntry(caller: Caller, key: unknown, value: unknown, index: number): void {
  try {
    caller.key(key)
    caller.refuseLongKey()
    caller.value(value)
  } catch (error) {
    if (!(error instanceof CacheError)) throw error
    throw new CacheError(error.code, `entry ${index} of import: ${error.message}`, { ...error, cause: error.cause, index })
  }
}
