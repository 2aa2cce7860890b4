/** Over all shards, in shared memory, into a file of the caller's file system. */
import { fileURLToPath } from 'node:url'
import { CacheError, invalidArgument, printable } from '../../runtime/errors.js'
import { BLOCK_BYTES, DumpWriter } from '../../runtime/dump/dump-writer.js'
import { appendRecord } from '../../runtime/table/records.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import type { Caller } from '../calls/caller.js'
import { Patience } from '../calls/patience.js'
import { readTimeout } from '../../runtime/actor.js'
import { clusterBatches } from '../cluster/cluster-walk.js'
import { isExpired, tableBatches, type WalkOptions } from '../walks/walk.js'
import { sum } from './clear.js'
import { size } from './size.js'
import { sync } from './sync.js'

/** How far a dump or a load has come. */
export interface Progress {
  /** Written or loaded so far. */
  readonly entries: number
  /** Of the file, so far. */
  readonly bytes: number
  /** Entries of the file; when one is written, those of the cache when it began. */
  readonly total: number
}

export interface DumpOptions extends CallOptions {
  /** Called now and then on the calling thread, and at the end. What it throws ends the call with `ERR_FUNCTION_FAILED`. */
  onProgress?: ((progress: Progress) => void) | undefined
}

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * Writes all entries that have not expired into a file: compressed, with checksums, written beside and renamed when all of it is on the disk. Until then a
     * file of that name stays as it was; a symbolic link is replaced, not followed. Entries are read while others write, each of them whole.
     * `timeout`, if given, bounds the whole call.
     *
     * Errors: `ERR_BAD_DUMP` with the `path` and the system's error as `cause` if the file cannot be written.
     *
     * @example
     * const { entries } = await users.dump('users.dump', { onProgress: ({ entries, total }) => console.log(entries, total) })
     * entries    // → 2
     */
    dump(path: string | URL, options?: DumpOptions): Promise<{ entries: number; bytes: number }>
  }
}

/** Entries of a batch. */
const BATCH_ENTRIES = 4000

export const dump: Action = {
  name: 'dump', writes: false, acts: true, arity: 1, options: ['onProgress'],
  call(caller, path: unknown, options?: DumpOptions) {
    checkCallOptions(dump, options)
    const file = readPath(path, 'dump')
    const report = readProgress(options?.onProgress)
    caller.refuseIfStopped()
    const written = write(caller, file, report, Patience.ofAll(options), options?.local === true)
    if (!caller.telling) return written
    written.catch(() => undefined)
    return true
  },
}

async function write(caller: Caller, path: string, report: (progress: Progress) => void, patience: Patience, local: boolean): Promise<{ entries: number; bytes: number }> {
  const writer = await begin(caller, path, patience)
  try {
    const total = await totalOf(caller, patience, local)
    let block = await writer.block()
    let entries = 0
    const { cluster } = caller
    const walk: WalkOptions = { entries: BATCH_ENTRIES, values: true, patience }
    for await (const batch of cluster === null || local ? tableBatches(caller, walk) : clusterBatches(caller, cluster, undefined, walk)) {
      const now = caller.clock.now()
      const { bytes } = batch.scratch
      for (let index = 0; index < batch.count; index++) {
        if (caller.readClock !== null && isExpired(batch, index, now)) continue
        appendRecord(block, bytes, batch.keyStarts[index]!, batch.keyEnds[index]!, bytes, batch.valueStarts[index]!, batch.valueEnds[index]!, batch.modified[index]!, batch.expires[index]!, batch.durations[index]!)
        entries++
        if (block.end < BLOCK_BYTES) continue
        writer.add(block, entries)
        entries = 0
        report({ entries: writer.entries, bytes: writer.bytes, total })
        block = await writer.block()
      }
    }
    if (entries > 0) writer.add(block, entries)
    const bytes = await writer.finish(Math.floor(caller.clock.now()))
    report({ entries: writer.entries, bytes, total })
    return { entries: writer.entries, bytes }
  } catch (error) {
    await writer.abandon()
    throw error
  }
}

/** How many entries there are, as far as the nodes say. */
async function totalOf(caller: Caller, patience: Patience, local: boolean): Promise<number> {
  const own = sum(caller.readers.map(({ entries }) => entries))
  const { cluster } = caller
  if (cluster === null || local) return own
  const { timeout, signal } = patience.step
  // One that fails ends the walk later.
  const others = await Promise.allSettled(cluster.nodes.slice(1).map((node) => cluster.call(node, size.name, [], {}, readTimeout({ timeout }), signal)))
  return others.reduce((total, end) => total + (end.status === 'fulfilled' ? end.value as number : 0), own)
}

async function begin(caller: Caller, path: string, patience: Patience): Promise<DumpWriter> {
  await caller.settled(sync, patience.step)
  return DumpWriter.create(path)
}

/** A path of the file system. */
export function readPath(path: unknown, action: string): string {
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return path
  if (path instanceof URL && path.protocol === 'file:') return fileURLToPath(path)
  throw invalidArgument(`${action} needs the path of a file, as a string or a file: URL`)
}

/** Calls the caller's function, if there is one; what it throws is an error of the call. */
export function readProgress(onProgress: unknown): (progress: Progress) => void {
  if (onProgress === undefined) return () => undefined
  if (typeof onProgress !== 'function') throw invalidArgument('the option onProgress is a function')
  return (progress) => {
    try {
      (onProgress as (progress: Progress) => unknown)(progress) // a function, and the caller's own
    } catch (error) {
      throw new CacheError('ERR_FUNCTION_FAILED', `onProgress failed: ${printable(error)}`, { cause: error })
    }
  }
}
