/**
 * lmdb: a memory map that processes share. On a memory file system where there is one, without flushing to disk. Stores as
 * `open` makes them take any value, as a cache does; the two tuned ones take strings alone, or keep the structures of records
 * apart from them.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'lmdb'
import { keys, people, texts, type Person } from '../data.js'

export interface LmdbPeer {
  readonly strings: LmdbStore<string>
  readonly objects: LmdbStore<Person>
  /** Strings and nothing else. */
  readonly stringsOnly: LmdbStore<string>
  /** Objects, with shared record structures. */
  readonly structured: LmdbStore<Person>
  close(): Promise<void>
}

export interface LmdbStore<V> {
  get(key: string): V | undefined
  put(key: string, value: V): Promise<boolean>
}

/** Opens two stores that hold every key. */
export async function openLmdb(): Promise<LmdbPeer> {
  const directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'scatterhoard-bench-'))
  const path = (name: string): { path: string; noSync: boolean } => ({ path: join(directory, name), noSync: true })
  const strings = open<string, string>(path('strings'))
  const objects = open<Person, string>(path('objects'))
  const stringsOnly = open<string, string>({ ...path('strings-only'), encoding: 'string' })
  const structured = open<Person, string>({ ...path('structured'), sharedStructuresKey: Symbol.for('structures') })
  for (const store of [strings, stringsOnly]) await Promise.all(keys.map((key, i) => store.put(key, texts[i]!)))
  for (const store of [objects, structured]) await Promise.all(keys.map((key, i) => store.put(key, people[i]!)))
  return {
    strings,
    objects,
    stringsOnly,
    structured,
    async close() {
      for (const store of [strings, objects, stringsOnly, structured]) await store.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
