/**
 * The query language of `where`: compiles a query, which is data, into a test of entries.
 *
 *   query       { key, value, modified, expires: condition, expired: true | false | 'any', $and, $or: [query…], $not: query }
 *   condition   { $operator: operand, …, path: condition, … }, or any other value, which has to be equal
 *
 * All parts of an object have to hold. `entry-query.ts` gives them their types and says to users what they mean.
 */
import { encodeValue, decodeValue } from '../../runtime/codec/value.js'
import { propertyStep } from '../../runtime/codec/refusal.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { invalidArgument } from '../../runtime/errors.js'
import { orderOf, isPlainObject, sameKind, sameValue } from './same-value.js'

/** An entry as a query sees it. Key and value may be decoded when they are asked for. */
export interface Subject {
  readonly key: unknown
  readonly value: unknown
  readonly modified: number
  readonly expires: number | null
  /** Whether its time has come. */
  readonly expired: boolean
}

export interface CompiledQuery {
  readonly holds: (entry: Subject) => boolean
  /** Whether it looks at values at all. */
  readonly readsValue: boolean
  /** Whether it says which entries it wants, expired ones or others. */
  readonly saysExpired: boolean
}

type Test = (value: unknown) => boolean

/** What a path leads to that leads nowhere. Of no kind, so no comparison with it is true. */
const NOTHING = Symbol('nothing')

/** Conditions nested deeper, or more of them, are refused: compiling and testing take bounded time. */
const MAX_DEPTH = 100
const MAX_CONDITIONS = 10_000

/** @throws `ERR_INVALID_ARGUMENT` with the `path` of what is wrong */
export function compileQuery(query: unknown): CompiledQuery {
  const compiler = new Compiler()
  const holds = compiler.query(snapshot(query), 'where', 0)
  return { holds, readsValue: compiler.readsValue, saysExpired: compiler.saysExpired }
}

/** A copy that nobody changes any more: what a query compares with has to be data that could be stored. */
function snapshot(query: unknown): unknown {
  const scratch = new Scratch()
  try {
    encodeValue(query, scratch)
  } catch (error) {
    const { path = '$', message } = error as { path?: string; message: string }
    throw invalidArgument(`a query is data: ${message.replace('$', 'where')}`, { path: path.replace('$', 'where'), cause: error })
  }
  return decodeValue(scratch.bytes, 0, scratch.end)
}

class Compiler {
  readsValue = false
  saysExpired = false
  #conditions = 0

  query(query: unknown, path: string, depth: number): (entry: Subject) => boolean {
    this.#enter(path, depth)
    if (!isPlainObject(query)) throw malformed(path, `a query is an object with ${QUERY_NAMES.join(', ')}`)
    const parts: ((entry: Subject) => boolean)[] = []
    for (const name of Object.keys(query).sort((a, b) => QUERY_NAMES.indexOf(a) - QUERY_NAMES.indexOf(b))) {
      parts.push(this.#queryPart(name, query[name], path + propertyStep(name), depth + 1))
    }
    return all(parts)
  }

  #queryPart(name: string, part: unknown, path: string, depth: number): (entry: Subject) => boolean {
    switch (name) {
      case 'expired': return this.#expired(part, path)
      case 'modified': return over((entry) => entry.modified, this.#condition(part, path, depth))
      case 'expires': return over((entry) => entry.expires, this.#condition(part, path, depth))
      case 'key': return over((entry) => entry.key, this.#condition(part, path, depth))
      case 'value':
        this.readsValue = true
        return over((entry) => entry.value, this.#condition(part, path, depth))
      case '$and': return all(this.#list(part, path, (query, at) => this.query(query, at, depth)))
      case '$or': return any(this.#list(part, path, (query, at) => this.query(query, at, depth)))
      case '$not': return not(this.query(part, path, depth))
      default: throw malformed(path, `a query has no '${name}', only ${QUERY_NAMES.join(', ')}`)
    }
  }

  #expired(wanted: unknown, path: string): (entry: Subject) => boolean {
    this.saysExpired = true
    if (wanted === 'any') return () => true
    if (typeof wanted !== 'boolean') throw malformed(path, 'it is true, false or \'any\'')
    return (entry) => entry.expired === wanted
  }

  #condition(condition: unknown, path: string, depth: number): Test {
    this.#enter(path, depth)
    if (condition === undefined) throw malformed(path, 'undefined is no condition; { $exists: false } finds what is not there')
    if (!isPlainObject(condition)) return equalTo(condition)
    return all(Object.keys(condition).map((name) => {
      const at = path + propertyStep(name)
      return name.startsWith('$') ? this.#operator(name, condition[name], at, depth + 1) : over(followPath(name), this.#condition(condition[name], at, depth + 1))
    }))
  }

  #operator(name: string, operand: unknown, path: string, depth: number): Test {
    if (operand === undefined) throw malformed(path, 'undefined cannot be compared with')
    switch (name) {
      case '$eq': return equalTo(operand)
      case '$ne': return (value) => sameKind(value, operand) && !sameValue(value, operand)
      case '$lt': return (value) => orderOf(value, operand) < 0
      case '$lte': return (value) => orderOf(value, operand) <= 0
      case '$gt': return (value) => orderOf(value, operand) > 0
      case '$gte': return (value) => orderOf(value, operand) >= 0
      case '$in': return memberOf(this.#list(operand, path, (member, at) => {
        if (member === undefined) throw malformed(at, 'undefined cannot be compared with')
        return member
      }))
      case '$prefix':
        if (typeof operand !== 'string') throw malformed(path, 'a prefix is a string')
        return (value) => typeof value === 'string' && value.startsWith(operand)
      case '$exists':
        if (typeof operand !== 'boolean') throw malformed(path, 'it is true or false')
        return (value) => (value !== NOTHING) === operand
      case '$and': return all(this.#list(operand, path, (condition, at) => this.#condition(condition, at, depth)))
      case '$or': return any(this.#list(operand, path, (condition, at) => this.#condition(condition, at, depth)))
      case '$not': return not(this.#condition(operand, path, depth))
      default: throw malformed(path, `there is no operator '${name}', only ${OPERATORS.join(', ')}`)
    }
  }

  #list<T>(list: unknown, path: string, compile: (member: unknown, path: string) => T): T[] {
    if (!Array.isArray(list)) throw malformed(path, 'it is an array')
    return Array.from(list, (member: unknown, index) => compile(member, `${path}[${index}]`))
  }

  #enter(path: string, depth: number): void {
    if (depth > MAX_DEPTH) throw malformed(path.slice(0, 200), `conditions are circular or nested deeper than ${MAX_DEPTH} levels`)
    if (++this.#conditions > MAX_CONDITIONS) throw malformed(path.slice(0, 200), `it has more than ${MAX_CONDITIONS} conditions`)
  }
}

/** In the order in which they are tested: what costs least first. */
const QUERY_NAMES = ['expired', 'modified', 'expires', 'key', 'value', '$and', '$or', '$not']
const OPERATORS = ['$eq', '$ne', '$lt', '$lte', '$gt', '$gte', '$in', '$prefix', '$exists', '$and', '$or', '$not']

function all<T>(tests: readonly ((subject: T) => boolean)[]): (subject: T) => boolean {
  if (tests.length === 1) return tests[0]!
  return (subject) => {
    for (const test of tests) if (!test(subject)) return false
    return true
  }
}

function any<T>(tests: readonly ((subject: T) => boolean)[]): (subject: T) => boolean {
  return (subject) => {
    for (const test of tests) if (test(subject)) return true
    return false
  }
}

function not<T>(test: (subject: T) => boolean): (subject: T) => boolean {
  return (subject) => !test(subject)
}

function over<T>(part: (subject: T) => unknown, test: Test): (subject: T) => boolean {
  return (subject) => test(part(subject))
}

function equalTo(operand: unknown): Test {
  return typeof operand === 'string' ? (value) => value === operand : (value) => sameValue(value, operand)
}

/** Whether a value is one of these. A set compares primitives as `sameValue` does. */
function memberOf(members: readonly unknown[]): Test {
  const primitives = new Set(members.filter((member) => typeof member !== 'object' || member === null))
  const others = members.filter((member) => !primitives.has(member))
  return (value) => primitives.has(value) || others.some((member) => sameValue(value, member))
}

/** Where a path with dots leads: to a property of the whole name if there is one, else step by step. */
function followPath(path: string): (value: unknown) => unknown {
  const steps = path.split('.')
  if (steps.length === 1) return (value) => step(value, path)
  return (value) => {
    const whole = step(value, path)
    return whole === NOTHING ? steps.reduce(step, value) : whole
  }
}

/** Own properties only, so that nobody finds `constructor` in every value; of a map, what it holds under the name. */
function step(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return NOTHING
  if (value instanceof Map) return value.has(name) ? value.get(name) : NOTHING
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : NOTHING
}

function malformed(path: string, problem: string): TypeError {
  return invalidArgument(`malformed query at ${path}: ${problem}`, { path })
}
