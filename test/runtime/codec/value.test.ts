import { expect } from 'chai'
import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import { registerClass } from '../../../runtime/codec/classes.js'
import { Scratch } from '../../../runtime/codec/scratch.js'
import { decodeFlat, decodeValue, encodeValue, isFlat } from '../../../runtime/codec/value.js'
import { CacheError } from '../../../runtime/errors.js'

const scratch = new Scratch(16)

function encoded(value: unknown): Buffer {
  scratch.reset()
  encodeValue(value, scratch)
  return Buffer.from(scratch.bytes.subarray(0, scratch.end))
}

function decoded(bytes: Buffer): unknown {
  return decodeValue(bytes, 0, bytes.length)
}

function copyOf<T>(value: T): T {
  return decoded(encoded(value)) as T
}

function refusal(act: () => unknown, what = 'it'): CacheError {
  try {
    act()
  } catch (error) {
    expect(error).to.be.instanceOf(CacheError)
    return error as CacheError
  }
  throw new Error(`${what} was not refused`)
}

function unsupported(value: unknown): CacheError {
  scratch.reset()
  encodeValue('before', scratch)
  const end = scratch.end
  const error = refusal(() => encodeValue(value, scratch))
  expect(error.code).to.equal('ERR_UNSUPPORTED_VALUE')
  expect(scratch.end).to.equal(end)
  return error
}

/** `isDeepStrictEqual` tells apart −0, prototypes, holes and kinds; it calls two invalid dates different. */
function expectCopy(value: unknown): void {
  const copy = copyOf(value)
  if (!isDeepStrictEqual(copy, value)) expect(copy).to.deep.equal(value)
  if (typeof value === 'object' && value !== null) expect(copy).to.not.equal(value)
}

function nested(levels: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < levels; level++) value = level % 3 === 0 ? [value] : level % 3 === 1 ? { value } : new Map([[1, value]])
  return value
}

const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.string({ maxLength: 300 }), fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 80 }).map((units) => String.fromCharCode(...units)))
const scalar = fc.oneof(
  fc.constantFrom<unknown>(null, undefined, true, false, 0, -0, NaN, Infinity, -Infinity, '', '\ud800', -32, -33, 95, 96, -32768, -32769, 32767, 32768, 2 ** 31, -(2 ** 31)),
  fc.integer(), fc.double(), fc.bigInt(), fc.bigInt({ min: -(2n ** 300n), max: 2n ** 300n }), text,
)
const memory = fc.oneof(
  fc.uint8Array(), fc.uint8Array().map((bytes) => Buffer.from(bytes)), fc.uint8ClampedArray(), fc.int8Array(), fc.uint16Array(), fc.int16Array(), fc.uint32Array(), fc.int32Array(),
  fc.float32Array(), fc.float64Array(), fc.bigInt64Array(), fc.bigUint64Array(), fc.uint8Array().map((bytes) => bytes.slice().buffer), fc.uint8Array().map((bytes) => new DataView(bytes.slice().buffer)),
)
const name = fc.oneof(fc.constantFrom('a', 'b', 'id', '__proto__', 'constructor', 'toString', '0', '7', ''), text)
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    scalar, fc.date({ noInvalidDate: true }), memory, fc.constantFrom(/a/, /[/]\n/giu, new RegExp('')),
    fc.array(tie('value'), { maxLength: 5 }), fc.array(tie('value'), { maxLength: 4 }).map((array) => Object.assign(new Array<unknown>(array.length * 2), array)), fc.sparseArray(tie('value')),
    fc.dictionary(name, tie('value'), { maxKeys: 5, noNullPrototype: false }),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map((pairs) => new Map(pairs)), fc.array(tie('value'), { maxLength: 4 }).map((members) => new Set(members)),
  ),
}))

describe('codec/value', () => {
  it('gives back every value equal in kind and content', () => {
    fc.assert(fc.property(value, (value) => expectCopy(value)), { numRuns: 3000 })
  })

  it('does so however often a shape is met', () => {
    const shapes = fc.sample(fc.dictionary(name, scalar, { maxKeys: 6 }), 100)
    for (let round = 0; round < 30; round++) for (const shape of shapes) expectCopy(shape)
  })

  it('keeps strings of every length and alphabet', () => {
    for (let length = 0; length < 140; length++) {
      for (const unit of ['a', 'é', '\xff', '€', '\ud83d', '\0']) {
        for (const string of [unit.repeat(length), 'a'.repeat(length) + unit, unit + 'a'.repeat(length)]) {
          expect(copyOf(string)).to.equal(string)
          expect(copyOf([string])).to.deep.equal([string])
        }
      }
    }
  })

  it('appends behind what is there, and decodes from any position', () => {
    fc.assert(fc.property(value, fc.nat({ max: 30 }), (value, before) => {
      const into = new Scratch(8)
      into.ensure(before)
      into.bytes.fill(0xee)
      into.end = before
      encodeValue(value, into)
      const bytes = Buffer.concat([into.bytes.subarray(0, into.end), Buffer.alloc(9, 0xee)])
      expect(isDeepStrictEqual(decodeValue(bytes, before, into.end), value)).to.equal(true)
      expect(bytes.subarray(0, before).every((byte) => byte === 0xee)).to.equal(true)
    }))
  })

  it('is the same bytes on every version: one of each kind', () => {
    const golden: [unknown, string][] = [
      [null, '01'], [undefined, '02'], [false, '03'], [true, '04'], [0, 'a0'], [-32, '80'], [95, 'ff'], [96, '056000'], [-33, '05dfff'], [70_000, '0670110100'], [0.5, '07000000000000e03f'],
      [-0, '070000000000000080'], [5n, '080500000000000000'], [2n ** 64n, '0912010000000000000000'], ['ab', '0a6162'], ['€', '0bac20'], [['ab', '€'], '12024261620d02ac20'],
      [new Date(0), '100000000000000000'], [/a/g, '1141614167'], [[1, null], '1202a101'], [[,1], '13020101a1'], [new Map([[1, 2]]), '1401a1a2'], [new Set([1]), '1501a1'],  
      [{ a: 1, b: 2 }, '16050241614162a1a2'], [Object.assign(Object.create(null), { a: 1 }), '1703014161a1'], [Buffer.from([7]), '18010107'], [new Uint8Array([7]), '18030107'],
      [[[], []], '120212001200'],
    ]
    for (const [value, hex] of golden) expect(encoded(value).toString('hex')).to.equal(hex)
    const twice: unknown[] = []
    expect(encoded([twice, twice]).toString('hex')).to.equal('1e120212001f01')
  })

  it('keeps invalid dates, undefined inside, and holes apart from undefined', () => {
    expect(copyOf(new Date(NaN)).getTime()).to.be.NaN
     
    const array = copyOf([undefined, , 1])
    expect([0 in array, 1 in array, array.length]).to.deep.equal([true, false, 3])
    expect(Object.keys(copyOf({ a: undefined }))).to.deep.equal(['a'])
  })

  it('keeps sparse arrays of any length without paying for their holes', () => {
    const array: unknown[] = new Array(2 ** 32 - 1)
    array[5] = 'five'
    array[4_000_000_000] = 'far'
    const bytes = encoded(array)
    expect(bytes.length).to.be.below(40)
    const before = process.memoryUsage().rss
    const copy = decoded(bytes) as unknown[]
    expect(process.memoryUsage().rss - before).to.be.below(50 << 20)
    expect(copy.length).to.equal(2 ** 32 - 1)
    expect(Object.keys(copy)).to.deep.equal(['5', '4000000000'])
    for (const length of [1000, 1025, 1e6, 3e7]) expect(copyOf(new Array(length)).length).to.equal(length)
  })

  it('keeps __proto__ an own property, and no prototype changes', () => {
    const hostile = JSON.parse('{"__proto__":{"polluted":true},"a":1}') as object
    for (let round = 0; round < 20; round++) {
      const copy = copyOf(hostile)
      expect(Object.keys(copy)).to.deep.equal(['__proto__', 'a'])
      expect(Object.getPrototypeOf(copy)).to.equal(Object.prototype)
      expect('polluted' in copy).to.equal(false)
    }
  })

  it('is not misled by an enumerable property that all objects inherit', () => {
    Object.defineProperty(Object.prototype, 'inherited', { value: 1, enumerable: true, configurable: true })
    let names: string[]
    try {
      names = Object.keys(copyOf({ a: { b: 1 } }).a)
    } finally {
      delete (Object.prototype as { inherited?: unknown }).inherited
    }
    expect(names).to.deep.equal(['b'])
  })

  it('keeps cycles, and one object twice stays one object', () => {
    const value: Record<string, unknown> = { list: [], map: new Map(), set: new Set(), error: new Error('e') }
    ;(value['list'] as unknown[]).push(value)
    ;(value['map'] as Map<unknown, unknown>).set(value, value['list'])
    ;(value['set'] as Set<unknown>).add(value['set'])
    ;(value['error'] as Error).cause = value['error']
    const many = Array.from({ length: 40 }, (_, index) => ({ index, date: new Date(index) }))
    value['many'] = [...many, ...many, many[3]!.date]
    const copy = copyOf(value)
    expect((copy['list'] as unknown[])[0]).to.equal(copy)
    expect((copy['map'] as Map<unknown, unknown>).get(copy)).to.equal(copy['list'])
    expect((copy['set'] as Set<unknown>).has(copy['set'])).to.equal(true)
    expect((copy['error'] as Error).cause).to.equal(copy['error'])
    const copies = copy['many'] as typeof many
    for (let index = 0; index < 40; index++) expect(copies[index + 40]).to.equal(copies[index])
    expect(copies[80]).to.equal(copies[3]!.date)
  })

  it('copies memory: neither side sees the other change it', () => {
    for (const value of [Buffer.from('abc'), new Uint8Array([1, 2, 3]), new Float64Array([1, 2])]) {
      const bytes = encoded({ value })
      const copy = (decoded(bytes) as { value: Uint8Array }).value
      expect(copy.constructor).to.equal(value.constructor)
      const first = copy[0]
      value.fill(99)
      bytes.fill(99)
      expect(copy[0]).to.equal(first)
      expect(copy.buffer.byteLength).to.equal(copy.byteLength)
    }
  })

  it('keeps what is in a view of shared memory, but refuses the shared memory itself', () => {
    expect(copyOf(new Uint8Array(new SharedArrayBuffer(3)))).to.deep.equal(new Uint8Array(3))
    expect(unsupported({ a: new SharedArrayBuffer(3) })['path']).to.equal('$.a')
  })

  it('keeps errors: class or nearest, name, message, code, cause, stack, errors', () => {
    class Special extends RangeError { override name = 'Special' }
    const error = Object.assign(new Special('no', { cause: { because: ['of', new TypeError('this')] } }), { code: 'E_NO', errno: 5, ignored: {} })
    const copy = copyOf<Error>(error)
    expect(copy).to.be.instanceOf(RangeError)
    expect(copy).to.include({ name: 'Special', message: 'no', code: 'E_NO', errno: 5, stack: error.stack })
    expect('ignored' in copy).to.equal(false)
    expect((copy.cause as { because: unknown[] }).because[1]).to.be.instanceOf(TypeError)
    const aggregate = copyOf(new AggregateError([new SyntaxError('a'), 2], 'all'))
    expect(aggregate).to.be.instanceOf(AggregateError)
    expect(aggregate.errors[0]).to.be.instanceOf(SyntaxError)
    expect(aggregate.errors[1]).to.equal(2)
    expect(Object.keys(aggregate)).to.deep.equal([])
    expect(Object.hasOwn(copyOf(new Error()), 'message')).to.equal(false)
    expect(copyOf(new DOMException('stop', 'AbortError'))).to.include({ name: 'AbortError', message: 'stop' })
  })

  it('keeps a CacheError with its code, outcome and details, and drops the details that cannot be stored', () => {
    const error = new CacheError('ERR_PARTIAL', 'some nodes failed', {
      outcome: 'unknown', errors: { b: new CacheError('ERR_NODE_DOWN', 'b is down') }, result: [1, 2], call: { made: [() => 1] }, cause: new Error('c'),
    })
    const copy = copyOf([error, error])[1]!
    expect(copy).to.be.instanceOf(CacheError)
    expect(copy).to.include({ code: 'ERR_PARTIAL', outcome: 'unknown', name: 'CacheError', message: 'some nodes failed', stack: error.stack })
    expect((copy['errors'] as Record<string, CacheError>)['b']).to.be.instanceOf(CacheError).and.include({ code: 'ERR_NODE_DOWN' })
    expect(copy['result']).to.deep.equal([1, 2])
    expect('call' in copy).to.equal(false)
    expect((copy.cause as Error).message).to.equal('c')
  })

  it('refuses what is not data, names the place, and leaves the buffer as it was', () => {
    class Point {}
    const detached = new Uint8Array(4)
    structuredClone(detached.buffer, { transfer: [detached.buffer] })
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    const cases: [unknown, string][] = [
      [() => 1, '$'], [Symbol('s'), '$'], [{ a: [0, 1, 2, { b: Symbol('s') }] }, '$.a[3].b'], [{ p: Promise.resolve() }, '$.p'], [[new WeakMap()], '$[0]'], [new WeakSet(), '$'],
      [new Map<unknown, unknown>([[1, 2], [3, () => 1]]), '$.values()[1]'], [new Map([[Symbol('s'), 1]]), '$.keys()[0]'], [new Set([1, () => 1]), '$.values()[1]'],
      [{ point: new Point() }, '$.point'], [{ 'odd name': new Point() }, '$["odd name"]'], [{ a: detached }, '$.a'], [{ a: detached.buffer }, '$.a'], [{ a: proxy }, '$.a'],
      [{ a: new Proxy({}, { ownKeys() { throw new Error('no') } }) }, '$.a'], [new (class extends Map {})(), '$'], [new (class extends Array {})(), '$'], [Object(1), '$'],
      [new Error('e', { cause: { f: () => 1 } }), '$.cause.f'], [Object.create(Map.prototype), '$'], [{ ['x'.repeat(100)]: { b: () => 1 } }, `$["${'x'.repeat(64)}…"].b`],
    ]
    for (const [value, path] of cases) {
      const error = unsupported(value)
      expect(error['path']).to.equal(path)
      expect(error.message).to.include(path)
    }
  })

  it('gives the error of a getter that throws as the cause', () => {
    const cause = new RangeError('from the getter')
    expect(unsupported({ a: { get b() { throw cause } } })).to.include({ path: '$.a.b', cause })
  })

  it('refuses an object that changes while it is read', () => {
    const deletes: Record<string, unknown> = { get a() { delete this['c']; return 1 }, b: 2, c: 3 }
    unsupported(deletes)
    const map = new Map<unknown, unknown>()
    map.set('grows', { get a() { map.set({}, 1); return 1 } })
    unsupported(map)
  })

  it('takes 1000 levels, and refuses 20,000 without running out of stack, both ways', () => {
    expectCopy(nested(1000))
    expect(unsupported(nested(1001))['path']).to.be.a('string')
    expect(unsupported(nested(20_000)).message).to.include('deeper')
    for (const unit of ['1201', '1603014161', '1401a0', '1501', '1900', '1a4161']) {
      const bytes = Buffer.concat([Buffer.from(unit.repeat(20_000), 'hex'), Buffer.from([1])])
      expect(refusal(() => decoded(bytes)).code).to.be.oneOf(['ERR_FRAME', 'ERR_UNKNOWN_CLASS'])
    }
  })

  it('encodes another value from inside a getter, on another buffer', () => {
    const inner = new Scratch()
    const shared = [1]
    const value = { before: shared, get middle() { encodeValue({ x: [shared, shared] }, inner); return inner.end }, after: shared }
    const copy = copyOf(value)
    expect(copy).to.deep.equal({ before: [1], middle: inner.end, after: [1] })
    expect(copy.before).to.equal(copy.after)
  })

  describe('hostile bytes', () => {
    const allowed = ['ERR_FRAME', 'ERR_UNKNOWN_CLASS']
    const survives = (bytes: Buffer) => {
      try {
        decoded(bytes)
      } catch (error) {
        expect((error as CacheError).code).to.be.oneOf(allowed)
      }
    }

    it('gives a value or a typed error for any bytes', () => {
      fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => survives(Buffer.from(bytes))), { numRuns: 20_000 })
      fc.assert(fc.property(fc.integer({ min: 0, max: 0x20 }), fc.array(fc.oneof(fc.integer({ min: 0, max: 0x20 }), fc.integer({ min: 0x40, max: 0x44 }), fc.nat({ max: 255 })), { maxLength: 40 }), (tag, bytes) => survives(Buffer.from([tag, ...bytes]))), { numRuns: 20_000 })
    })

    it('gives a value or a typed error for damaged values, wherever the damage', () => {
      fc.assert(fc.property(value, fc.nat(), fc.integer({ min: 0, max: 255 }), (value, where, byte) => {
        const bytes = encoded(value)
        survives(bytes.subarray(0, where % bytes.length))
        survives(Buffer.concat([bytes, Buffer.from([byte])]))
        bytes[where % bytes.length] = byte
        survives(bytes)
      }), { numRuns: 5000 })
    })

    it('refuses every value that is cut short or has bytes behind it, strings at the top apart', () => {
      fc.assert(fc.property(value.filter((value) => typeof value !== 'string'), (value) => {
        const bytes = encoded(value)
        for (let length = 0; length < Math.min(bytes.length, 300); length++) expect(refusal(() => decoded(bytes.subarray(0, length))).code).to.equal('ERR_FRAME')
        expect(refusal(() => decoded(Buffer.concat([bytes, Buffer.from([0xa0])]))).code).to.equal('ERR_FRAME')
      }), { numRuns: 300 })
      expect(refusal(() => decodeValue(Buffer.from([1]), 0, 2)).code).to.equal('ERR_FRAME')
    })

    it('allocates nothing for counts and lengths that are lies', () => {
      const before = process.memoryUsage().rss
      for (const hex of ['12ffffffff0f', '14ffffffff0f', '15ffffffff0f', '1800ffffffff0f', '1803ffffff7f', '0cffffffff0f', '0dfeffffff0f', '09ffffffff0f', '16ffffffff0f', '1606ffffffff0f00', '13ffffffff0fffffffff0f', '1e1fffffffff0f']) {
        expect(refusal(() => decoded(Buffer.from(hex, 'hex')), hex).code, hex).to.equal('ERR_FRAME')
      }
      for (let round = 0; round < 1000; round++) decoded(Buffer.from('13ffffffff0f00', 'hex'))
      for (let round = 0; round < 1000; round++) decoded(Buffer.from('1380c2d72f00', 'hex'))
      expect(process.memoryUsage().rss - before).to.be.below(100 << 20)
    })

    it('refuses overlong numbers, references to nothing, and what stands in a wrong place', () => {
      for (const hex of ['128000', '12ffffffff1f', '0912000000000000000001', '09020a', '090f00ffffffffffffff', '0910000000000000000a', '1201', '1f00', '1e1f00', '1e12011f02', '110101', '1141284140', '13030201a10101', '130201', '13010101a1', '120141', '16020101', '160301410100', '160101a1', '1908', '190801', '190841614464657461a101', '1900a001', '120a61', '1b', '00', '1e', '1eff00', '0b61', '180f00', '0d0161']) {
        expect(refusal(() => decoded(Buffer.from(hex, 'hex')), hex).code, hex).to.equal('ERR_FRAME')
      }
    })

    it('takes time in proportion to the bytes', () => {
      const errors = Buffer.concat([Buffer.from([0x12, 0x80, 0x80, 0x10]), Buffer.from('190002010101'.slice(0, 8).repeat(262_144), 'hex')])
      const started = performance.now()
      expect((decoded(errors) as unknown[]).length).to.equal(262_144)
      expect(performance.now() - started).to.be.below(10_000)
    })
  })

  describe('flat values', () => {
    it('are those that decodeFlat reads as decodeValue does, from shared memory too', () => {
      fc.assert(fc.property(scalar, (value) => {
        const bytes = encoded(value)
        expect(isFlat(bytes[0]!)).to.equal(typeof value !== 'bigint')
        if (typeof value === 'bigint') return
        const shared = Buffer.from(new SharedArrayBuffer(bytes.length + 5))
        shared.set(bytes, 5)
        expect(decodeFlat(shared, 5, shared.length)).to.satisfy((copy: unknown) => Object.is(copy, value))
      }), { numRuns: 1000 })
      for (const value of [1n, new Date(), [], {}, Buffer.alloc(1), /a/]) expect(isFlat(encoded(value)[0]!)).to.equal(false)
    })

    it('never fail, whatever the bytes are by then', () => {
      fc.assert(fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
        const shared = Buffer.from(new SharedArrayBuffer(bytes.length))
        shared.set(bytes)
        const copy = decodeFlat(shared, 0, shared.length)
        expect(typeof copy === 'string' ? copy.length <= bytes.length : typeof copy !== 'object' || copy === null).to.equal(true)
      }), { numRuns: 3000 })
    })
  })

  describe('registered classes', () => {
    class User {
      constructor(readonly name: string, readonly friends: User[] = []) {}
      greet(): string { return `I am ${this.name}` }
    }
    before(() => registerClass('codec.User', User, { toData: ({ name, friends }) => ({ name, friends }), fromData: ({ name, friends }) => new User(name, friends) }))

    it('come back as instances, nested and shared', () => {
      const ada = new User('ada')
      const [copy, again] = copyOf([new User('bob', [ada]), ada])
      expect(copy.greet()).to.equal('I am bob')
      expect(copy.friends[0]).to.equal(again)
      expect(again).to.be.instanceOf(User)
    })

    it('refuses data that leads back to its instance', () => {
      const user = new User('narcissus')
      user.friends.push(user)
      expect(unsupported({ user })['path']).to.equal('$.user.toData().friends[0]')
    })

    it('does not take a derived class for its base', () => {
      expect(unsupported(new (class Admin extends User {})('root')).message).to.include('Admin')
    })

    it('says which class a thread does not have', () => {
      expect(refusal(() => decoded(Buffer.from('1a44557365720101', 'hex')))).to.include({ code: 'ERR_UNKNOWN_CLASS', class: 'User' })
    })

    it('gives the error of toData and of fromData as the cause', () => {
      class Bad {}
      const cause = new Error('no')
      let fails = true
      registerClass('codec.Bad', Bad, { toData: () => { if (fails) throw cause; return 1 }, fromData: () => { throw cause } })
      expect(unsupported([new Bad()])).to.include({ path: '$[0]', cause })
      fails = false
      expect(refusal(() => copyOf(new Bad()))).to.include({ code: 'ERR_FUNCTION_FAILED', cause })
    })

    it('may encode and decode other values in toData and fromData', () => {
      class Wrapped { constructor(readonly inner: unknown) {} }
      registerClass('codec.Wrapped', Wrapped, {
        toData: ({ inner }) => { const own = new Scratch(); encodeValue(inner, own); return Buffer.from(own.bytes.subarray(0, own.end)) },
        fromData: (bytes) => new Wrapped(decodeValue(bytes, 0, bytes.length)),
      })
      const value = { a: [1, new Wrapped({ b: [2] })], c: new Wrapped(new Wrapped('x')), d: 'end' }
      expectCopy(value)
    })
  })
})
