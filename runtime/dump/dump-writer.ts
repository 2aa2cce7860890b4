/**
 * Writes a dump: beside the file, under a name of its own, and in its place only when all of it is on the disk. Whatever goes
 * wrong before that, the file that was there stays as it was; a process that is killed leaves a `.scatterhoard-….tmp` behind.
 *
 * Blocks are compressed on Node's own threads, a few at a time, and written in order.
 */
import { createHash, randomBytes } from 'node:crypto'
import { lstat, open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { deflateRaw } from 'node:zlib'
import { Scratch } from '../codec/scratch.js'
import { dumpError } from './dump-error.js'
import { HEADER_BYTES, writeBlockHead, writeFooter, writeHeader } from './layout.js'

/** A block is closed when it has so many bytes, before compression. */
export const BLOCK_BYTES = 512 << 10

/** Measured with entries of 100 bytes of text: level 1 is three times as fast as the default, and makes 10% more of it. */
const LEVEL = 1

/** Blocks that are filled, compressed or written at one time. */
const BLOCKS_AT_ONCE = 4

const compress = promisify<Buffer, { level: number }, Buffer>(deflateRaw)

export class DumpWriter {
  readonly #path: string
  readonly #temporary: string
  readonly #file: FileHandle
  readonly #free = Array.from({ length: BLOCKS_AT_ONCE }, () => new Scratch(BLOCK_BYTES + (BLOCK_BYTES >> 3)))
  readonly #hash = createHash('sha256')
  #onFree: (() => void) | undefined
  /** Everything handed over so far is written when this resolves. */
  #written: Promise<void> = Promise.resolve()
  #failure: { readonly error: unknown } | undefined
  #blocks = 0
  #entries = 0
  #rawBytes = 0
  #bytes = HEADER_BYTES

  private constructor(path: string, temporary: string, file: FileHandle) {
    this.#path = path
    this.#temporary = temporary
    this.#file = file
  }

  /** Opens the file beside `path`. `ERR_BAD_DUMP` if that is not possible, or if something else than a file or a link is at `path`. */
  static async create(path: string): Promise<DumpWriter> {
    const there = await lstat(path).catch(() => undefined)
    if (there !== undefined && !there.isFile() && !there.isSymbolicLink()) throw dumpError(path, 'cannot be written: it is not a file')
    const temporary = join(dirname(path), `.scatterhoard-${randomBytes(8).toString('hex')}.tmp`)
    try {
      // `x`: a file or link of that name is never followed.
      const file = await open(temporary, 'wx')
      const writer = new DumpWriter(path, temporary, file)
      // Until it is finished it has no header.
      await writer.#write([Buffer.alloc(HEADER_BYTES)])
      return writer
    } catch (error) {
      throw dumpError(path, 'cannot be written', error)
    }
  }

  /** Entries of blocks handed over, and bytes of those written. */
  get entries(): number {
    return this.#entries
  }

  get bytes(): number {
    return this.#bytes
  }

  /** An empty block to fill. Waits until one is free. */
  async block(): Promise<Scratch> {
    while (this.#free.length === 0 && this.#failure === undefined) await new Promise<void>((resolve) => (this.#onFree = resolve))
    this.#throwFailure()
    const block = this.#free.pop()!
    block.reset()
    return block
  }

  /** Hands a filled block over. */
  add(block: Scratch, entries: number): void {
    this.#blocks++
    this.#entries += entries
    this.#rawBytes += block.end
    const compressed = compress(block.bytes.subarray(0, block.end), { level: LEVEL })
    const previous = this.#written
    this.#written = (async () => {
      const [stored] = await Promise.all([compressed, previous])
      const head = writeBlockHead(stored, block.end, entries)
      this.#hash.update(head).update(stored)
      await this.#write([head, stored])
      this.#bytes += head.length + stored.length
    })().catch((error: unknown) => {
      this.#failure ??= { error }
    }).finally(() => {
      this.#free.push(block)
      this.#onFree?.()
    })
  }

  /** Puts the file into its place. Resolves with how large it is. */
  async finish(writtenMs: number): Promise<number> {
    await this.#written
    this.#throwFailure()
    const header = writeHeader({ blocks: this.#blocks, entries: this.#entries, rawBytes: this.#rawBytes, writtenMs })
    const footer = writeFooter(this.#hash.update(header).digest())
    try {
      await this.#write([footer])
      await this.#file.write(header, 0, header.length, 0)
      await this.#file.sync()
      await this.#file.close()
      await rename(this.#temporary, this.#path)
      await syncFolder(dirname(this.#path))
    } catch (error) {
      throw dumpError(this.#path, 'cannot be written', error)
    }
    return this.#bytes + footer.length
  }

  /** Gives up: nothing is left behind. */
  async abandon(): Promise<void> {
    await this.#written
    await this.#file.close().catch(() => undefined)
    await rm(this.#temporary, { force: true }).catch(() => undefined)
  }

  async #write(parts: readonly Buffer[]): Promise<void> {
    for (const part of parts) {
      for (let at = 0; at < part.length;) at += (await this.#file.write(part, at)).bytesWritten
    }
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw dumpError(this.#path, 'cannot be written', this.#failure.error)
  }
}

/** Makes the new name of a file last. Where folders cannot be opened, nothing is to be done. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}
