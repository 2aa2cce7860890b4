/** Access traces: a key a line, or 32-bit integers, little-endian; as they are, or compressed with gzip or xz. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

const MOST_BYTES = 2 ** 30

const GZIP = Buffer.from([0x1f, 0x8b])
const XZ = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])

/** The keys of a trace, in order. */
export function readTrace(path: string): (string | number)[] {
  const bytes = expanded(readFileSync(path), path)
  // A text has no zero byte; of four bytes of an integer below 2^24 one is zero.
  if (!bytes.subarray(0, 65_536).includes(0)) return bytes.toString('latin1').split('\n').map((line) => line.trim()).filter((line) => line !== '')
  if (bytes.length % 4 !== 0) throw new RangeError(`'${path}' is no trace: neither lines of text nor 32-bit integers`)
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readUInt32LE(index * 4))
}

function expanded(file: Buffer, path: string): Buffer {
  if (file.subarray(0, GZIP.length).equals(GZIP)) return gunzipSync(file, { maxOutputLength: MOST_BYTES })
  if (!file.subarray(0, XZ.length).equals(XZ)) return file
  // Node has no xz of its own.
  const { status, stdout, stderr, error } = spawnSync('xz', ['--decompress', '--stdout'], { input: file, maxBuffer: MOST_BYTES })
  if (status !== 0) throw new Error(`'${path}' could not be expanded by xz: ${error?.message ?? stderr.toString().trim()}`)
  return stdout
}
