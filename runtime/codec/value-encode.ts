/**
 * Values to bytes. See tags.ts for the format.
 *
 * The state is in variables of the module because that is fastest; a getter or a `toData` that encodes another value
 * finds it saved and restored. Such code must not use the same scratch buffer.
 */
import { types } from 'node:util'
import { CacheError } from '../errors.js'
import { classOfPrototype, type RegisteredClass } from './classes.js'
import { kindOf, propertyStep, refused, Refusal, stepUp } from './refusal.js'
import { countBytes, raw, writeCount, type RawBytes } from './raw-bytes.js'
import type { Scratch } from './scratch.js'
import { rootShape, shapeBlock, stepShape, UNKNOWN } from './shapes.js'
import { ERROR_KINDS, LARGEST_SMALL_INT, MAX_DEPTH, MEMORY_KINDS, SHORT_STRING, SMALLEST_INT, TAG, ZERO } from './tags.js'

/** Up to here a loop over the characters is faster than a call out of JavaScript. */
const LOOP_CHARS = 24

/** Up to here a scan of the objects met so far is faster than a Map. */
const SCANNED = 16

let scratch!: Scratch
let bytes!: RawBytes
let at = 0
let capacity = 0
let depth = 0
let busy = false
/** The objects met so far, in order: an object's place is the ordinal that references name. */
let met: (object | null)[] = new Array<object | null>(SCANNED + 1).fill(null)
let metCount = 0
let ordinals: Map<object, number> | null = null
/** Whether a reference was written. */
let shared = false
/** Ordinals of the instances whose data is being written: a reference to one of them could not be read back. */
let unfinished: number[] = []
/** Whether somebody gave all objects an enumerable property: then `for in` shows more than an object's own names. */
let inheritsNames = false

const NOTHING = {}

const float = new Float64Array(1)
const floatBytes = new Uint8Array(float.buffer)

/**
 * Appends a value at `into.end`. If it fails, `into.end` is what it was: `ERR_UNSUPPORTED_VALUE` with the `path` of what cannot be
 * stored, or `ERR_TOO_LARGE`.
 *
 * Left out without an error: properties named by symbols, names on arrays and typed arrays, getters (their results are
 * stored), a RegExp's `lastIndex`, properties of errors that are objects (except `cause`, `errors`, and the details of a `CacheError`).
 */
export function encodeValue(value: unknown, into: Scratch): void {
  if (busy) return encodeInside(value, into)
  busy = true
  const start = into.end
  begin(into)
  try {
    if (typeof value === 'string') {
      writeWholeString(value)
    } else {
      writeValue(value)
      if (shared) markGraph(start)
    }
    into.end = at
  } catch (thrown) {
    into.end = start
    throw refused(thrown, 'ERR_UNSUPPORTED_VALUE', 'not a value that can be stored')
  } finally {
    finish()
    busy = false
  }
}

function encodeInside(value: unknown, into: Scratch): void {
  const saved = { scratch, at, depth, met, metCount, ordinals, shared, unfinished, inheritsNames }
  scratch.end = at
  met = new Array<object | null>(SCANNED + 1).fill(null)
  metCount = 0
  ordinals = null
  shared = false
  unfinished = []
  busy = false
  try {
    encodeValue(value, into)
  } finally {
    ;({ scratch, at, depth, met, metCount, ordinals, shared, unfinished, inheritsNames } = saved)
    bytes = raw(scratch.bytes)
    capacity = bytes.length
    busy = true
  }
}

function begin(into: Scratch): void {
  scratch = into
  bytes = raw(into.bytes)
  at = into.end
  capacity = bytes.length
  depth = 0
  inheritsNames = false
  for (const name in NOTHING) inheritsNames = name !== ''
}

function finish(): void {
  if (metCount > SCANNED) met = new Array<object | null>(SCANNED + 1).fill(null)
  else for (let index = 0; index < metCount; index++) met[index] = null
  metCount = 0
  ordinals = null
  if (unfinished.length > 0) unfinished = []
  shared = false
}

function markGraph(start: number): void {
  room(1)
  bytes.copyWithin(start + 1, start, at)
  bytes[start] = TAG.graph
  at++
}

function room(wanted: number): void {
  if (at + wanted > capacity) grow(wanted)
}

function grow(wanted: number): void {
  scratch.end = at
  scratch.ensure(wanted)
  bytes = raw(scratch.bytes)
  capacity = bytes.length
}

function writeValue(value: unknown): void {
  switch (typeof value) {
    case 'string': return writeString(value)
    case 'number': return writeNumber(value)
    case 'boolean': return writeTag(value ? TAG.true : TAG.false)
    case 'object': return value === null ? writeTag(TAG.null) : writeObjectKind(value)
    case 'undefined': return writeTag(TAG.undefined)
    case 'bigint': return writeBigInt(value)
    default: throw new Refusal(`${kindOf(value)} cannot be stored; store data, and register functions by name`)
  }
}

function writeTag(tag: number): void {
  room(1)
  bytes[at++] = tag
}

// ── numbers ────────────────────────────────────────────────────────────────────────────────────────────────────

function writeNumber(value: number): void {
  room(9)
  const int = value | 0
  if (int !== value || (int === 0 && 1 / value < 0)) return writeDouble(TAG.double, value)
  if (int >= SMALLEST_INT && int <= LARGEST_SMALL_INT) {
    bytes[at++] = ZERO + int
  } else if (int === (int << 16) >> 16) {
    bytes[at] = TAG.int16
    bytes[at + 1] = int
    bytes[at + 2] = int >> 8
    at += 3
  } else {
    bytes[at] = TAG.int32
    bytes[at + 1] = int
    bytes[at + 2] = int >> 8
    bytes[at + 3] = int >> 16
    bytes[at + 4] = int >> 24
    at += 5
  }
}

/** Needs room for nine bytes. */
function writeDouble(tag: number, value: number): void {
  float[0] = value
  const from = at
  bytes[from] = tag
  bytes[from + 1] = floatBytes[0]!
  bytes[from + 2] = floatBytes[1]!
  bytes[from + 3] = floatBytes[2]!
  bytes[from + 4] = floatBytes[3]!
  bytes[from + 5] = floatBytes[4]!
  bytes[from + 6] = floatBytes[5]!
  bytes[from + 7] = floatBytes[6]!
  bytes[from + 8] = floatBytes[7]!
  at = from + 9
}

function writeBigInt(value: bigint): void {
  if (BigInt.asIntN(64, value) === value) {
    room(9)
    bytes[at] = TAG.bigint64
    bytes.writeBigInt64LE(value, at + 1)
    at += 9
    return
  }
  const negative = value < 0n
  const digits = (negative ? -value : value).toString(16)
  const length = (digits.length + 1) >> 1
  room(length + 6)
  bytes[at++] = TAG.bigint
  at = writeCount(bytes, at, length * 2 + Number(negative))
  at += bytes.write(digits.length % 2 === 0 ? digits : `0${digits}`, at, 'hex')
}

// ── strings ────────────────────────────────────────────────────────────────────────────────────────────────────

/** A string as a whole value: without a length. */
function writeWholeString(value: string): void {
  const length = value.length
  room(length + 5)
  if (!writeChars(value, at + 1)) {
    room(length * 2 + 1)
    bytes[at] = TAG.utf16Rest
    at += 1 + bytes.ucs2Write(value, at + 1, length * 2)
    return
  }
  bytes[at] = TAG.latin1Rest
  at += 1 + length
}

function writeString(value: string): void {
  const length = value.length
  room(length + 10)
  if (length < SMALLEST_LONG) {
    if (writeChars(value, at + 1)) {
      bytes[at] = SHORT_STRING + length
      at += 1 + length
      return
    }
  } else if (writeChars(value, at + 1 + countBytes(length))) {
    bytes[at++] = TAG.latin1
    at = writeCount(bytes, at, length) + length
    return
  }
  room(length * 2 + 6)
  bytes[at++] = TAG.utf16
  at = writeCount(bytes, at, length * 2)
  at += bytes.ucs2Write(value, at, length * 2)
}

const SMALLEST_LONG = 64

/** Writes the characters one byte each, if they fit. Needs room for four bytes more than there are characters. */
function writeChars(value: string, from: number): boolean {
  const length = value.length
  if (length <= LOOP_CHARS) {
    for (let index = 0; index < length; index++) {
      const unit = value.charCodeAt(index)
      if (unit > 0xff) return false
      bytes[from + index] = unit
    }
    return true
  }
  // As UTF-8, only ASCII is as long as it has characters; with four bytes to spare a cut cannot make it look so.
  if (bytes.utf8Write(value, from, length + 4) === length) return true
  if (BEYOND_LATIN1.test(value)) return false
  bytes.latin1Write(value, from, length)
  return true
}

const BEYOND_LATIN1 = /[^\0-\xff]/

// ── objects ────────────────────────────────────────────────────────────────────────────────────────────────────

function writeObjectKind(value: object): void {
  if (metCount > 0 && writeReference(value)) return
  const prototype = Object.getPrototypeOf(value) as object | null
  if (prototype === Object.prototype && !Array.isArray(value)) {
    remember(value)
    writeObject(TAG.object, value as Record<string, unknown>)
  } else if (prototype === Array.prototype && Array.isArray(value)) {
    remember(value)
    writeArray(value as unknown[])
  } else {
    writeOther(value, prototype)
  }
}

/** If the object was met before, writes a reference to it. */
function writeReference(value: object): boolean {
  const ordinal = ordinalOf(value)
  if (ordinal < 0) return false
  if (unfinished.includes(ordinal)) throw new Refusal('what toData returned leads back to its instance; leave that reference out')
  room(6)
  bytes[at++] = TAG.reference
  at = writeCount(bytes, at, ordinal)
  shared = true
  return true
}

function ordinalOf(value: object): number {
  if (ordinals !== null) return ordinals.get(value) ?? -1
  for (let index = 0; index < metCount; index++) if (met[index] === value) return index
  return -1
}

function remember(value: object): void {
  met[metCount++] = value
  if (ordinals !== null) {
    ordinals.set(value, metCount - 1)
  } else if (metCount > SCANNED) {
    ordinals = new Map()
    for (let index = 0; index < metCount; index++) ordinals.set(met[index]!, index)
  }
}

/** Takes back what was written and met since. */
function takeBack(toAt: number, toCount: number, toDepth: number): void {
  for (let index = toCount; index < metCount; index++) {
    ordinals?.delete(met[index]!)
    met[index] = null
  }
  metCount = toCount
  at = toAt
  depth = toDepth
}

function enter(): void {
  if (++depth > MAX_DEPTH) throw new Refusal(`it is nested deeper than ${MAX_DEPTH} levels; flatten it`)
}

function writeObject(tag: number, value: Record<string, unknown>): void {
  enter()
  let shape = rootShape()
  for (const name in value) {
    const last = shape.last
    shape = last !== null && last.name === name ? last : stepShape(shape, name)
  }
  if (shape === UNKNOWN || inheritsNames) return writeUnknownShape(tag, value)
  const block = (shape.block ??= shapeBlock(shape.names))
  const length = block.length
  room(length + 1)
  let to = at
  bytes[to++] = tag
  for (let index = 0; index < length; index++) bytes[to++] = block[index]!
  at = to
  let current = ''
  try {
    const names = shape.names
    let index = 0
    for (const name in value) {
      current = name
      if (names[index++] !== name) throw changed()
      writeValue(value[name])
    }
    if (index !== names.length) throw changed()
  } catch (thrown) {
    throw stepUp(thrown, propertyStep(current))
  }
  depth--
}

function writeUnknownShape(tag: number, value: Record<string, unknown>): void {
  const names = Object.keys(value)
  const block = shapeBlock(names)
  room(block.length + 1)
  bytes[at++] = tag
  bytes.set(block, at)
  at += block.length
  for (const name of names) writeStep(value[name], propertyStep, name)
  depth--
}

function writeStep<T>(value: unknown, step: (at: T) => string, where: T): void {
  try {
    writeValue(value)
  } catch (thrown) {
    throw stepUp(thrown, step(where))
  }
}

function changed(): Refusal {
  return new Refusal('it was changed while it was being read, by a getter or by toData; pass plain data')
}

function writeArray(value: unknown[]): void {
  enter()
  const [fromAt, fromCount, fromDepth] = [at, metCount, depth]
  const length = value.length
  room(6)
  bytes[at++] = TAG.array
  at = writeCount(bytes, at, length)
  let index = 0
  try {
    for (; index < length; index++) {
      const element = value[index]
      if (element === undefined && !Object.hasOwn(value, index)) break
      writeValue(element)
    }
  } catch (thrown) {
    throw stepUp(thrown, `[${index}]`)
  }
  if (index < length) {
    takeBack(fromAt, fromCount, fromDepth)
    writeSparse(value, length)
  }
  depth--
}

/** An array with holes: what is there, however long the array. */
function writeSparse(value: unknown[], length: number): void {
  const indices: number[] = []
  for (const name of Object.keys(value)) {
    const index = Number(name) >>> 0
    // Indices come first, in order; then names.
    if (String(index) !== name || index >= length) break
    indices.push(index)
  }
  room(11)
  bytes[at++] = TAG.sparse
  at = writeCount(bytes, at, length)
  at = writeCount(bytes, at, indices.length)
  for (const index of indices) {
    room(5)
    at = writeCount(bytes, at, index)
    writeStep(value[index], indexStep, index)
  }
}

function indexStep(index: number): string {
  return `[${index}]`
}

// ── kinds ──────────────────────────────────────────────────────────────────────────────────────────────────────

function writeOther(value: object, prototype: object | null): void {
  if (prototype === null && !Array.isArray(value)) {
    remember(value)
    return writeObject(TAG.nullObject, value as Record<string, unknown>)
  }
  const registered = prototype === null ? undefined : classOfPrototype(prototype)
  remember(value)
  if (registered !== undefined) return writeInstance(value, registered)
  if (types.isNativeError(value) || value instanceof Error) return writeError(value)
  // Built-in kinds of another realm are known by how far their prototypes are from the end; derived classes are farther.
  const levels = prototype === null ? 0 : levelsAbove(prototype)
  if (levels === 2) {
    if (types.isDate(value)) return writeDate(value)
    if (types.isMap(value)) return writeMap(value)
    if (types.isSet(value)) return writeSet(value)
    if (types.isRegExp(value)) return writeRegExp(value)
    if (types.isArrayBuffer(value)) return writeMemory(value, 'ArrayBuffer', value, 0, value.byteLength)
    if (types.isDataView(value)) return writeView(value, 'DataView')
    if (Array.isArray(value)) return writeArray(value as unknown[])
  } else if (levels === 3 && types.isTypedArray(value)) {
    return writeView(value, value[Symbol.toStringTag])
  } else if (levels === 4 && Buffer.isBuffer(value)) {
    return writeView(value, 'Buffer')
  } else if (levels === 1 && Object.hasOwn(prototype!, 'isPrototypeOf')) {
    return writeObject(TAG.object, value as Record<string, unknown>)
  }
  throw new Refusal(`${kindOf(value)} cannot be stored; store plain data, or register the class with registerClass`)
}

/** How many prototypes a prototype is above the end of the chain, itself included; 5 for any more. */
function levelsAbove(prototype: object): number {
  let levels = 0
  for (let next: object | null = prototype; next !== null && levels < 5; next = Object.getPrototypeOf(next) as object | null) levels++
  return levels
}

function writeDate(value: Date): void {
  room(9)
  writeDouble(TAG.date, Date.prototype.getTime.call(value))
}

function writeRegExp(value: RegExp): void {
  writeTag(TAG.regexp)
  writeString(value.source)
  writeString(value.flags)
}

function writeMap(value: Map<unknown, unknown>): void {
  enter()
  const size = value.size
  let written = 0
  room(6)
  bytes[at++] = TAG.map
  at = writeCount(bytes, at, size)
  for (const [key, member] of Map.prototype.entries.call(value) as Iterable<[unknown, unknown]>) {
    if (++written > size) throw changed()
    writeStep(key, keyStep, written - 1)
    writeStep(member, memberStep, written - 1)
  }
  if (written !== size) throw changed()
  depth--
}

function writeSet(value: Set<unknown>): void {
  enter()
  const size = value.size
  let written = 0
  room(6)
  bytes[at++] = TAG.set
  at = writeCount(bytes, at, size)
  for (const member of Set.prototype.values.call(value) as Iterable<unknown>) {
    if (++written > size) throw changed()
    writeStep(member, memberStep, written - 1)
  }
  if (written !== size) throw changed()
  depth--
}

function keyStep(index: number): string {
  return `.keys()[${index}]`
}

function memberStep(index: number): string {
  return `.values()[${index}]`
}

function writeView(value: NodeJS.ArrayBufferView, kind: string): void {
  writeMemory(value, kind, value.buffer, value.byteOffset, value.byteLength)
}

function writeMemory(value: object, kind: string, memory: ArrayBufferLike, offset: number, length: number): void {
  const index = (MEMORY_KINDS as readonly string[]).indexOf(kind)
  if (index < 0) throw new Refusal(`${kindOf(value)} cannot be stored; copy it into another typed array`)
  room(length + 7)
  bytes[at++] = TAG.memory
  bytes[at++] = index
  at = writeCount(bytes, at, length)
  bytes.set(viewOf(memory, offset, length), at)
  at += length
}

/** Also where memory that was transferred away is noticed: all that is left of it is a length of 0. */
function viewOf(memory: ArrayBufferLike, offset: number, length: number): Uint8Array {
  try {
    return new Uint8Array(memory, offset, length)
  } catch {
    throw new Refusal('its memory was transferred elsewhere; copy the bytes before transferring them')
  }
}

function writeInstance(value: object, registered: RegisteredClass): void {
  enter()
  writeTag(TAG.instance)
  writeString(registered.name)
  unfinished.push(metCount - 1)
  writeStep(dataOf(value, registered), dataStep, undefined)
  unfinished.pop()
  depth--
}

function dataOf(value: object, { name, toData }: RegisteredClass): unknown {
  try {
    return toData(value)
  } catch (cause) {
    throw new Refusal(`toData of the registered class '${name}' threw an error (see cause)`, { cause })
  }
}

function dataStep(): string {
  return '.toData()'
}

// ── errors ─────────────────────────────────────────────────────────────────────────────────────────────────────

const ERROR_PROTOTYPES: readonly object[] = [Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError, AggregateError, CacheError]
  .map((Class) => Class.prototype as object)

const WRITTEN_APART = new Set(['name', 'message', 'stack', 'cause', 'errors', 'code'])

function writeError(error: Error & { code?: unknown; errors?: unknown }): void {
  enter()
  const kind = kindOfError(error)
  room(2)
  bytes[at++] = TAG.error
  bytes[at++] = kind
  const { name, message, stack, code } = error as { name: unknown; message: unknown; stack?: unknown; code?: unknown }
  writeValue(typeof message === 'string' && (message !== '' || Object.hasOwn(error, 'message')) ? message : undefined)
  if (typeof name === 'string' && name !== ERROR_KINDS[kind]) writeField('name', name)
  if (typeof stack === 'string') writeField('stack', stack)
  if (isPrimitive(code) && code !== undefined) writeField('code', code)
  if (Object.hasOwn(error, 'cause')) writeField('cause', error.cause)
  if (Object.hasOwn(error, 'errors') && kind !== CACHE_ERROR) writeField('errors', error.errors)
  writeDetails(error as unknown as Record<string, unknown>, kind)
  writeTag(TAG.null)
  depth--
}

const CACHE_ERROR = ERROR_KINDS.indexOf('CacheError')

/** Own enumerable properties: all that are primitives, and of a `CacheError` whatever else can be stored. */
function writeDetails(error: Record<string, unknown>, kind: number): void {
  for (const name of Object.keys(error)) {
    if (WRITTEN_APART.has(name) && (kind !== CACHE_ERROR || name !== 'errors')) continue
    const value = error[name]
    if (isPrimitive(value)) {
      writeField(name, value)
    } else if (kind === CACHE_ERROR) {
      const [fromAt, fromCount, fromDepth, fromUnfinished] = [at, metCount, depth, unfinished.length]
      try {
        writeField(name, value)
      } catch {
        takeBack(fromAt, fromCount, fromDepth)
        unfinished.length = fromUnfinished
      }
    }
  }
}

function writeField(name: string, value: unknown): void {
  writeString(name)
  writeStep(value, propertyStep, name)
}

function isPrimitive(value: unknown): boolean {
  return (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol') || value === null
}

function kindOfError(error: Error): number {
  for (let next: object | null = error; next !== null; next = Object.getPrototypeOf(next) as object | null) {
    const kind = ERROR_PROTOTYPES.indexOf(next)
    if (kind >= 0) return kind
  }
  const kind = (ERROR_KINDS as readonly string[]).indexOf(error.constructor.name)
  return kind < 0 || kind === CACHE_ERROR ? 0 : kind
}
