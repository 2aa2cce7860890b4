/**
 * Values to bytes: what most values are made of, and what all of them begin with. See tags.ts for the format.
 *
 * A getter or a `toData` may encode other values meanwhile, but must not use the same scratch buffer.
 */
import { kindOf, propertyStep, refused, Refusal, stepUp } from './refusal.js'
import type { Scratch } from './scratch.js'
import { rootShape, shapeBlock, stepShape, UNKNOWN } from './shapes.js'
import { TAG } from './tags.js'
import { writeOther } from './value-kinds.js'
import {
  appendWholeString, begin, complete, enter, finish, leave, remember, setAside, writeBigInt, writeBlock, writeMemoryBytes, writeNumber,
  writeReference, writeString, writeTag, writeTagged, writeUnsigned,
} from './value-writer.js'

let busy = false
/** Whether somebody gave all objects an enumerable property: then `for in` shows more than an object's own names. */
let inheritsNames = false

const NOTHING = {}

/**
 * Appends a value at `into.end`. If it fails, `into.end` is what it was: `ERR_UNSUPPORTED_VALUE` with the `path` of what cannot be
 * stored, or `ERR_TOO_LARGE`.
 *
 * Of a getter, the result is stored. Left out without an error: properties named by symbols, names on arrays and typed arrays, a RegExp's
 * `lastIndex`, properties of errors that are objects (except `cause`, `errors`, and the details of a `CacheError`).
 */
export function encodeValue(value: unknown, into: Scratch): void {
  if (typeof value === 'string') return appendWholeString(value, into)
  if (busy) return encodeInside(value, into)
  busy = true
  const start = into.end
  begin(into)
  inheritsNames = false
  for (const name in NOTHING) inheritsNames = name !== ''
  try {
    writeValue(value)
    complete(start)
  } catch (thrown) {
    into.end = start
    throw refused(thrown, 'ERR_UNSUPPORTED_VALUE', 'not a value that can be stored')
  } finally {
    finish()
    busy = false
  }
}

function encodeInside(value: unknown, into: Scratch): void {
  const bringBack = setAside()
  const inherited = inheritsNames
  busy = false
  try {
    encodeValue(value, into)
  } finally {
    bringBack()
    inheritsNames = inherited
    busy = true
  }
}

/** Writes a value inside another one. */
export function writeValue(value: unknown): void {
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

function writeObjectKind(value: object): void {
  if (writeReference(value)) return
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

export function writeObject(tag: number, value: Record<string, unknown>): void {
  enter()
  let shape = rootShape()
  for (const name in value) {
    const last = shape.last
    shape = last !== null && last.name === name ? last : stepShape(shape, name)
  }
  if (shape === UNKNOWN || inheritsNames) return writeUnknownShape(tag, value)
  const block = (shape.block ??= shapeBlock(shape.names))
  writeBlock(tag, block)
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
  leave()
}

function writeUnknownShape(tag: number, value: Record<string, unknown>): void {
  const names = Object.keys(value)
  writeTag(tag)
  writeMemoryBytes(shapeBlock(names))
  for (const name of names) writeStep(value[name], propertyStep, name)
  leave()
}

/** Writes a value inside another one; if it is refused, the path says where it was. */
export function writeStep<T>(value: unknown, step: (at: T) => string, where: T): void {
  try {
    writeValue(value)
  } catch (thrown) {
    throw stepUp(thrown, step(where))
  }
}

export function changed(): Refusal {
  return new Refusal('it was changed while it was being read, by a getter or by toData; pass plain data')
}

export function writeArray(value: unknown[]): void {
  if (hasHoles(value)) return writeSparse(value)
  enter()
  const length = value.length
  writeTagged(TAG.array, length)
  let index = 0
  try {
    for (; index < length; index++) writeValue(value[index])
  } catch (thrown) {
    throw stepUp(thrown, indexStep(index))
  }
  leave()
}

function hasHoles(value: unknown[]): boolean {
  for (let index = 0; index < value.length; index++) if (value[index] === undefined && !Object.hasOwn(value, index)) return true
  return false
}

/** An array with holes: what is there, however long the array. */
function writeSparse(value: unknown[]): void {
  enter()
  const length = value.length
  const indices: number[] = []
  for (const name of Object.keys(value)) {
    const index = Number(name) >>> 0
    // Indices come first, in order; then names.
    if (String(index) !== name || index >= length) break
    indices.push(index)
  }
  writeTagged(TAG.sparse, length)
  writeUnsigned(indices.length)
  for (const index of indices) {
    writeUnsigned(index)
    writeStep(value[index], indexStep, index)
  }
  leave()
}

function indexStep(index: number): string {
  return `[${index}]`
}
