import { expect } from 'chai'
import fc from 'fast-check'
import { KeyRuns } from '../../../actors/walks/key-runs.js'
import { compareKeys } from '../../../runtime/codec/key.js'

describe('runs of keys', () => {
  it('come out merged in order, whatever their number', () => {
    for (const count of [0, 1, 4095, 4096, 4097, 30_000]) {
      const keys = Array.from({ length: count }, (_, n) => (n * 7919) % 30_011)
      const runs = new KeyRuns()
      for (const key of keys) runs.add(key)
      expect([...runs.merged()], String(count)).to.deep.equal([...keys].sort((a, b) => a - b))
      expect([...runs.merged()], 'taken out').to.deep.equal([])
    }
  })

  it('have keys of every kind', () => {
    fc.assert(fc.property(fc.array(fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.bigInt(), fc.tuple(fc.string(), fc.integer())), { minLength: 1, maxLength: 40 }), (few) => {
      const runs = new KeyRuns()
      const keys = Array.from({ length: 9000 }, (_, n) => few[n % few.length]!)
      for (const key of keys) runs.add(key)
      const merged = [...runs.merged()]
      expect(merged).to.have.lengthOf(keys.length)
      for (let n = 1; n < merged.length; n++) if (compareKeys(merged[n - 1], merged[n]) > 0) throw new Error(`out of order at ${n}`)
      for (const key of new Set(keys)) expect(merged.filter((one) => one === key)).to.have.lengthOf(keys.filter((one) => one === key).length)
    }), { numRuns: 20 })
  })
})
