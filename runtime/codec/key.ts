/**
 * Keys as canonical bytes: two keys are equal exactly when their bytes are. Hashes, owners and tables see only bytes.
 *
 *   null 01 · false 02 · true 03
 *   number   04 i8 │ 05 i16 │ 06 i32 │ 07 f64     the shortest that holds it; −0 is 0, one NaN; little-endian
 *   BigInt   08 (≥ 0) │ 09 (< 0)  count, magnitude  highest byte first, no leading zero
 *   Date     0a f64                                milliseconds; NaN for an invalid one
 *   string   0b UTF-8 │ 0c UTF-16LE                the second only for strings with lone surrogates
 *   bytes    0d bytes                              Uint8Array and Buffer alike
 *   array    0e count, elements
 *   object   0f count, (name, value)…              names ascending by UTF-16 units; the prototype may be null
 *
 * Strings and bytes have a count in front when they are inside something (a name of a property has a string's tag too); as the
 * whole key they go to its end. Counts are unsigned, seven bits a byte, lowest first, never overlong.
 *
 * These bytes decide which node owns a key. They are frozen: golden vectors in the tests must never change.
 * Named properties of an array are not part of a key. `decodeKey` accepts nothing that `encodeKey` does not write.
 */
import { types } from 'node:util'
import { CacheError } from '../errors.js'
import { compareText } from './key-order.js'
import { kindOf, propertyStep, refused, Refusal, stepUp } from './refusal.js'
import { isWellFormed, raw, writeCount } from './raw-bytes.js'
import type { Scratch } from './scratch.js'

export { compareKeys } from './key-order.js'

/** What may be a key. */
export type Key = null | boolean | number | bigint | string | Date | Uint8Array | readonly Key[] | { readonly [property: string]: Key }

/** Arrays and objects may be nested this deep in a key. */
export const MAX_KEY_DEPTH = 100

/** No key is longer: also what bounds the work for a key that repeats its parts over and over. */
export const MAX_KEY_BYTES = 1 << 24

const TAG = {
  null: 1, false: 2, true: 3, int8: 4, int16: 5, int32: 6, double: 7, bigint: 8, negativeBigint: 9, date: 10,
  utf8: 11, utf16: 12, bytes: 13, array: 14, object: 15,
} as const

/** The first byte of a key that is a string: what follows is its text in this form. */
export const TEXT_TAG = { utf8: TAG.utf8, utf16: TAG.utf16 } as const

const SHORT_STRING = 48
const ADVICE = 'use null, booleans, numbers, BigInts, strings, dates, byte arrays, and arrays and plain objects of these'

const float = new Float64Array(1)
const floatBytes = new Uint8Array(float.buffer)

// ── encode ─────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Appends the canonical bytes of a key at `into.end`. If it fails, `into.end` is what it was: `ERR_INVALID_KEY` with
 * the `path` of what is not allowed in a key, or `ERR_TOO_LARGE`.
 */
export function encodeKey(key: unknown, into: Scratch): void {
  if (typeof key === 'string' && key.length <= SHORT_STRING) {
    into.ensure(SHORT_STRING + 1)
    const bytes = into.bytes
    const length = key.length
    let at = into.end
    bytes[at++] = TAG.utf8
    let index = 0
    for (; index < length; index++) {
      const unit = key.charCodeAt(index)
      if (unit > 0x7f) break
      bytes[at++] = unit
    }
    if (index === length) {
      into.end = at
      return
    }
  }
  const start = into.end
  try {
    write(key, into, 0, start + MAX_KEY_BYTES)
  } catch (thrown) {
    into.end = start
    throw refused(thrown, 'ERR_INVALID_KEY', 'not a key')
  }
}

function write(key: unknown, into: Scratch, depth: number, limit: number): void {
  if (into.end > limit) throw tooLarge()
  switch (typeof key) {
    case 'string': return writeString(key, into, depth > 0, limit)
    case 'number': return writeNumber(key, into)
    case 'boolean': return writeByte(key ? TAG.true : TAG.false, into)
    case 'bigint': return writeBigInt(key, into, limit)
    case 'object': return key === null ? writeByte(TAG.null, into) : writeObjectKind(key, into, depth, limit)
    default: throw new Refusal(`${kindOf(key)} cannot be part of a key; ${ADVICE}`)
  }
}

function writeByte(byte: number, into: Scratch): void {
  into.ensure(1)
  into.bytes[into.end++] = byte
}

function writeNumber(key: number, into: Scratch): void {
  into.ensure(9)
  const bytes = into.bytes
  let at = into.end
  if (key === (key | 0)) {
    if (key === (key << 24) >> 24) {
      bytes[at++] = TAG.int8
    } else {
      if (key === (key << 16) >> 16) {
        bytes[at++] = TAG.int16
      } else {
        bytes[at++] = TAG.int32
        bytes[at + 2] = key >>> 16
        bytes[at + 3] = key >>> 24
      }
      bytes[at + 1] = key >>> 8
    }
    bytes[at] = key
    into.end += INT_BYTES[bytes[into.end]!]!
  } else {
    writeDouble(TAG.double, key, into)
  }
}

const INT_BYTES = [0, 0, 0, 0, 2, 3, 5]

function writeDouble(tag: number, value: number, into: Scratch): void {
  into.ensure(9)
  const { bytes, end } = into
  float[0] = value
  if (value !== value) canonicalNaN()
  bytes[end] = tag
  for (let index = 0; index < 8; index++) bytes[end + 1 + index] = floatBytes[index]!
  into.end = end + 9
}

/** JavaScript has one NaN, memory has 2^53 of them. */
function canonicalNaN(): void {
  floatBytes.fill(0)
  floatBytes[6] = 0xf8
  floatBytes[7] = 0x7f
}

function writeBigInt(key: bigint, into: Scratch, limit: number): void {
  const negative = key < 0n
  const digits = (negative ? -key : key).toString(16)
  const hex = key === 0n ? '' : digits.length % 2 === 0 ? digits : `0${digits}`
  writeHeader(negative ? TAG.negativeBigint : TAG.bigint, hex.length / 2, hex.length / 2, into, limit)
  into.end += into.bytes.write(hex, into.end, 'hex')
}

function writeString(key: string, into: Scratch, nested: boolean, limit: number): void {
  const wellFormed = isWellFormed(key)
  const length = wellFormed ? Buffer.byteLength(key) : key.length * 2
  writeHeader(wellFormed ? TAG.utf8 : TAG.utf16, nested ? length : -1, length, into, limit)
  into.end += wellFormed ? raw(into.bytes).utf8Write(key, into.end, length) : raw(into.bytes).ucs2Write(key, into.end, length)
}

/** A tag, a count unless it is negative, and room for what follows. */
function writeHeader(tag: number, count: number, room: number, into: Scratch, limit: number): void {
  if (into.end + room > limit) throw tooLarge()
  into.ensure(room + 6)
  into.bytes[into.end++] = tag
  if (count >= 0) into.end = writeCount(into.bytes, into.end, count)
}

function writeObjectKind(key: object, into: Scratch, depth: number, limit: number): void {
  if (Array.isArray(key)) return writeArray(key as unknown[], into, depth, limit)
  const prototype: unknown = Object.getPrototypeOf(key)
  if (prototype === Object.prototype || prototype === null) return writeObject(key as Record<string, unknown>, into, depth, limit)
  if (types.isUint8Array(key) && (prototype === Uint8Array.prototype || prototype === Buffer.prototype)) {
    return writeBytes(key, into, depth > 0, limit)
  }
  if (types.isDate(key) && prototype === Date.prototype) return writeDouble(TAG.date, Date.prototype.getTime.call(key), into)
  throw new Refusal(`${kindOf(key)} cannot be part of a key; ${ADVICE}`)
}

function writeBytes(key: Uint8Array, into: Scratch, nested: boolean, limit: number): void {
  const length = key.byteLength
  if (length === 0) refuseDetached(key)
  writeHeader(TAG.bytes, nested ? length : -1, length, into, limit)
  into.bytes.set(key, into.end)
  into.end += length
}

function refuseDetached(key: Uint8Array): void {
  try {
    new Uint8Array(key.buffer, 0, 0)
  } catch {
    throw new Refusal('its memory was transferred elsewhere; copy the bytes before transferring them')
  }
}

function writeArray(key: unknown[], into: Scratch, depth: number, limit: number): void {
  refuseDeep(depth)
  if (Object.getPrototypeOf(key) !== Array.prototype) throw new Refusal(`${kindOf(key)} cannot be part of a key; use a plain array`)
  const length = key.length
  writeHeader(TAG.array, length, 0, into, limit)
  let index = 0
  try {
    for (; index < length; index++) {
      const element = key[index]
      if (element === undefined && !Object.hasOwn(key, index)) throw new Refusal('arrays in keys have no holes; fill it, with null for example')
      write(element, into, depth + 1, limit)
    }
  } catch (thrown) {
    throw stepUp(thrown, `[${index}]`)
  }
}

function writeObject(key: Record<string, unknown>, into: Scratch, depth: number, limit: number): void {
  refuseDeep(depth)
  for (const symbol of Object.getOwnPropertySymbols(key)) {
    if (Object.prototype.propertyIsEnumerable.call(key, symbol)) throw new Refusal('it has a property named by a symbol; use string names')
  }
  const names = Object.keys(key).sort(compareText)
  writeHeader(TAG.object, names.length, 0, into, limit)
  let current = ''
  try {
    for (const name of names) {
      current = name
      writeString(name, into, true, limit)
      write(key[name], into, depth + 1, limit)
    }
  } catch (thrown) {
    throw stepUp(thrown, propertyStep(current))
  }
}

function refuseDeep(depth: number): void {
  if (depth >= MAX_KEY_DEPTH) throw new Refusal(`it is circular or nested deeper than ${MAX_KEY_DEPTH} levels; use a flat key`)
}

function tooLarge(): CacheError {
  return new CacheError('ERR_TOO_LARGE', `a key has more than ${MAX_KEY_BYTES} encoded bytes; use a shorter one, a hash for example`)
}

// ── decode ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** The key that `bytes[start, end)` encode; equal keys give equal results, never the same object. Anything else than canonical bytes: `ERR_FRAME`. */
export function decodeKey(bytes: Buffer, start: number, end: number): unknown {
  const reader = new KeyReader(bytes, start, end)
  const key = reader.read(0)
  if (reader.at !== end) malformed('bytes behind its end')
  return key
}

class KeyReader {
  readonly bytes: Buffer
  readonly end: number
  at: number

  constructor(bytes: Buffer, start: number, end: number) {
    this.bytes = bytes
    this.at = start
    this.end = Math.min(end, bytes.length)
  }

  read(depth: number): unknown {
    const tag = this.byte()
    switch (tag) {
      case TAG.null: return null
      case TAG.false: return false
      case TAG.true: return true
      case TAG.int8: return (this.byte() << 24) >> 24
      case TAG.int16: return this.int(2, 24)
      case TAG.int32: return this.int(4, 16)
      case TAG.double: return this.double(tag)
      case TAG.date: return new Date(this.double(tag))
      case TAG.bigint: case TAG.negativeBigint: return this.bigint(tag === TAG.negativeBigint)
      case TAG.utf8: case TAG.utf16: return this.string(tag, depth > 0 ? this.count() : this.end - this.at)
      case TAG.bytes: return this.copy(depth > 0 ? this.count() : this.end - this.at)
      case TAG.array: return this.array(depth)
      case TAG.object: return this.object(depth)
      default: return malformed(`unknown tag ${tag}`)
    }
  }

  byte(): number {
    if (this.at >= this.end) malformed('cut short')
    return this.bytes[this.at++]!
  }

  /** Checks that `length` bytes are left, and steps over them. Returns where they start. */
  skip(length: number): number {
    const from = this.at
    if (length > this.end - from) malformed('cut short')
    this.at = from + length
    return from
  }

  /** An integer that would not have fitted with `shift` bits less. */
  int(size: 2 | 4, shift: number): number {
    const from = this.skip(size)
    const value = this.bytes.readIntLE(from, size)
    if (value === (value << shift) >> shift) malformed('an overlong number')
    return value
  }

  double(tag: number): number {
    const from = this.skip(8)
    for (let index = 0; index < 8; index++) floatBytes[index] = this.bytes[from + index]!
    const value = float[0]!
    if (value !== value) {
      canonicalNaN()
      for (let index = 0; index < 8; index++) if (this.bytes[from + index] !== floatBytes[index]) malformed('another NaN')
    } else if (tag === TAG.double ? value === (value | 0) : !Object.is(new Date(value).getTime(), value)) {
      malformed('a number in another form than its own')
    }
    return value
  }

  bigint(negative: boolean): bigint {
    const length = this.count()
    const from = this.skip(length)
    if (length === 0) return negative ? malformed('a negative zero') : 0n
    if (this.bytes[from] === 0) malformed('an overlong number')
    const magnitude = parseBigInt(this.bytes.toString('hex', from, from + length))
    return negative ? -magnitude : magnitude
  }

  string(tag: number, length: number): string {
    const from = this.skip(length)
    if (tag === TAG.utf16) {
      const text = length % 2 === 0 ? raw(this.bytes).ucs2Slice(from, from + length) : ''
      return isWellFormed(text) ? malformed('a string in another form than its own') : text
    }
    const text = raw(this.bytes).utf8Slice(from, from + length)
    // Invalid bytes become U+FFFD: only where there is one can anything be wrong.
    if (text.includes('\ufffd') && !Buffer.from(text).equals(this.bytes.subarray(from, from + length))) malformed('invalid UTF-8')
    return text
  }

  copy(length: number): Uint8Array {
    const from = this.skip(length)
    const copy = new Uint8Array(length)
    copy.set(this.bytes.subarray(from, from + length))
    return copy
  }

  /** Every element takes at least a byte, so a count beyond what is left is a lie. */
  count(): number {
    let count = 0
    let factor = 1
    for (let index = 0; index < 5; index++) {
      const byte = this.byte()
      count += (byte & 0x7f) * factor
      factor *= 0x80
      if (byte < 0x80) {
        if (byte === 0 && index > 0) malformed('an overlong count')
        if (count > this.end - this.at) malformed('a count beyond its end')
        return count
      }
    }
    return malformed('an overlong count')
  }

  array(depth: number): unknown[] {
    if (depth >= MAX_KEY_DEPTH) malformed('nested too deeply')
    const length = this.count()
    const array: unknown[] = []
    for (let index = 0; index < length; index++) array.push(this.read(depth + 1))
    return array
  }

  object(depth: number): Record<string, unknown> {
    if (depth >= MAX_KEY_DEPTH) malformed('nested too deeply')
    const object: Record<string, unknown> = {}
    let previous: string | undefined
    for (let left = this.count(); left > 0; left--) {
      const tag = this.byte()
      if (tag !== TAG.utf8 && tag !== TAG.utf16) malformed('a name that is not a string')
      const name = this.string(tag, this.count())
      if (previous !== undefined && previous >= name) malformed('names out of order')
      previous = name
      const value = this.read(depth + 1)
      if (name === '__proto__') Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
      else object[name] = value
    }
    return object
  }
}

function parseBigInt(hex: string): bigint {
  try {
    return BigInt(`0x${hex}`)
  } catch {
    return malformed('a BigInt beyond what this Node can hold')
  }
}

function malformed(what: string): never {
  throw new CacheError('ERR_FRAME', `malformed key: ${what}`)
}
