/** Whether the table of a shard is whole: a copy of it is opened by a writer of its own, and verified. */
import type { CacheNode } from 'scatterhoard'
import { TableWriter } from '../../runtime/table/writer.js'

export function tableOf(node: CacheNode, shard: string): SharedArrayBuffer {
  const table = node.vault.get(`buffer/${shard}/table`)
  if (!(table instanceof SharedArrayBuffer)) throw new Error(`${shard} has no table in the vault`)
  return table
}

let copy: SharedArrayBuffer | undefined

/**
 * Copies the table and verifies the copy. Throws what is wrong. False, and nothing was verified, if something wrote the
 * table meanwhile.
 */
export function verifyCopy(table: SharedArrayBuffer): boolean {
  // One for all: shared memory weighs nothing to the collector, which would let copies lie.
  if (copy?.byteLength !== table.byteLength) copy = new SharedArrayBuffer(table.byteLength)
  Buffer.from(copy).set(Buffer.from(table))
  if (!Buffer.from(copy).equals(Buffer.from(table))) return false
  TableWriter.open(copy, { policy: 'none' }).verify()
  return true
}
