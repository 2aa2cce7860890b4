import { expect } from 'chai'
import { parseDuration } from '../../runtime/duration.js'

describe('parseDuration', () => {
  for (const [value, expected] of [[0, 0], [-0, 0], [1.5, 1.5], ['0', 0], ['250', 250], ['250ms', 250], ['10s', 10_000], ['1.5h', 5_400_000], ['2 minutes', 120_000], ['1d', 86_400_000]] as const) {
    it(`reads ${JSON.stringify(value)}`, () => expect(Object.is(parseDuration(value, 'x'), expected)).to.equal(true))
  }

  for (const value of [NaN, -1, Infinity, -Infinity, '', ' ', '-1s', 'soon', '10 parsecs', 'Infinity', '1'.repeat(101), 10n, null, undefined, true]) {
    it(`refuses ${typeof value} ${String(value).slice(0, 20)}, saying what is allowed`, () => {
      expect(() => parseDuration(value, 'limit.every')).to.throw(/'limit\.every'.*allowed: milliseconds/).with.property('code', 'ERR_INVALID_OPTION')
    })
  }

  it('refuses objects', () => {
    for (const value of [{}, [], [5], new Date()]) expect(() => parseDuration(value, 'x')).to.throw(/milliseconds/)
  })

  it('takes Infinity where it is allowed', () => {
    expect(parseDuration(Infinity, 'x', true)).to.equal(Infinity)
    expect(() => parseDuration(-Infinity, 'x', true)).to.throw(/or Infinity/)
  })
})
