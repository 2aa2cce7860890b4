import { expect } from 'chai'
import fc from 'fast-check'
import { compileQuery, type Subject } from '../../../actors/query/query.js'
import { orderOf, sameValue } from '../../../actors/query/same-value.js'
import { expectTypeError, thrown } from '../expectations.js'

const subject = (value: unknown, more: Partial<Subject> = {}): Subject => ({ key: 'k', value, modified: 1000, expires: null, expired: false, ...more })
const holds = (query: unknown, value: unknown, more?: Partial<Subject>): boolean => compileQuery(query).holds(subject(value, more))

/** One value of every kind, all different. */
const KINDS: unknown[] = [
  null, undefined, true, 1, 1n, '1', new Date(1), Buffer.from([1]), [1], { 1: 1 }, new Map([['1', 1]]), new Set([1]), /1/, new Error('1'), new Float64Array([1]), new ArrayBuffer(1),
]
const COMPARISONS = ['$eq', '$ne', '$lt', '$lte', '$gt', '$gte']

const circular = (): unknown[] => {
  const array: unknown[] = [1]
  array.push(array)
  return array
}

describe('a query', () => {
  const ada = { name: 'Ada', age: 36, address: { city: 'London', zip: ['N', 1] }, tags: ['a', 'b'], left: undefined, 'full.name': 'Ada Lovelace' }

  const cases: [query: unknown, matches: boolean][] = [
    [{}, true],
    [{ value: {} }, true],
    [{ value: { name: 'Ada' } }, true],
    [{ value: { name: 'ada' } }, false],
    [{ value: { age: { $gte: 18 }, 'address.city': 'London' } }, true],
    [{ value: { age: { $gte: 18 }, 'address.city': 'Paris' } }, false],
    [{ value: { address: { city: 'London' } } }, true],
    [{ value: { address: { city: 'London', street: 'x' } } }, false],
    [{ value: { address: { $eq: { city: 'London' } } } }, false],
    [{ value: { address: { $eq: { zip: ['N', 1], city: 'London' } } } }, true],
    [{ value: { 'address.zip.0': 'N', 'address.zip.1': { $gt: 0 }, 'tags.length': 2 } }, true],
    [{ value: { 'address.zip': ['N', 1] } }, true],
    [{ value: { tags: 'a' } }, false],
    [{ value: { tags: ['b', 'a'] } }, false],
    [{ value: { age: { $gt: 30, $lt: 40, $ne: 35 } } }, true],
    [{ value: { age: { $gt: 30, $lt: 36 } } }, false],
    [{ value: { age: { $ne: 36 } } }, false],
    [{ value: { age: { $in: [1, 36, 'x'] } } }, true],
    [{ value: { age: { $in: [] } } }, false],
    [{ value: { age: { $in: ['36'] } } }, false],
    [{ value: { tags: { $in: [['a', 'b']] } } }, true],
    [{ value: { name: { $prefix: 'Ad' } } }, true],
    [{ value: { name: { $prefix: '' } } }, true],
    [{ value: { age: { $prefix: '3' } } }, false],
    [{ value: { missing: { $exists: false }, name: { $exists: true }, 'name.length': { $exists: false } } }, true],
    [{ value: { left: { $exists: true } } }, true],
    [{ value: { missing: { $ne: 1 } } }, false],
    [{ value: { missing: { $not: { $eq: 1 } } } }, true],
    [{ value: { missing: { $lt: 1 } } }, false],
    [{ value: { 'address.missing.deeper': 1 } }, false],
    [{ value: { 'full.name': { $prefix: 'Ada ' } } }, true],
    [{ value: { $or: [{ name: 'Bob' }, { age: { $gt: 35 } }], $and: [{ name: 'Ada' }, { $not: { age: 1 } }] } }, true],
    [{ value: { age: { $or: [{ $lt: 10 }, { $gt: 30 }], $not: 40 } } }, true],
    [{ $or: [{ key: 'other' }, { value: { name: 'Ada' } }] }, true],
    [{ $or: [] }, false],
    [{ $and: [] }, true],
    [{ $and: [{ key: 'k' }, { modified: 1000 }], $not: { key: 'x' } }, true],
    [{ key: { $prefix: 'k' }, modified: { $gt: 999, $lte: 1000 }, expires: null }, true],
    [{ expires: { $gt: 0 } }, false],
    [{ key: 'K' }, false],
  ]
  for (const [query, matches] of cases) {
    it(`${JSON.stringify(query)} ${matches ? 'holds' : 'does not hold'}`, () => {
      expect(holds(query, ada)).to.equal(matches)
      expect(holds({ $not: query }, ada)).to.equal(!matches)
    })
  }

  it('compares within a kind only: every comparison of two kinds is false', () => {
    for (const [index, operand] of KINDS.entries()) {
      for (const [other, value] of KINDS.entries()) {
        if (index === other || operand === undefined) continue
        for (const operator of COMPARISONS) expect(holds({ value: { [operator]: operand } }, value), `${operator} of ${kind(operand)} and ${kind(value)}`).to.equal(false)
        expect(holds({ value: { $in: [operand] } }, value)).to.equal(false)
      }
    }
  })

  it('finds every kind of value equal to a copy of itself, and not different', () => {
    for (const [index, value] of KINDS.entries()) {
      if (value === undefined) continue
      expect(holds({ value: { $eq: value } }, structuredClone(value)), String(index)).to.equal(true)
      expect(holds({ value: { $in: [7, value] } }, structuredClone(value)), String(index)).to.equal(true)
      expect(holds({ value: { $ne: value } }, structuredClone(value)), String(index)).to.equal(false)
    }
    expect(holds({ value: NaN }, NaN)).to.equal(true)
    expect(holds({ value: 0 }, -0)).to.equal(true)
    expect(holds({ value: { $in: [0, NaN] } }, -0)).to.equal(true)
    expect(holds({ value: { $eq: Buffer.from('x') } }, new Uint8Array([120]))).to.equal(true)
    expect(holds({ value: { $eq: { a: 1, b: [0] } } }, { b: [-0], a: 1 })).to.equal(true)
    expect(holds({ value: { $eq: { a: 1 } } }, Object.assign(Object.create(null) as object, { a: 1 }))).to.equal(true)
    expect(holds({ value: { $eq: new Date(NaN) } }, new Date(NaN))).to.equal(true)
    expect(holds({ value: { $eq: { a: undefined } } }, {})).to.equal(false)
    expect(holds({ value: { $eq: [undefined] } }, new Array(1))).to.equal(false)
  })

  it('orders booleans, numbers, BigInts, dates, strings, bytes and arrays', () => {
    const ascending: [unknown, unknown][] = [
      [false, true], [-1, 0.5], [1n, 2n ** 80n], [new Date(1), new Date(2)], ['Z', 'a'], ['a', 'ab'], ['\ud83d', '\ufffd'], [Buffer.from([1]), Buffer.from([1, 0])], [['a', 1], ['a', 2]], [['a'], ['a', null]],
    ]
    for (const [less, more] of ascending) {
      expect(COMPARISONS.map((operator) => holds({ value: { [operator]: more } }, less)), String(less)).to.deep.equal([false, true, true, true, false, false])
      expect(COMPARISONS.map((operator) => holds({ value: { [operator]: less } }, more)), String(less)).to.deep.equal([false, true, false, false, true, true])
      expect(COMPARISONS.map((operator) => holds({ value: { [operator]: less } }, less)), String(less)).to.deep.equal([true, false, false, true, false, true])
    }
    for (const without of [NaN, new Date(NaN)]) {
      for (const operator of ['$lt', '$gt']) expect(holds({ value: { [operator]: without } }, without)).to.equal(false)
      for (const operator of ['$lt', '$lte', '$gt', '$gte']) expect(holds({ value: { [operator]: without } }, 1)).to.equal(false)
    }
    for (const operator of ['$lt', '$lte', '$gt', '$gte']) {
      expect(holds({ value: { [operator]: { $eq: 1 } } }, { $eq: 1 })).to.equal(false)
      expect(holds({ value: { [operator]: ['a', '1'] } }, ['a', 1])).to.equal(false)
      expect(holds({ value: { [operator]: circular() } }, circular())).to.equal(false)
    }
  })

  it('finds own properties only, whatever they are called', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty', '__proto__.constructor', 'constructor.name', 'length', 'size']) {
      for (const value of [{}, [], 'text', 5, new Map(), new Date(), Buffer.from('x')]) {
        if (name === 'length' && Array.isArray(value)) continue
        expect(holds(query(name), value), `${name} of ${kind(value)}`).to.equal(false)
      }
      const own = JSON.parse(`{ ${JSON.stringify(name)}: 1 }`) as unknown
      expect(holds(query(name), own), name).to.equal(true)
    }
    function query(name: string): unknown {
      return { value: JSON.parse(`{ ${JSON.stringify(name)}: { "$exists": true } }`) as unknown }
    }
  })

  it('follows a path into a map by its string keys', () => {
    const value = new Map<unknown, unknown>([['a', { b: new Map([['c', 5]]) }], [1, 'one'], ['none', undefined]])
    expect(holds({ value: { 'a.b.c': 5 } }, value)).to.equal(true)
    expect(holds({ value: { 1: { $exists: true } } }, value)).to.equal(false)
    expect(holds({ value: { none: { $exists: true }, other: { $exists: false } } }, value)).to.equal(true)
  })

  it('has keys of every kind, also by path', () => {
    expect(holds({ key: ['user', 5] }, 0, { key: ['user', 5] })).to.equal(true)
    expect(holds({ key: { $gte: ['user', 4], $lt: ['user', 6] } }, 0, { key: ['user', 5] })).to.equal(true)
    expect(holds({ key: { 0: 'user' } }, 0, { key: ['user', 5] })).to.equal(true)
    expect(holds({ key: { id: 5 } }, 0, { key: { id: 5 } })).to.equal(true)
    expect(holds({ key: 5 }, 0, { key: 5n })).to.equal(false)
    expect(holds({ key: Buffer.from('x') }, 0, { key: new Uint8Array([120]) })).to.equal(true)
    expect(holds({ key: null }, 0, { key: null })).to.equal(true)
  })

  it('says which entries it wants: expired, not expired, any', () => {
    for (const [wanted, live, expired] of [[true, false, true], [false, true, false], ['any', true, true]] as const) {
      expect(holds({ expired: wanted }, 0, { expired: false })).to.equal(live)
      expect(holds({ expired: wanted }, 0, { expired: true })).to.equal(expired)
      expect(compileQuery({ $or: [{ key: 'a' }, { $not: { expired: wanted } }] }).saysExpired).to.equal(true)
    }
    expect(compileQuery({ key: 'a' }).saysExpired).to.equal(false)
  })

  it('tells whether it looks at values', () => {
    expect(compileQuery({ key: 'a', $or: [{ modified: 5 }] }).readsValue).to.equal(false)
    expect(compileQuery({ $not: { $or: [{ value: 5 }] } }).readsValue).to.equal(true)
  })

  it('is not changed by what happens to its parts afterwards', () => {
    const query = { value: { $in: ['a'], tag: { $eq: { x: 1 } } } }
    const { holds: test } = compileQuery({ $or: [query, { value: { $in: query.value.$in } }] })
    query.value.$in.push('b')
    expect(test(subject('a'))).to.equal(true)
    expect(test(subject('b'))).to.equal(false)
  })

  it('compares circular values and those that share their parts over and over in bounded time', () => {
    expect(sameValue(circular(), circular())).to.equal(true)
    let a: unknown = { end: 1 }
    let b: unknown = { end: 1 }
    let c: unknown = { end: 2 }
    for (let level = 0; level < 200; level++) [a, b, c] = [[a, a], [b, b], [c, c]]
    expect(sameValue(a, b)).to.equal(true)
    expect(sameValue(a, c)).to.equal(false)
  })

  describe('that is malformed is refused with its path', () => {
    const nested = (levels: number): unknown => {
      let query: unknown = { key: 1 }
      for (let level = 0; level < levels; level++) query = { $not: query }
      return query
    }
    const around = (): unknown => {
      const query: { $and: unknown[] } = { $and: [] }
      query.$and.push(query)
      return query
    }
    const bushy = (): unknown => {
      let query: unknown = { key: 1 }
      for (let level = 0; level < 90; level++) query = { $or: [query, query] }
      return query
    }
    const throwing = { key: Object.defineProperty({}, '$eq', { enumerable: true, get: () => { throw new Error('no') } }) }

    const cases: [query: unknown, path: string][] = [
      [{ values: 1 }, 'where.values'],
      [{ $eq: 1 }, 'where.$eq'],
      [JSON.parse('{ "__proto__": 1 }'), 'where.__proto__'],
      [{ constructor: 1 }, 'where.constructor'],
      [{ expired: 'yes' }, 'where.expired'],
      [{ expired: null }, 'where.expired'],
      [{ expired: 1 }, 'where.expired'],
      [{ key: undefined }, 'where.key'],
      [{ value: { age: { $gtt: 5 } } }, 'where.value.age.$gtt'],
      [{ value: { age: { $gt: undefined } } }, 'where.value.age.$gt'],
      [{ value: { age: undefined } }, 'where.value.age'],
      [{ value: { $constructor: 5 } }, 'where.value.$constructor'],
      [{ value: { 'address.city': { $prefix: 5 } } }, 'where.value["address.city"].$prefix'],
      [{ value: { $prefix: null } }, 'where.value.$prefix'],
      [{ value: { $prefix: ['a'] } }, 'where.value.$prefix'],
      [{ value: { a: { $exists: 1 } } }, 'where.value.a.$exists'],
      [{ value: { a: { $in: 'abc' } } }, 'where.value.a.$in'],
      [{ value: { a: { $in: { 0: 1 } } } }, 'where.value.a.$in'],
      [{ value: { a: { $in: [1, undefined] } } }, 'where.value.a.$in[1]'],
      [{ $and: { key: 1 } }, 'where.$and'],
      [{ $or: [{ key: 1 }, 5] }, 'where.$or[1]'],
      [{ $or: [{ key: 1 }, { kee: 1 }] }, 'where.$or[1].kee'],
      [{ $not: [{ key: 1 }] }, 'where.$not'],
      [{ $not: null }, 'where.$not'],
      [{ value: { $and: {} } }, 'where.value.$and'],
      [{ value: { $or: [undefined] } }, 'where.value.$or[0]'],
      [{ value: { a: () => 1 } }, 'where.value.a'],
      [{ value: { a: { $eq: Symbol('x') } } }, 'where.value.a.$eq'],
      [{ value: { a: { $in: [Promise.resolve()] } } }, 'where.value.a.$in[0]'],
      [{ value: new (class Odd {})() }, 'where.value'],
      [throwing, 'where.key.$eq'],
      [[], 'where'], [null, 'where'], [5, 'where'], ['x', 'where'], [new Map(), 'where'], [new Date(), 'where'],
    ]
    for (const [query, path] of cases) {
      it(path, () => {
        const error = thrown(() => compileQuery(query))
        expectTypeError(error)
        expect(error['path']).to.equal(path)
        expect(error.message).to.contain(path)
      })
    }

    it('where it is circular, deep or bushy', () => {
      for (const query of [around(), nested(101), nested(20_000), bushy()]) expectTypeError(thrown(() => compileQuery(query)))
      expect(holds(nested(98), 1, { key: 1 })).to.equal(true)
    })
  })

  it('agrees with a plain reading of its rules', () => {
    const primitive = fc.oneof(fc.constantFrom(null, true, false, 'a', 'b', 'ab', '1'), fc.integer({ min: -2, max: 2 }), fc.bigInt({ min: -2n, max: 2n }), fc.constantFrom(NaN, -0, new Date(0), new Date(1)))
    const name = fc.constantFrom('a', 'b', 'c')
    const value = fc.letrec((tie) => ({
      value: fc.oneof({ depthSize: 'small' }, primitive, fc.array(tie('value'), { maxLength: 2 }), fc.dictionary(name, tie('value'), { maxKeys: 3 })),
    }))['value']
    const operator = fc.oneof(
      fc.tuple(fc.constantFrom('$eq', '$ne', '$lt', '$lte', '$gt', '$gte'), value), fc.tuple(fc.constant('$in'), fc.array(value, { maxLength: 3 })),
      fc.tuple(fc.constant('$exists'), fc.boolean()), fc.tuple(fc.constant('$prefix'), fc.constantFrom('', 'a', 'ab')),
    )
    const condition = fc.letrec((tie) => ({
      condition: fc.oneof({ depthSize: 'small' },
        operator.map(([op, operand]) => ({ [op]: operand })), primitive,
        fc.dictionary(fc.oneof(name, fc.constantFrom('a.b', 'a.0', 'c.a.b')), tie('condition'), { maxKeys: 2 }),
        fc.array(tie('condition'), { maxLength: 3 }).map(($and) => ({ $and })), fc.array(tie('condition'), { maxLength: 3 }).map(($or) => ({ $or })), tie('condition').map(($not) => ({ $not }))),
    }))['condition']
    fc.assert(fc.property(condition, value, (query, candidate) => {
      expect(holds({ value: query }, candidate)).to.equal(reads(query, [candidate]))
    }), { numRuns: 2000 })
  })
})

/** The rules read plainly. What a path leads to is an array of one, or of nothing. */
function reads(condition: unknown, found: unknown[]): boolean {
  if (Object.prototype.toString.call(condition) !== '[object Object]') return found.length === 1 && sameValue(found[0], condition)
  return Object.entries(condition as object).every(([name, operand]: [string, unknown]) => {
    const order = found.length === 0 ? NaN : orderOf(found[0], operand)
    switch (name) {
      case '$eq': return found.length === 1 && sameValue(found[0], operand)
      case '$ne': return found.length === 1 && kind(found[0]) === kind(operand) && !sameValue(found[0], operand)
      case '$lt': return order < 0
      case '$lte': return order <= 0
      case '$gt': return order > 0
      case '$gte': return order >= 0
      case '$in': return found.length === 1 && (operand as unknown[]).some((member) => sameValue(found[0], member))
      case '$exists': return (found.length === 1) === operand
      case '$prefix': return typeof found[0] === 'string' && found[0].startsWith(operand as string)
      case '$and': return (operand as unknown[]).every((part) => reads(part, found))
      case '$or': return (operand as unknown[]).some((part) => reads(part, found))
      case '$not': return !reads(operand, found)
      default: return reads(operand, name.split('.').reduce<unknown[]>(([value], part) => typeof value === 'object' && value !== null && Object.hasOwn(value, part) ? [(value as Record<string, unknown>)[part]] : [], found))
    }
  })
}

function kind(value: unknown): string {
  return typeof value === 'object' ? Object.prototype.toString.call(value) : typeof value
}
