import { expect } from 'chai'
import fc from 'fast-check'
import { compareKeys, decodeKey, encodeKey, MAX_KEY_BYTES } from '../../../runtime/codec/key.js'
import { Scratch } from '../../../runtime/codec/scratch.js'
import { CacheError } from '../../../runtime/errors.js'

const scratch = new Scratch(16)

function encoded(key: unknown): Buffer {
  scratch.reset()
  encodeKey(key, scratch)
  return Buffer.from(scratch.bytes.subarray(0, scratch.end))
}

function decoded(bytes: Buffer): unknown {
  return decodeKey(bytes, 0, bytes.length)
}

function refusal(act: () => unknown): CacheError {
  try {
    act()
  } catch (error) {
    expect(error).to.be.instanceOf(CacheError)
    return error as CacheError
  }
  throw new Error('was not refused')
}

/** Equality of keys as the documentation defines it, written independently of the codec. */
function same(a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0
  if (a instanceof Date && b instanceof Date) return Object.is(a.getTime(), b.getTime())
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((element, index) => same(element, b[index]))
  if (isPlain(a) && isPlain(b)) {
    const names = Object.keys(a)
    return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]))
  }
  return a === b || (a !== a && b !== b)
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date) && !(value instanceof Uint8Array)
}

const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)))

/** Few different values, so that equal keys and near misses come up. */
const { key } = fc.letrec((tie) => ({
  key: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<unknown>(null, true, false, 0, -0, 1, '1', '', 1n, NaN, 'a', '\ud800', '\udc00'),
    fc.oneof(fc.integer(), fc.double(), fc.integer({ min: -130, max: 130 }), fc.integer({ min: -32770, max: 32770 })),
    fc.bigInt(), text, fc.date({ noInvalidDate: false }), fc.uint8Array({ maxLength: 6 }), fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
    fc.array(tie('key'), { maxLength: 3 }),
    fc.dictionary(fc.oneof(fc.constantFrom('a', 'b', '__proto__', 'constructor', '1'), text), tie('key'), { maxKeys: 3 }),
  ),
}))

function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled)
  if (!isPlain(value)) return value === 0 ? -0 : value instanceof Uint8Array ? Buffer.from(value) : value
  const copy = Object.create(null) as Record<string, unknown>
  for (const name of Object.keys(value).reverse()) copy[name] = shuffled(value[name])
  return copy
}

describe('codec/key', () => {
  it('is frozen: these bytes choose owners, and may never change', () => {
    const golden: [unknown, string][] = [
      [null, '01'], [false, '02'], [true, '03'], [0, '0400'], [-0, '0400'], [1, '0401'], [-1, '04ff'], [127, '047f'], [-128, '0480'],
      [128, '058000'], [-129, '057fff'], [32767, '05ff7f'], [32768, '0600800000'], [-2147483648, '0600000080'],
      [2147483648, '07000000000000e041'], [1.5, '07000000000000f83f'], [NaN, '07000000000000f87f'], [-Infinity, '07000000000000f0ff'],
      [0n, '0800'], [1n, '080101'], [-1n, '090101'], [256n, '08020100'], [-(2n ** 64n), '0909010000000000000000'],
      [new Date(0), '0a0000000000000000'], [new Date(NaN), '0a000000000000f87f'],
      ['', '0b'], ['1', '0b31'], ['user:12345', '0b757365723a3132333435'], ['é€😀', '0bc3a9e282acf09f9880'], ['\ud800x', '0c00d87800'],
      [new Uint8Array([1, 2]), '0d0102'], [Buffer.from([1, 2]), '0d0102'], [new Uint8Array(0), '0d'],
      [[], '0e00'], [[1], '0e010401'], [['a', Buffer.from([255])], '0e020b01610d01ff'],
      [{}, '0f00'], [{ b: 1, a: [null] }, '0f020b01610e01010b01620401'], [JSON.parse('{"__proto__":1}'), '0f010b095f5f70726f746f5f5f0401'],
      ['x'.repeat(60), `0b${'78'.repeat(60)}`], [['x'.repeat(200)], `0e010bc801${'78'.repeat(200)}`],
    ]
    for (const [key, hex] of golden) expect(encoded(key).toString('hex'), hex).to.equal(hex)
  })

  it('gives equal bytes to equal keys, and only to them; the order agrees', () => {
    fc.assert(fc.property(key, key, (a, b) => {
      const equal = encoded(a).equals(encoded(b))
      expect(equal).to.equal(same(a, b))
      expect(compareKeys(a, b) === 0).to.equal(equal)
      expect(Math.sign(compareKeys(a, b))).to.equal(-Math.sign(compareKeys(b, a)) + 0)
    }), { numRuns: 2000 })
  })

  it('does not care for the order of properties, the sign of zero, null prototypes, or Buffer against Uint8Array', () => {
    fc.assert(fc.property(key, (key) => {
      expect(encoded(shuffled(key)).equals(encoded(key))).to.equal(true)
    }))
  })

  it('decodes what it encoded to an equal key', () => {
    fc.assert(fc.property(key, (key) => {
      const copy = decoded(encoded(key))
      expect(same(copy, key)).to.equal(true)
      expect(encoded(copy).equals(encoded(key))).to.equal(true)
    }), { numRuns: 1000 })
  })

  it('accepts no bytes but canonical ones', () => {
    const check = (bytes: Buffer) => {
      let key: unknown
      try {
        key = decoded(bytes)
      } catch (error) {
        expect((error as CacheError).code).to.equal('ERR_FRAME')
        return
      }
      expect(encoded(key).toString('hex')).to.equal(bytes.toString('hex'))
    }
    fc.assert(fc.property(fc.uint8Array({ minLength: 0, maxLength: 12 }), fc.integer({ min: 0, max: 16 }), (bytes, tag) => check(Buffer.from([tag, ...bytes]))), { numRuns: 3000 })
    fc.assert(fc.property(key, fc.nat(), fc.integer({ min: 0, max: 255 }), (key, where, byte) => {
      const bytes = encoded(key)
      bytes[where % bytes.length] = byte
      check(bytes)
      check(bytes.subarray(0, where % bytes.length))
    }), { numRuns: 3000 })
  })

  it('refuses overlong, cut, unsorted, doubled and malformed encodings', () => {
    const bad = [
      '', '00', '10', '04', '040000', '050100', '0600000000', '070000000000000000', '07010000000000f87f', '08020001', '0900', '0a000000000000e03f', '0affffffffffffef7f',
      '0bff', '0bc0af', '0beda080', '0c4100', '0c41', '0e80', '0e8000', '0effffffff0f', '0effffffffff01', '0f020b016201010b01610101', '0f020b016104010b01610402', '0f01040101',
    ]
    for (const hex of bad) expect(refusal(() => decoded(Buffer.from(hex, 'hex'))).code, hex).to.equal('ERR_FRAME')
    const deep = Buffer.concat([Buffer.from('0e01'.repeat(20_000), 'hex'), Buffer.from([1])])
    expect(refusal(() => decoded(deep)).code).to.equal('ERR_FRAME')
  })

  it('keeps __proto__ as a name, and no prototype changes', () => {
    const copy = decoded(encoded(JSON.parse('{"__proto__":{"polluted":true}}'))) as object
    expect(Object.keys(copy)).to.deep.equal(['__proto__'])
    expect(Object.getPrototypeOf(copy)).to.equal(Object.prototype)
    expect('polluted' in copy).to.equal(false)
  })

  it('refuses what is not a key, names the place, and leaves the buffer as it was', () => {
    class Point {}
    const circular: unknown[] = []
    circular.push(circular)
    let deep: unknown = 1
    for (let level = 0; level < 20_000; level++) deep = level % 2 === 0 ? [deep] : { deep }
    const detached = new Uint8Array(4)
    structuredClone(detached.buffer, { transfer: [detached.buffer] })
    const cases: [unknown, string | undefined][] = [
      [undefined, '$'], [Symbol('s'), '$'], [() => 1, '$'], [new Map(), '$'], [new Point(), '$'], [{ a: [1, undefined] }, '$.a[1]'],
       
      [[1, , 3], '$[1]'], [{ 'odd name': () => 1 }, '$["odd name"]'], [{ [Symbol('s')]: 1 }, '$'], [circular, undefined], [deep, undefined],
      [new Float32Array(1), '$'], [Object.create(Date.prototype), '$'], [detached, '$'], [new (class extends Array {})(), '$'], [new (class extends Date {})(), '$'],
      [new Proxy({}, { ownKeys() { throw new Error('no') } }), '$'], [new Array(4_000_000_000), '$[0]'],
    ]
    for (const [key, path] of cases) {
      scratch.reset()
      encodeKey('before', scratch)
      const end = scratch.end
      const error = refusal(() => encodeKey(key, scratch))
      expect(error.code).to.equal('ERR_INVALID_KEY')
      expect(scratch.end).to.equal(end)
      if (path !== undefined) expect(error['path']).to.equal(path)
    }
  })

  it('gives the error of a getter that throws as the cause', () => {
    const cause = new Error('from the getter')
    const error = refusal(() => encoded({ a: { get b() { throw cause } } }))
    expect(error).to.include({ code: 'ERR_INVALID_KEY', path: '$.a.b', cause })
  })

  it('bounds the work for a key that repeats its parts: ERR_TOO_LARGE', () => {
    let wide: unknown = 'x'
    for (let level = 0; level < 60; level++) wide = [wide, wide]
    expect(refusal(() => encoded(wide)).code).to.equal('ERR_TOO_LARGE')
    expect(refusal(() => encoded('x'.repeat(MAX_KEY_BYTES + 1))).code).to.equal('ERR_TOO_LARGE')
    expect(refusal(() => encoded(Buffer.alloc(MAX_KEY_BYTES + 1))).code).to.equal('ERR_TOO_LARGE')
  }).timeout(60_000)

  it('orders kinds as documented, and naturally within a kind', () => {
    const ordered = [
      null, false, true, -Infinity, -1, 0, 1.5, 10, Infinity, NaN, -5n, 0n, 3n, new Date(-1), new Date(5), new Date(NaN), '', 'a', 'ab', 'b', 'é', '\ud800',
      new Uint8Array(0), Buffer.from([1]), new Uint8Array([1, 0]), new Uint8Array([2]), [], [1], [1, 'a'], [2], {}, { a: 1 }, { a: 1, b: 0 }, { a: 2 }, { b: 0 },
    ]
    for (let a = 0; a < ordered.length; a++) {
      for (let b = 0; b < ordered.length; b++) expect(Math.sign(compareKeys(ordered[a], ordered[b])), `${a} ${b}`).to.equal(Math.sign(a - b))
    }
    expect(refusal(() => compareKeys(Symbol('s'), 1)).code).to.equal('ERR_INVALID_KEY')
  })

  it('orders transitively', () => {
    fc.assert(fc.property(key, key, key, (a, b, c) => {
      const [first, second, third] = [a, b, c].sort(compareKeys)
      expect(compareKeys(first, second) <= 0 && compareKeys(second, third) <= 0 && compareKeys(first, third) <= 0).to.equal(true)
    }))
  })
})
