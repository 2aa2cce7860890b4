/**
 * Several entries in one message: the bytes of its third section.
 *
 *   f64  time to live for all in ms; NaN: the cache's default, Infinity: none
 *   u32  slot, u32 generation, of the transaction that the batch is the whole of; 0 if it is a part of one
 *   then for each entry: u32 bytes of the key, u32 bytes of the value, the key, the value
 */
import type { Request } from '../../runtime/mailbox/inlet.js'
import type { Ticket } from '../transactions/slots.js'

/** A key and what is stored under it, encoded. */
export interface EncodedEntry {
  readonly shard: number
  readonly hash: number
  readonly keyBytes: number
  /** The key, and behind it the value, if there is one. */
  readonly bytes: Buffer
}

const HEADER_BYTES = 16
const ENTRY_BYTES = 8

/** @param expireMs `undefined` for the cache's default, `null` for none */
export function encodeBatch(entries: readonly EncodedEntry[], expireMs: number | null | undefined, ticket: Ticket = { slot: 0, generation: 0 }): Buffer {
  const batch = Buffer.allocUnsafe(entries.reduce((total, { bytes }) => total + ENTRY_BYTES + bytes.length, HEADER_BYTES))
  batch.writeDoubleLE(expireMs === undefined ? NaN : expireMs ?? Infinity, 0)
  batch.writeUInt32LE(ticket.slot, 8)
  batch.writeUInt32LE(ticket.generation, 12)
  let at = HEADER_BYTES
  for (const { bytes, keyBytes } of entries) {
    batch.writeUInt32LE(keyBytes, at)
    batch.writeUInt32LE(bytes.length - keyBytes, at + 4)
    bytes.copy(batch, at + ENTRY_BYTES)
    at += ENTRY_BYTES + bytes.length
  }
  return batch
}

/** The time to live in a request's batch: `undefined` for the cache's default, `null` for none. */
export function batchExpiry({ bytes, bEnd }: Request): number | null | undefined {
  const ms = bytes.readDoubleLE(bEnd)
  return Number.isNaN(ms) ? undefined : ms === Infinity ? null : ms
}

/** The transaction that a request's batch is the whole of. */
export function batchTicket({ bytes, bEnd }: Request): Ticket {
  return { slot: bytes.readUInt32LE(bEnd + 8), generation: bytes.readUInt32LE(bEnd + 12) }
}

/** Visits the entries of a request's batch: where key and value begin and end in its bytes. */
export function eachInBatch({ bytes, bEnd, cEnd }: Request, visit: (keyStart: number, keyEnd: number, valueEnd: number) => void): void {
  for (let at = bEnd + HEADER_BYTES; at < cEnd;) {
    const keyStart = at + ENTRY_BYTES
    const keyEnd = keyStart + bytes.readUInt32LE(at)
    at = keyEnd + bytes.readUInt32LE(at + 4)
    visit(keyStart, keyEnd, at)
  }
}
