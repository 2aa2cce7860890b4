import { expect } from 'chai'
import { ACTIONS } from '../../actors/action-list.js'
import { beginCounting, callsOf, COUNTER, Counters, COUNTERS_BYTES, CountersReader } from '../../actors/counters.js'

describe('counters', () => {
  let buffer: SharedArrayBuffer
  let reader: CountersReader

  beforeEach(() => {
    buffer = new SharedArrayBuffer(COUNTERS_BYTES)
    reader = new CountersReader(buffer)
  })

  it('add up what all threads counted, those that share a set too', () => {
    for (let client = 0; client < 40; client++) new Counters(buffer, client).add(COUNTER.hits, client)
    expect(reader.total(COUNTER.hits)).to.equal(780)
    expect(reader.total(COUNTER.misses)).to.equal(0)
  })

  it('count beyond 2^32, by one and by many', () => {
    const counters = new Counters(buffer, 3)
    for (let round = 0; round < 9; round++) counters.add(COUNTER.writes, 2 ** 31 - 1)
    counters.add(COUNTER.writes, 9)
    expect(reader.total(COUNTER.writes)).to.equal(9 * 2 ** 31)
    for (let round = 0; round < 4; round++) counters.add(COUNTER.misses, 2 ** 30)
    counters.add(COUNTER.misses)
    expect(reader.total(COUNTER.misses)).to.equal(2 ** 32 + 1)
  })

  it('have a place of their own for each action, and end where the next set begins', () => {
    const places = [...Object.values(COUNTER), ...ACTIONS.map(callsOf)]
    expect(new Set(places)).to.have.lengthOf(places.length)
    const first = new Counters(buffer, 0)
    for (const place of places) first.add(place)
    for (const place of places) expect(reader.total(place)).to.equal(1)
    expect(new Int32Array(buffer).reduce((sum, word) => sum + word, 0), 'written within the buffer').to.equal(places.length)
  })

  it('begin once, at a time that they keep', () => {
    beginCounting(buffer, 1_700_000_000_123)
    beginCounting(buffer, 1_800_000_000_000)
    expect(reader.since).to.equal(1_700_000_000_123)
  })
})
