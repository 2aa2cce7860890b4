/**
 * Reads a dump block by block, and trusts nothing in it: lengths are checked before memory is taken, what is inflated is bounded by
 * what the block says and that by what the reader allows.
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { promisify } from 'node:util'
import { crc32, inflateRaw } from 'node:zlib'
import { CacheError } from '../errors.js'
import { dumpError } from './dump-error.js'
import { BLOCK_BYTES } from './dump-writer.js'
import { BLOCK_HEAD_BYTES, blockCrc, END, FOOTER_BYTES, HEADER_BYTES, readBlockHead, readHeader, type DumpHeader } from './layout.js'

const inflate = promisify<Buffer, { maxOutputLength: number }, Buffer>(inflateRaw)

/** The least that an entry takes. */
const MIN_RECORD_BYTES = 9

const CHUNK_BYTES = 1 << 16

export interface Block {
  /** Records, good until the next block is asked for. */
  readonly raw: Buffer
  readonly entries: number
  /** Bytes of the file up to its end. */
  readonly position: number
}

/** What a check of a whole file has found. */
export interface Checked {
  /** Blocks before the damage, or all of them, with their entries. */
  readonly blocks: number
  readonly entries: number
  /** What is wrong behind them. */
  readonly damage: string | undefined
}

/** Thrown inside for what is wrong with the file itself. */
class Damage extends Error {}

export class DumpReader {
  readonly path: string
  readonly bytes: number
  /** `undefined` if the file ends in it or it is damaged. */
  readonly header: DumpHeader | undefined
  readonly #headerBytes: Buffer
  readonly #file: FileHandle
  readonly #maxRecordBytes: number
  #stored = Buffer.alloc(CHUNK_BYTES)

  private constructor(path: string, file: FileHandle, bytes: number, headerBytes: Buffer, header: DumpHeader | undefined, maxRecordBytes: number) {
    this.path = path
    this.bytes = bytes
    this.header = header
    this.#headerBytes = headerBytes
    this.#file = file
    this.#maxRecordBytes = maxRecordBytes
  }

  /** Opens a dump whose records have at most `maxRecordBytes`. `ERR_BAD_DUMP` if it cannot be read, or is none of this version. */
  static async open(path: string, maxRecordBytes: number): Promise<DumpReader> {
    // Without waiting for somebody to write into a pipe of that name.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
      throw dumpError(path, 'cannot be read', error)
    })
    try {
      const status = await file.stat()
      if (!status.isFile()) throw dumpError(path, 'cannot be read: it is not a file')
      const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0)
      const headerBytes = buffer.subarray(0, bytesRead)
      const header = readHeader(headerBytes)
      if (header === 'foreign' || header === 'of another version') throw dumpError(path, `is ${header}: it cannot be loaded here`)
      return new DumpReader(path, file, status.size, headerBytes, header === 'damaged' ? undefined : header, maxRecordBytes)
    } catch (error) {
      await file.close()
      throw error instanceof CacheError ? error : dumpError(path, 'cannot be read', error)
    }
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  /**
   * Reads the whole file and checks it, with `check` for the records of each block, which throws what is wrong with them. Holds a block
   * at a time. Throws `ERR_TOO_LARGE` for an intact block with a record larger than allowed.
   */
  async check(check: (block: Block) => void): Promise<Checked> {
    const { header } = this
    if (header === undefined) return { blocks: 0, entries: 0, damage: 'its header is damaged' }
    const hash = createHash('sha256')
    let position = HEADER_BYTES
    let blocks = 0
    let entries = 0
    let rawBytes = 0
    try {
      for (; ;) {
        const block = await this.#read(position, (part) => hash.update(part))
        if (block === undefined) break
        check(block)
        position = block.position
        blocks++
        entries += block.entries
        rawBytes += block.raw.length
      }
      if (blocks !== header.blocks || entries !== header.entries || rawBytes !== header.rawBytes) throw new Damage('it has more or less in it than its header says')
      const footer = await this.#readAt(position, FOOTER_BYTES)
      if (!hash.update(this.#headerBytes).digest().equals(footer.subarray(4))) throw new Damage('its SHA-256 is wrong')
      if (position + FOOTER_BYTES !== this.bytes) throw new Damage('there are bytes behind its end')
      return { blocks, entries, damage: undefined }
    } catch (error) {
      if (error instanceof Damage || (error instanceof CacheError && error.code === 'ERR_FRAME')) return { blocks, entries, damage: error.message }
      throw error
    }
  }

  /** The first `count` blocks, again. `ERR_BAD_DUMP` if one of them is not what it was. */
  async* blocks(count: number): AsyncGenerator<Block, void, undefined> {
    let position = HEADER_BYTES
    for (let index = 0; index < count; index++) {
      const block = await this.#read(position, () => undefined).catch((error: unknown) => {
        throw error instanceof Damage ? dumpError(this.path, 'has changed while it was loaded', error) : error
      })
      if (block === undefined) throw dumpError(this.path, 'has changed while it was loaded')
      yield block
      position = block.position
    }
  }

  /** The block at a position; `undefined` at the footer. `heard` gets its bytes when they have been found good. */
  async #read(position: number, heard: (part: Buffer) => unknown): Promise<Block | undefined> {
    const left = this.bytes - position
    if (left < 4) throw new Damage('it is cut short')
    const first = await this.#readAt(position, Math.min(BLOCK_HEAD_BYTES, left))
    if (first.readUInt32LE(0) === END) return undefined
    if (left < BLOCK_HEAD_BYTES) throw new Damage('it is cut short')
    const head = Buffer.from(first)
    const { storedBytes, rawBytes, entries, crc } = readBlockHead(head)
    if (storedBytes > left - BLOCK_HEAD_BYTES) throw new Damage('it is cut short')
    if (entries === 0 || entries * MIN_RECORD_BYTES > rawBytes || storedBytes > rawBytes + (rawBytes >> 8) + 1024) throw new Damage('a block has sizes that cannot be')
    if (rawBytes > BLOCK_BYTES + this.#maxRecordBytes) await this.#refuseLarge(position, head)
    const stored = await this.#readAt(position + BLOCK_HEAD_BYTES, storedBytes)
    if (blockCrc(head, stored) !== crc) throw new Damage('the checksum of a block is wrong')
    heard(head)
    heard(stored)
    const raw = await inflate(stored, { maxOutputLength: rawBytes }).catch((error: unknown) => {
      throw new Damage('a block cannot be inflated', { cause: error })
    })
    if (raw.length !== rawBytes) throw new Damage('a block has another length than it says')
    return { raw, entries, position: position + BLOCK_HEAD_BYTES + storedBytes }
  }

  /** A block of that size is either damaged or of a cache with larger values: its checksum says which. */
  async #refuseLarge(position: number, head: Buffer): Promise<never> {
    const { storedBytes, rawBytes, crc } = readBlockHead(head)
    let sum = crc32(head.subarray(0, 12))
    for (let at = 0; at < storedBytes; at += CHUNK_BYTES) {
      sum = crc32(await this.#readAt(position + BLOCK_HEAD_BYTES + at, Math.min(CHUNK_BYTES, storedBytes - at)), sum)
    }
    if (sum !== crc) throw new Damage('the checksum of a block is wrong')
    throw new CacheError('ERR_TOO_LARGE', `the dump ${this.path} has an entry of about ${rawBytes} bytes; this cache takes ${this.#maxRecordBytes}: raise its memory, or take fewer shards`, {
      path: this.path, bytes: rawBytes, limit: this.#maxRecordBytes,
    })
  }

  /** Bytes of the file, good until the next call. */
  async #readAt(position: number, length: number): Promise<Buffer> {
    if (this.#stored.length < length) this.#stored = Buffer.alloc(length)
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await this.#file.read(this.#stored, filled, length - filled, position + filled)
      if (bytesRead === 0) throw new Damage('it is cut short')
      filled += bytesRead
    }
    return this.#stored.subarray(0, length)
  }
}
