import { expect } from 'chai'
import fc from 'fast-check'
import { errorCode } from '../../../runtime/errors.js'
import { Scratch } from '../../../runtime/codec/scratch.js'
import { ScanBatch } from '../../../runtime/table/reader.js'
import { BYTES_TAG, FLAT_TAG, TableUnderTest, valueOf } from './fixture.js'

/** How many times as many runs as usual. */
const RUNS = Number(process.env['TABLE_RUNS'] ?? 1)

interface Known { value: Buffer; modified: number; expires: number; duration: number }

/** What the table should hold: a `Map`, whose order of insertion is the order of eviction. */
type Model = Map<string, Known>

type Step =
  | { do: 'put'; key: number; length: number; flat: boolean; expires: number }
  | { do: 'times'; key: number; expires: number }
  | { do: 'remove'; key: number }
  | { do: 'sweep'; now: number }
  | { do: 'reopen' }
  | { do: 'clear' }

const keyOf = (key: number): string => `key:${key}`.padEnd(4 + key % 40, 'x')

function stepOf(maxLength: number, keys: number): fc.Arbitrary<Step> {
  const key = fc.nat(keys)
  const length = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 300 }) },
    { weight: 3, arbitrary: fc.integer({ min: 1, max: Math.max(2, maxLength >> 5) }) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: maxLength }) },
    { weight: 1, arbitrary: fc.integer({ min: maxLength - 8, max: maxLength }) })
  const expires = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1000 }), fc.constant(8.64e15))
  return fc.oneof(
    { weight: 100, arbitrary: fc.record({ do: fc.constant('put' as const), key, length, flat: fc.boolean(), expires }) },
    { weight: 20, arbitrary: fc.record({ do: fc.constant('times' as const), key, expires }) },
    { weight: 20, arbitrary: fc.record({ do: fc.constant('remove' as const), key }) },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('sweep' as const), now: fc.nat(1000) }) },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const) }) })
}

function run(steps: Step[], bytes: number, policy: 'fifo' | 'none', hashBits: number): void {
  const under = new TableUnderTest(bytes, policy, hashBits)
  const model: Model = new Map()
  const evicted = (block: number): void => {
    const key = under.keyAt(block)
    expect(model.delete(key), `${key} was evicted`).to.equal(true)
  }
  under.writer.onEvict = evicted
  let modified = 1e12
  steps.forEach((step, index) => {
    if (step.do === 'put') {
      const key = keyOf(step.key)
      const value = valueOf(index, step.length, step.flat ? FLAT_TAG : BYTES_TAG)
      const before = model.get(key)
      const known = { value, modified: ++modified, expires: step.expires, duration: step.expires === 0 ? 0 : index + 1 }
      try {
        expect(under.put(key, value, modified, step.expires, index + 1)).to.equal(before === undefined)
        model.set(key, known)
      } catch (error) {
        if (errorCode(error) !== 'ERR_FULL') throw error
        expect(policy, 'who is full').to.equal('none')
      }
    } else if (step.do === 'times') {
      const block = under.find(keyOf(step.key))
      expect(block !== 0).to.equal(model.has(keyOf(step.key)))
      if (block === 0) return
      try {
        const moved = under.writer.setTimes(block, ++modified, step.expires, index)
        expect(under.keyAt(moved)).to.equal(keyOf(step.key))
        Object.assign(model.get(keyOf(step.key))!, { modified, expires: step.expires, duration: step.expires === 0 ? 0 : index })
      } catch (error) {
        if (errorCode(error) !== 'ERR_FULL') throw error
        expect(policy).to.equal('none')
      }
    } else if (step.do === 'remove') {
      expect(under.remove(keyOf(step.key))).to.equal(model.delete(keyOf(step.key)))
    } else if (step.do === 'sweep') {
      for (let cursor = 0; ;) {
        cursor = under.writer.sweep(cursor, step.now, 100)
        if (cursor === 0) break
      }
      for (const [key, { expires }] of model) if (expires !== 0 && expires <= step.now) model.delete(key)
    } else if (step.do === 'clear') {
      expect(under.writer.clear()).to.equal(model.size)
      model.clear()
    } else {
      under.reopen(policy)
      under.writer.onEvict = evicted
    }
    if (index % 40 === 0) under.writer.verify()
  })
  under.writer.verify()
  expect(under.keysInOrder()).to.deep.equal([...model.keys()])
  expect(under.writer.entries).to.equal(model.size)
  expect(under.reader.entries).to.equal(model.size)
  expect(under.reader.bytesUsed).to.equal(under.writer.bytesUsed).and.at.most(bytes)
  checkContent(under, model)
  checkScan(under, model)
}

function checkContent(under: TableUnderTest, model: Model): void {
  const scratch = new Scratch()
  for (const [key, known] of model) {
    expect(known.value.equals(under.get(key)!), `value of ${key}`).to.equal(true)
    expect(under.locate(key)).to.equal(true)
    const { expiresAt, duration, modifiedAt, valueLength } = under.reader
    expect({ expires: expiresAt, duration, modified: modifiedAt }).to.deep.equal({ expires: known.expires, duration: known.duration, modified: known.modified })
    expect(valueLength).to.equal(known.value.length)
    const block = under.find(key)
    const { writer } = under
    expect([writer.expiresAt(block), writer.duration(block), writer.modifiedAt(block), writer.valueLength(block)])
      .to.deep.equal([known.expires, known.duration, known.modified, known.value.length])
    scratch.end = 3
    writer.copyValue(block, scratch)
    expect(known.value.equals(scratch.bytes.subarray(3, scratch.end))).to.equal(true)
  }
  expect(under.get('absent')).to.equal(undefined)
}

function checkScan(under: TableUnderTest, model: Model): void {
  const batch = new ScanBatch()
  const seen = new Set<string>()
  let cursor = 0
  do {
    cursor = under.reader.scan(cursor, 5, batch, true)
    for (let index = 0; index < batch.count; index++) {
      const key = batch.scratch.bytes.toString('utf8', batch.keyStarts[index], batch.keyEnds[index])
      expect(seen.has(key)).to.equal(false)
      seen.add(key)
      const known = model.get(key)!
      expect(known.value.equals(batch.scratch.bytes.subarray(batch.valueStarts[index], batch.valueEnds[index]))).to.equal(true)
      expect([batch.modified[index], batch.expires[index], batch.durations[index]]).to.deep.equal([known.modified, known.expires, known.duration])
    }
  } while (cursor !== 0)
  expect(seen.size).to.equal(model.size)
}

describe('a table does what a Map does', () => {
  const sizes = [
    { name: '64 KB', bytes: 65_536, runs: 60 },
    { name: '200 KB', bytes: 200_000, runs: 40 },
    { name: '3 MB', bytes: 3 << 20, runs: 15 },
  ]
  for (const { name, bytes, runs } of sizes) {
    for (const policy of ['fifo', 'none'] as const) {
      it(`of ${name}, ${policy === 'fifo' ? 'evicting the oldest' : 'refusing when it is full'}`, () => {
        fc.assert(fc.property(fc.array(stepOf(bytes >> 2, 200), { minLength: 1, maxLength: 400, size: 'max' }), (steps) => run(steps, bytes, policy, 32)), { numRuns: runs * RUNS, endOnFailure: RUNS > 1 })
      })
    }
  }

  it('with nearly all hashes the same', () => {
    fc.assert(fc.property(fc.array(stepOf(16_384, 60), { minLength: 1, maxLength: 300, size: 'max' }), (steps) => run(steps, 65_536, 'fifo', 2)), { numRuns: 30 * RUNS, endOnFailure: RUNS > 1 })
  })
})
