/**
 * Compressed values: `TAG.compressed`, four bytes of length, and the bytes of the value by DEFLATE without a header.
 *
 * Bytes that claim to be one may come from anywhere, so what they claim is checked before memory is taken for it: a value is never
 * longer than what the largest table takes, nor than DEFLATE can make of so few bytes; it is inflated up to the length that it has
 * announced and no further; and nothing inside it is compressed again.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { CacheError } from '../errors.js'
import type { Scratch } from './scratch.js'
import { TAG } from './tags.js'

/** The longest value, before it is compressed: a quarter of the largest table. */
export const MAX_COMPRESSED_VALUE_BYTES = 2 ** 29

const HEADER_BYTES = 5

/** DEFLATE makes at most so many bytes of one: a match of 258 bytes takes two bits. */
const MAX_RATIO = 1032

/** Twice as fast as the next ones for texts and objects, and a tenth larger (measured). */
const LEVEL = 1

/**
 * Compresses the encoded value that stands in a scratch buffer from `start` to its end, if that makes it shorter.
 *
 * @throws `ERR_TOO_LARGE` for a value that could not be read again
 */
export function compressValue(scratch: Scratch, start: number): void {
  const length = scratch.end - start
  if (length > MAX_COMPRESSED_VALUE_BYTES) {
    throw new CacheError('ERR_TOO_LARGE', `a value of ${length} encoded bytes; at most ${MAX_COMPRESSED_VALUE_BYTES} can be compressed: split it`, { bytes: length, limit: MAX_COMPRESSED_VALUE_BYTES })
  }
  const deflated = deflateRawSync(scratch.bytes.subarray(start, scratch.end), { level: LEVEL })
  if (deflated.length + HEADER_BYTES >= length) return
  scratch.bytes[start] = TAG.compressed
  scratch.bytes.writeUInt32LE(length, start + 1)
  scratch.bytes.set(deflated, start + HEADER_BYTES)
  scratch.end = start + HEADER_BYTES + deflated.length
}

/** The encoded value in compressed bytes. `ERR_FRAME` for whatever `compressValue` has not made. */
export function inflateValue(bytes: Buffer, start: number, end: number): Buffer {
  const deflated = end - start - HEADER_BYTES
  if (deflated <= 0) throw malformed('cut short')
  const length = bytes.readUInt32LE(start + 1)
  if (length === 0 || length > MAX_COMPRESSED_VALUE_BYTES || length > deflated * MAX_RATIO) throw malformed('a length beyond its end')
  const { buffer, read } = inflate(bytes.subarray(start + HEADER_BYTES, end), length)
  if (buffer.length !== length) throw malformed('of another length')
  if (read !== deflated) throw malformed('bytes behind its end')
  if (buffer[0] === TAG.compressed) throw malformed('compressed twice')
  return buffer
}

/** What `inflateRawSync` returns if it is asked for `info`; its types do not know. */
interface Inflated {
  buffer: Buffer
  engine: { bytesWritten: number }
}

function inflate(deflated: Buffer, length: number): { buffer: Buffer; read: number } {
  try {
    const { buffer, engine } = inflateRawSync(deflated, { maxOutputLength: length, info: true }) as unknown as Inflated
    return { buffer, read: engine.bytesWritten }
  } catch (error) {
    throw malformed('not what was compressed', error)
  }
}

function malformed(what: string, cause?: unknown): CacheError {
  return new CacheError('ERR_FRAME', `malformed compressed value: ${what}`, { cause })
}
