/**
 * lmdb: a memory map that processes share. It runs as fast as it can here: on a memory file system where there is one,
 * without flushing to disk, strings stored as strings, objects with shared record structures.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'lmdb'
import { keys, people, texts, type Person } from '../data.js'

export interface LmdbPeer {
  readonly strings: LmdbStore<string>
  readonly objects: LmdbStore<Person>
  close(): Promise<void>
}

export interface LmdbStore<V> {
  get(key: string): V | undefined
  put(key: string, value: V): Promise<boolean>
}

/** Opens two stores that hold every key. */
export async function openLmdb(): Promise<LmdbPeer> {
  const directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'scatterhoard-bench-'))
  const strings = open<string, string>({ path: join(directory, 'strings'), noSync: true, encoding: 'string' })
  const objects = open<Person, string>({ path: join(directory, 'objects'), noSync: true, sharedStructuresKey: Symbol.for('structures') })
  await Promise.all(keys.map((key, i) => strings.put(key, texts[i]!)))
  await Promise.all(keys.map((key, i) => objects.put(key, people[i]!)))
  return {
    strings,
    objects,
    async close() {
      await strings.close()
      await objects.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
