/** By keys, from a file of the caller's file system: checks all of it, then stores its entries, several in a message. */
import { CacheError, invalidArgument } from '../../runtime/errors.js'
import { dumpError } from '../../runtime/dump/dump-error.js'
import { DumpReader, type Block } from '../../runtime/dump/dump-reader.js'
import { MAX_RECORD_HEADER, RecordReader } from '../../runtime/table/records.js'
import { checkCallOptions, type Action } from '../action.js'
import type { Caller } from '../calls/caller.js'
import { Importer, RecordBatches } from '../walks/importer.js'
import { checkRecord } from './import-part.js'
import { Patience } from '../calls/patience.js'
import { readPath, readProgress, type DumpOptions, type Progress } from './dump.js'

export interface LoadOptions extends DumpOptions {
  /** Of a damaged file, load what is before the damage. Default false: it is refused whole. */
  partial?: boolean | undefined
}

export interface Loaded {
  /** Stored. Those that have expired since they were written are not. */
  entries: number
  /** Entries behind the damage; `null` if it is in the file's header, so that nobody can say. */
  lost: number | null
}

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Stores the entries of a dump, over those that are there, with their modified times and absolute deadlines. The file is checked from its
     * first to its last byte before the first entry is stored. Memory is bounded, whatever the file says. `timeout`, if given, bounds
     * the whole call.
     *
     * Errors: `ERR_BAD_DUMP` for a file that is damaged, of another kind or version, or cannot be read: nothing was stored, unless `outcome` is
     * `'unknown'`. `ERR_TOO_LARGE` if an entry does not fit this cache's tables.
     *
     * @example
     * await users.dump('users.dump')
     * await users.clear()
     * await users.load('users.dump')    // → { entries: 2, lost: 0 }
     */
    load(path: string | URL, options?: LoadOptions): Promise<Loaded>
  }
}

export const load: Action = {
  name: 'load', writes: true, arity: 1, options: ['partial', 'onProgress'],
  call(caller, path: unknown, options?: LoadOptions) {
    checkCallOptions(load, options)
    const file = readPath(path, 'load')
    const report = readProgress(options?.onProgress)
    const partial = options?.partial ?? false
    if (typeof partial !== 'boolean') throw invalidArgument('the option partial of load is true or false')
    caller.refuseIfStopped()
    const loaded = read(caller, file, partial, report, Patience.ofAll(options), options?.local === true)
    if (!caller.telling) return loaded
    loaded.catch(() => undefined)
    return true
  },
}

async function read(caller: Caller, path: string, partial: boolean, report: (progress: Progress) => void, patience: Patience, local: boolean): Promise<Loaded> {
  const dump = await DumpReader.open(path, caller.maxKeyBytes + caller.maxValueBytes + MAX_RECORD_HEADER)
  try {
    const { blocks, entries, damage } = await dump.check((block) => {
      patience.check()
      checkBlock(caller, block, local)
    })
    if (damage !== undefined && !partial) throw dumpError(path, `is damaged: ${damage}; load it with partial: true for what is before the damage`)
    const imported = await store(caller, dump, blocks, entries, report, patience, !local)
    return { entries: imported, lost: dump.header === undefined ? null : Math.max(0, dump.header.entries - entries) }
  } finally {
    await dump.close()
  }
}

/** Throws `ERR_FRAME` for what is no entry, and `ERR_TOO_LARGE` for one that does not fit. */
function checkBlock(caller: Caller, { raw, entries }: Block, local: boolean): void {
  const record = new RecordReader(raw)
  let count = 0
  for (; record.next(); count++) {
    checkRecord(caller, record)
    if (local) caller.cluster?.refuseRemote({ scratch: { bytes: raw }, keyStart: record.keyStart, keyEnd: record.keyEnd })
  }
  if (count !== entries) throw new CacheError('ERR_FRAME', 'a block has another number of entries than it says')
}

async function store(caller: Caller, dump: DumpReader, blocks: number, total: number, report: (progress: Progress) => void, patience: Patience, routes: boolean): Promise<number> {
  const importer = new Importer(caller, patience)
  const batches = new RecordBatches(caller, routes, (records) => importer.send(records))
  try {
    for await (const { raw, position } of dump.blocks(blocks)) {
      const record = new RecordReader(raw)
      while (record.next()) {
        batches.add(raw, record.keyStart, record.keyEnd, raw, record.valueStart, record.valueEnd, record.modified, record.expires, record.duration)
        if (importer.isFull) await importer.room()
      }
      report({ entries: importer.imported, bytes: position, total })
    }
    batches.flush()
    const imported = await importer.end()
    report({ entries: imported, bytes: dump.bytes, total })
    return imported
  } catch (error) {
    throw importer.failed(error)
  }
}
