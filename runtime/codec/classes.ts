/**
 * Classes that may be part of values, by name: one registry for each thread. An instance travels as its class's
 * name and the data that `toData` makes of it; no code travels, so the class has to be registered, under the same name, on every
 * thread and node that meets it.
 */
import { CacheError, invalidArgument } from '../errors.js'

/** How instances of a class become data and come back. */
export interface ClassCodec<T, D> {
  /** Structured data (registered classes included) that describes the instance. It must not contain the instance itself. */
  toData: (value: T) => D
  /** A new instance from a copy of that data. */
  fromData: (data: D) => T
}

export interface RegisteredClass {
  readonly name: string
  readonly Class: abstract new (...args: never[]) => unknown
  readonly toData: (value: unknown) => unknown
  readonly fromData: (data: unknown) => unknown
}

const byName = new Map<string, RegisteredClass>()
const byPrototype = new Map<object, RegisteredClass>()

const KEPT_AS_THEMSELVES = [
  Object, Array, Map, Set, Date, RegExp, ArrayBuffer, SharedArrayBuffer, DataView, Buffer, Uint8Array, Promise, Function, Error,
]

/**
 * Lets instances of `Class` be part of values on this thread. Only of that very class: a class derived from it is another one.
 *
 * Registering the same class under the same name again replaces its functions. Another class under a taken name, or a class
 * that already has another name: `ERR_NAME_TAKEN`. Arguments of the wrong kind: `TypeError`.
 */
export function registerClass<T, D>(name: string, Class: abstract new (...args: never[]) => T, codec: ClassCodec<T, D>): void {
  checkArguments(name, Class, codec)
  const prototype = Class.prototype as object
  const known = byName.get(name)
  if (known !== undefined && known.Class !== Class) {
    throw new CacheError('ERR_NAME_TAKEN', `another class is registered as '${name}' on this thread; choose another name`, { class: name })
  }
  const other = byPrototype.get(prototype)
  if (other !== undefined && other.name !== name) {
    throw new CacheError('ERR_NAME_TAKEN', `this class is registered as '${other.name}' on this thread; use that name`, { class: other.name })
  }
  const { toData, fromData } = codec
  // The registry calls these two only with what belongs to this class.
  const entry = { name, Class, toData: toData as (value: unknown) => unknown, fromData: fromData as (data: unknown) => unknown }
  byName.set(name, entry)
  byPrototype.set(prototype, entry)
}

/** Whether decoding a value may run code of the application's on this thread. */
export function hasClasses(): boolean {
  return byName.size > 0
}

/** The class of this name, if this thread has it. */
export function classNamed(name: string): RegisteredClass | undefined {
  return byName.get(name) ?? (foreignLeft > 0 ? foreignClass(name) : undefined)
}

/** Classes that a thread keeps as it met them. What comes beyond is unknown to it. */
const MAX_FOREIGN_CLASSES = 4096

let foreignLeft = 0

/**
 * From now on this thread, which registers no classes, decodes instances of any class to their data under the name of the class, and encodes
 * them to the same bytes: for a thread that only passes values on.
 */
export function keepForeignClasses(): void {
  foreignLeft = MAX_FOREIGN_CLASSES
}

function foreignClass(name: string): RegisteredClass | undefined {
  if (name === '' || name.length > MAX_NAME_LENGTH) return undefined
  foreignLeft--
  class Foreign {
    readonly data: unknown
    constructor(data: unknown) {
      this.data = data
    }
  }
  registerClass(name, Foreign, { toData: ({ data }) => data, fromData: (data) => new Foreign(data) })
  return byName.get(name)
}

const MAX_NAME_LENGTH = 256

/** The class whose instances have this prototype, if this thread has registered it. */
export function classOfPrototype(prototype: object): RegisteredClass | undefined {
  return byPrototype.get(prototype)
}

function checkArguments(name: unknown, Class: unknown, codec: unknown): void {
  if (typeof name !== 'string' || name === '' || name.length > MAX_NAME_LENGTH) {
    throw invalidArgument(`registerClass(name, Class, codec): name has to be a string of 1 to ${MAX_NAME_LENGTH} characters`)
  }
  if (typeof Class !== 'function' || typeof Class.prototype !== 'object' || Class.prototype === null) {
    throw invalidArgument(`registerClass('${name}', Class, codec): Class has to be a class`)
  }
  if ((KEPT_AS_THEMSELVES as unknown[]).includes(Class)) {
    throw invalidArgument(`registerClass('${name}', Class, codec): ${Class.name} is built in; register a class of your own`)
  }
  const { toData, fromData } = (codec ?? {}) as { toData?: unknown; fromData?: unknown }
  if (typeof toData !== 'function' || typeof fromData !== 'function') {
    throw invalidArgument(`registerClass('${name}', Class, { toData, fromData }): both have to be functions`)
  }
}
