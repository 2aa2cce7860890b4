/**
 * The bytes of a dump: entries of a cache in a file.
 *
 *   header   "Scatdump"  u16 version  u16 flags (0)  u32 blocks  f64 entries  f64 raw bytes  f64 written (ms since 1970)  u32 CRC-32  u32 0
 *   block…   u32 stored bytes  u32 raw bytes  u32 entries  u32 CRC-32
 *            then the stored bytes: records (`table/records.ts`), compressed with DEFLATE
 *   footer   u32 0xffffffff  32 bytes SHA-256
 *
 * Numbers are little-endian. A CRC-32 is over the fields before it, a block's also over what is stored. The SHA-256 is over all blocks with their
 * heads, and then the header: that one is written last, into its place at the front, so that a file without its end has one that says how much is
 * lost, and a file that was never finished has none. Checksums say that a file is what was written, not who wrote it: whoever reads trusts no
 * number in it.
 */
import { crc32 } from 'node:zlib'

const MAGIC = Buffer.from('Scatdump')
const VERSION = 1

export const HEADER_BYTES = 48
export const BLOCK_HEAD_BYTES = 16
export const FOOTER_BYTES = 36

/** In the place of a block's stored bytes: there are no more blocks. */
export const END = 0xffff_ffff

export interface DumpHeader {
  readonly blocks: number
  readonly entries: number
  /** Of all blocks, before compression. */
  readonly rawBytes: number
  /** ms since 1970. */
  readonly writtenMs: number
}

export interface BlockHead {
  readonly storedBytes: number
  readonly rawBytes: number
  readonly entries: number
  readonly crc: number
}

export function writeHeader({ blocks, entries, rawBytes, writtenMs }: DumpHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  MAGIC.copy(bytes)
  bytes.writeUInt16LE(VERSION, 8)
  bytes.writeUInt32LE(blocks, 12)
  bytes.writeDoubleLE(entries, 16)
  bytes.writeDoubleLE(rawBytes, 24)
  bytes.writeDoubleLE(writtenMs, 32)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 40)), 40)
  return bytes
}

/** What the first bytes of a file are: a header, the beginning of one or one that is damaged, or something else. */
export function readHeader(bytes: Buffer): DumpHeader | 'damaged' | 'foreign' | 'of another version' {
  const begun = Math.min(bytes.length, MAGIC.length)
  if (!bytes.subarray(0, begun).equals(MAGIC.subarray(0, begun))) return 'foreign'
  if (bytes.length >= 10 && bytes.readUInt16LE(8) !== VERSION) return 'of another version'
  if (bytes.length < HEADER_BYTES || bytes.readUInt16LE(10) !== 0 || bytes.readUInt32LE(44) !== 0) return 'damaged'
  if (bytes.readUInt32LE(40) !== crc32(bytes.subarray(0, 40))) return 'damaged'
  const header = { blocks: bytes.readUInt32LE(12), entries: bytes.readDoubleLE(16), rawBytes: bytes.readDoubleLE(24), writtenMs: bytes.readDoubleLE(32) }
  return Number.isSafeInteger(header.entries) && header.entries >= 0 && Number.isSafeInteger(header.rawBytes) && header.rawBytes >= 0 ? header : 'damaged'
}

/** A block's head, for these stored bytes. */
export function writeBlockHead(stored: Buffer, rawBytes: number, entries: number): Buffer {
  const bytes = Buffer.alloc(BLOCK_HEAD_BYTES)
  bytes.writeUInt32LE(stored.length, 0)
  bytes.writeUInt32LE(rawBytes, 4)
  bytes.writeUInt32LE(entries, 8)
  bytes.writeUInt32LE(blockCrc(bytes, stored), 12)
  return bytes
}

export function readBlockHead(bytes: Buffer): BlockHead {
  return { storedBytes: bytes.readUInt32LE(0), rawBytes: bytes.readUInt32LE(4), entries: bytes.readUInt32LE(8), crc: bytes.readUInt32LE(12) }
}

export function blockCrc(head: Buffer, stored: Buffer): number {
  return crc32(stored, crc32(head.subarray(0, 12)))
}

export function writeFooter(sha256: Buffer): Buffer {
  const bytes = Buffer.alloc(FOOTER_BYTES)
  bytes.writeUInt32LE(END, 0)
  sha256.copy(bytes, 4)
  return bytes
}
