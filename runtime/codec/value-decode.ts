/**
 * Bytes to values. See tags.ts for the format.
 *
 * The bytes may come from anywhere: every length and count is checked against what is left before anything is allocated,
 * and what is not a value is `ERR_FRAME`. They must not change meanwhile, so what stands in shared memory is copied first; except for
 * flat values, see `decodeFlat`. The state is in variables of the module; a `fromData` that decodes finds it saved.
 */
import { CacheError } from '../errors.js'
import { inflateValue } from './compressed.js'
import { classNamed } from './classes.js'
import { HIDDEN, newError, REFUSED_NAMES } from './error-copies.js'
import { decodeFlat, isFlatLength, readFloat, readInt32 } from './flat.js'
import { latin1 } from './latin1.js'
import { FromDataError, malformed, malformedBy } from './malformed.js'
import { raw, type RawBytes } from './raw-bytes.js'
import { knownShape, rememberShape } from './shapes.js'
import { ERROR_KINDS, isFlat, MAX_DEPTH, MEMORY_KINDS, SHORT_STRING, SMALL_INT, TAG, ZERO } from './tags.js'

const NO_BYTES = raw(Buffer.alloc(0))

let bytes: RawBytes = NO_BYTES
let at = 0
let end = 0
let depth = 0
let busy = false
/** Instances are left as their data: only the bytes are looked at. */
let checking = false
/** In a graph, the objects begun so far, in order. */
let begun: unknown[] | null = null

/** Stands in `begun` for an instance whose data is being read. */
const UNFINISHED = Symbol('unfinished')

/**
 * The value that `bytes[start, end)` encode: a deep copy that shares nothing with `bytes`. Anything that is not exactly one value: `ERR_FRAME`;
 * an instance of a class that this thread has not registered, or a typed array that this Node does not have: `ERR_UNKNOWN_CLASS`.
 */
export function decodeValue(source: Buffer, start: number, limit: number): unknown {
  if (start >= limit || limit > source.length) malformed('cut short')
  const tag = source[start]!
  if (isFlat(tag)) {
    if (!isFlatLength(tag, limit - start)) malformed('of another length')
    return decodeFlat(source, start, limit)
  }
  if (tag === TAG.compressed) {
    const inflated = inflateValue(source, start, limit)
    return decodeValue(inflated, 0, inflated.length)
  }
  if (busy) return decodeInside(source, start, limit)
  busy = true
  bytes = raw(source)
  at = start
  end = limit
  depth = 0
  try {
    return readWhole()
  } catch (thrown) {
    throw malformedBy(thrown)
  } finally {
    bytes = NO_BYTES
    begun = null
    busy = false
  }
}

/**
 * Whether `bytes[start, end)` encode a value, whatever classes this thread knows: no code of the user's runs. `ERR_FRAME` if they do not.
 */
export function checkValue(source: Buffer, start: number, limit: number): void {
  checking = true
  try {
    decodeValue(source, start, limit)
  } finally {
    checking = false
  }
}

function decodeInside(source: Buffer, start: number, limit: number): unknown {
  const saved = { bytes, at, end, depth, begun }
  busy = false
  begun = null
  try {
    return decodeValue(source, start, limit)
  } finally {
    ;({ bytes, at, end, depth, begun } = saved)
    busy = true
  }
}

function readWhole(): unknown {
  if (bytes[at] === TAG.graph) {
    at++
    begun = []
  }
  const value = readValue()
  if (at !== end) malformed('bytes behind its end')
  return value
}

function readValue(): unknown {
  if (at >= end) malformed('cut short')
  const tag = bytes[at++]!
  if (tag >= SMALL_INT) return tag - ZERO
  if (tag >= SHORT_STRING) return readLatin1(tag - SHORT_STRING)
  switch (tag) {
    case TAG.null: return null
    case TAG.undefined: return undefined
    case TAG.false: return false
    case TAG.true: return true
    case TAG.int16: {
      const from = skip(2)
      return ((bytes[from]! | (bytes[from + 1]! << 8)) << 16) >> 16
    }
    case TAG.int32: return readInt32(bytes, skip(4))
    case TAG.double: return readFloat(bytes, skip(8))
    case TAG.bigint64: return bytes.readBigInt64LE(skip(8))
    case TAG.bigint: return readBigInt()
    case TAG.latin1: return readLatin1(readCount())
    case TAG.utf16: return readUtf16()
    case TAG.object: return readObject()
    case TAG.array: return readArray()
    default: return readOther(tag)
  }
}

function readOther(tag: number): unknown {
  switch (tag) {
    case TAG.date: return begin(new Date(readFloat(bytes, skip(8))))
    case TAG.regexp: return begin(readRegExp())
    case TAG.nullObject: return readNullObject()
    case TAG.sparse: return readSparse()
    case TAG.map: return readMap()
    case TAG.set: return readSet()
    case TAG.memory: return begin(readMemory())
    case TAG.error: return readError()
    case TAG.instance: return readInstance()
    case TAG.reference: return readReference()
    default: return malformed(`unknown tag ${tag}`)
  }
}

// ── parts ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Checks that so many bytes are left, and steps over them. Returns where they start. */
function skip(length: number): number {
  const from = at
  if (length > end - from) malformed('cut short')
  at = from + length
  return from
}

/** An unsigned 32-bit count. */
function readCount(): number {
  if (at < end && bytes[at]! < 0x80) return bytes[at++]!
  let count = 0
  let factor = 1
  for (let index = 0; index < 5; index++) {
    if (at >= end) malformed('cut short')
    const byte = bytes[at++]!
    count += (byte & 0x7f) * factor
    factor *= 0x80
    if (byte < 0x80) {
      if (byte === 0 || count > 0xffff_ffff) malformed('an overlong number')
      return count
    }
  }
  return malformed('an overlong number')
}

/** A count of things that take at least `each` bytes: more than fit into what is left is a lie. */
function readCountOf(each: number): number {
  const count = readCount()
  if (count * each > end - at) malformed('a count beyond its end')
  return count
}

function readBigInt(): bigint {
  const head = readCount()
  const length = head >>> 1
  const from = skip(length)
  if (length < 8 || bytes[from] === 0) malformed('an overlong number')
  const magnitude = BigInt(`0x${bytes.toString('hex', from, from + length)}`)
  const value = head % 2 === 1 ? -magnitude : magnitude
  return BigInt.asIntN(64, value) === value ? malformed('an overlong number') : value
}

function readLatin1(length: number): string {
  return latin1(bytes, skip(length), length)
}

function readUtf16(): string {
  const length = readCount()
  if (length % 2 === 1) malformed('half a character')
  const from = skip(length)
  return bytes.ucs2Slice(from, from + length)
}

/** A string where nothing else may stand. */
function readString(): string {
  const value = at < end && isStringTag(bytes[at]!) ? readValue() : undefined
  return typeof value === 'string' ? value : malformed('something else in the place of a string')
}

function isStringTag(tag: number): boolean {
  return tag === TAG.latin1 || tag === TAG.utf16 || (tag >= SHORT_STRING && tag < SMALL_INT)
}

// ── objects ────────────────────────────────────────────────────────────────────────────────────────────────────

function enter(): void {
  if (++depth > MAX_DEPTH) malformed('nested too deeply')
}

/** Gives an object its ordinal, if this is a graph. To be called before anything inside it is read. */
function begin<T>(object: T): T {
  if (begun !== null) begun.push(object)
  return object
}

function readReference(): unknown {
  const ordinal = readCount()
  if (begun === null || ordinal >= begun.length) malformed('a reference to nothing')
  const object = begun[ordinal]
  return object === UNFINISHED ? malformed('a reference to what is being read') : object
}

function readObject(): Record<string, unknown> {
  enter()
  const length = readCount()
  const from = skip(length)
  const shape = knownShape(bytes, from, at)
  const object = shape !== null && shape.build !== null && begun === null
    ? shape.build(readValue)
    : readMembers({}, shape === null ? readShape(from, at) : shape.names)
  depth--
  return object
}

function readNullObject(): Record<string, unknown> {
  enter()
  const length = readCount()
  const from = skip(length)
  const shape = knownShape(bytes, from, at)
  const object = readMembers(Object.create(null) as Record<string, unknown>, shape === null ? readShape(from, at) : shape.names)
  depth--
  return object
}

function readMembers(object: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  begin(object)
  for (const name of names) {
    const value = readValue()
    if (name === '__proto__') define(object, name, value, true)
    else object[name] = value
  }
  return object
}

/** Reads the names between the two positions, and remembers them. */
function readShape(from: number, to: number): readonly string[] {
  const limit = end
  at = from
  end = to
  const names: string[] = []
  for (let left = readCountOf(1); left > 0; left--) names.push(readString())
  if (at !== end) malformed('bytes behind its names')
  end = limit
  if (names.length > end - at) malformed('a count beyond its end')
  rememberShape(bytes, from, to, names)
  return names
}

function define(object: object, name: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(object, name, { value, enumerable, configurable: true, writable: true })
}

function readArray(): unknown[] {
  enter()
  const length = readCountOf(1)
  const array = begin(new Array<unknown>(length))
  for (let index = 0; index < length; index++) array[index] = readValue()
  depth--
  return array
}

/** Up to here a sparse array gets ordinary memory; a longer one costs what its elements cost. */
const DENSE_LENGTH = 1024

function readSparse(): unknown[] {
  enter()
  const length = readCount()
  let left = readCountOf(2)
  const array = begin<unknown[]>([])
  // Only an array that was ever so long takes no memory for the elements that it does not have.
  if (length > DENSE_LENGTH) array.length = 0xffff_ffff
  array.length = length
  for (let previous = -1; left > 0; left--) {
    const index = readCount()
    if (index <= previous || index >= length) malformed('an index out of order')
    previous = index
    array[index] = readValue()
  }
  depth--
  return array
}

function readMap(): Map<unknown, unknown> {
  enter()
  const map = begin(new Map<unknown, unknown>())
  for (let left = readCountOf(2); left > 0; left--) map.set(readValue(), readValue())
  depth--
  return map
}

function readSet(): Set<unknown> {
  enter()
  const set = begin(new Set<unknown>())
  for (let left = readCountOf(1); left > 0; left--) set.add(readValue())
  depth--
  return set
}

function readRegExp(): RegExp {
  const source = readString()
  return new RegExp(source, readString())
}

function readMemory(): ArrayBuffer | NodeJS.ArrayBufferView {
  const kind = MEMORY_KINDS[bytes[skip(1)]!]
  if (kind === undefined) malformed('an unknown kind of memory')
  const length = readCount()
  const from = skip(length)
  const copy = kind === 'Buffer' ? Buffer.allocUnsafeSlow(length) : new Uint8Array(length)
  copy.set(bytes.subarray(from, at))
  if (kind === 'Buffer' || kind === 'Uint8Array') return copy
  if (kind === 'ArrayBuffer') return copy.buffer
  const View = (globalThis as Record<string, unknown>)[kind] as (new (memory: ArrayBufferLike) => NodeJS.ArrayBufferView) | undefined
  if (View === undefined) throw new CacheError('ERR_UNKNOWN_CLASS', `this version of Node has no ${kind}; store another typed array`, { class: kind })
  return new View(copy.buffer)
}

function readInstance(): unknown {
  enter()
  const name = readString()
  const ordinal = begun === null ? 0 : begun.push(UNFINISHED) - 1
  if (checking) {
    const data = readValue()
    if (begun !== null) begun[ordinal] = data
    depth--
    return data
  }
  const registered = classNamed(name)
  if (registered === undefined) {
    throw new CacheError('ERR_UNKNOWN_CLASS', `the class '${name.slice(0, 256)}' is not registered on this thread; call registerClass before reading the value`, { class: name.slice(0, 256) })
  }
  const data = readValue()
  const instance = revive(() => registered.fromData(data))
  if (begun !== null) begun[ordinal] = instance
  depth--
  return instance
}

function revive(fromData: () => unknown): unknown {
  try {
    return fromData()
  } catch (cause) {
    throw new FromDataError('fromData of a registered class threw an error (see cause)', { cause })
  }
}

// ── errors ─────────────────────────────────────────────────────────────────────────────────────────────────────

function readError(): Error {
  enter()
  const kind = ERROR_KINDS[bytes[skip(1)]!]
  if (kind === undefined) malformed('an unknown kind of error')
  const message = readValue()
  if (message !== undefined && typeof message !== 'string') malformed('something else in the place of a message')
  const error = begin(newError(kind, message))
  let coded = kind !== 'CacheError'
  while (at < end && bytes[at] !== TAG.null) {
    const name = readString()
    const value = readValue()
    if (REFUSED_NAMES.has(name) || (HIDDEN.has(name) && name !== 'cause' && typeof value !== 'string')) malformed('a property that no error has')
    if (kind === 'CacheError' && ((name === 'code' && typeof value !== 'string') || (name === 'outcome' && value !== 'none' && value !== 'unknown'))) {
      malformed('a code that no error has')
    }
    if (name === 'code') coded = true
    define(error, name, value, !HIDDEN.has(name) && (name !== 'errors' || kind !== 'AggregateError'))
  }
  skip(1)
  if (!coded) malformed('an error without its code')
  depth--
  return error
}
