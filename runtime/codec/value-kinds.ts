/**
 * Values to bytes: the other kinds of objects, from dates to errors to instances of registered classes.
 */
import { types } from 'node:util'
import { CacheError } from '../errors.js'
import { classOfPrototype, type RegisteredClass } from './classes.js'
import { kindOf, propertyStep, Refusal } from './refusal.js'
import { ERROR_KINDS, MEMORY_KINDS, TAG } from './tags.js'
import { changed, writeArray, writeObject, writeStep, writeValue } from './value-encode.js'
import {
  attempt, beginInstance, endInstance, enter, leave, remember, writeDouble, writeMemoryBytes, writeString, writeTag, writeTagged, writeUnsigned,
} from './value-writer.js'

/** Writes an object that is neither plain nor an array, as far as its prototype tells. */
export function writeOther(value: object, prototype: object | null): void {
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
  writeTagged(TAG.map, size)
  for (const [key, member] of Map.prototype.entries.call(value) as Iterable<[unknown, unknown]>) {
    if (++written > size) throw changed()
    writeStep(key, keyStep, written - 1)
    writeStep(member, memberStep, written - 1)
  }
  if (written !== size) throw changed()
  leave()
}

function writeSet(value: Set<unknown>): void {
  enter()
  const size = value.size
  let written = 0
  writeTagged(TAG.set, size)
  for (const member of Set.prototype.values.call(value) as Iterable<unknown>) {
    if (++written > size) throw changed()
    writeStep(member, memberStep, written - 1)
  }
  if (written !== size) throw changed()
  leave()
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
  const view = viewOf(memory, offset, length)
  writeTagged(TAG.memory, index)
  writeUnsigned(length)
  writeMemoryBytes(view)
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
  beginInstance()
  writeStep(dataOf(value, registered), dataStep, undefined)
  endInstance()
  leave()
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
  writeTagged(TAG.error, kind)
  const { name, message, stack, code } = error as { name: unknown; message: unknown; stack?: unknown; code?: unknown }
  writeValue(typeof message === 'string' && (message !== '' || Object.hasOwn(error, 'message')) ? message : undefined)
  if (typeof name === 'string' && name !== ERROR_KINDS[kind]) writeField('name', name)
  if (typeof stack === 'string') writeField('stack', stack)
  if (isPrimitive(code) && code !== undefined) writeField('code', code)
  if (Object.hasOwn(error, 'cause')) writeField('cause', error.cause)
  if (Object.hasOwn(error, 'errors') && kind !== CACHE_ERROR) writeField('errors', error.errors)
  writeDetails(error as unknown as Record<string, unknown>, kind)
  writeTag(TAG.null)
  leave()
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
      attempt(() => writeField(name, value))
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
