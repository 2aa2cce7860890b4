/** Each violation that the judge is for, seeded into a history that has none; and each excuse that it grants. */
import { expect } from 'chai'
import type { Call } from './diary.js'
import { judge, type History } from './judge.js'
import type { Disturbance, Fault } from './views.js'

const HOMES = { k: 'c' }

/** Node c is apart from the others from 100 to 200, and all see all again at 300. */
const APART: Disturbance = { fromMs: 100, mendedMs: 200, calmMs: 300, sides: { a: 'others', b: 'others', c: 'c' } }
const FAULT: Fault = { node: 'c', fromMs: 100, mendedMs: 200, healedMs: 200, died: false, stood: false }

function call(kind: Call['kind'], node: string, number: number, startMs: number, endMs: number, ending = 'done'): Call {
  return { node, kind, key: 'k', number, timeoutMs: 1000, startMs, endMs, ending }
}

const write = (node: string, number: number, startMs: number, endMs: number, ending?: string): Call => call('write', node, number, startMs, endMs, ending)
const read = (node: string, number: number, startMs: number, endMs: number): Call => call('read', node, number, startMs, endMs)

function wrong(calls: Call[], history: Partial<History> = {}): string[] {
  return judge({ calls, follows: false, homes: HOMES, disturbances: [], faults: [], starved: [], ...history }).violations.list
}

const SPLIT: Partial<History> = { follows: true, disturbances: [APART], faults: [FAULT] }

describe('the judge of nodes that come and go', () => {
  it('finds nothing wrong where values are the latest, and counts what bound whom', () => {
    const calls = [read('b', 0, 0, 1), write('a', 1, 2, 3), read('b', 1, 4, 5), write('a', 2, 6, 8), read('b', 1, 7, 9), read('c', 2, 9, 10)]
    const { violations, figures } = judge({ calls, follows: false, homes: HOMES, disturbances: [], faults: [], starved: [] })
    expect(violations.list).to.deep.equal([])
    expect(figures).to.include({ calls: 6, acknowledged: 2, reads: 4, 'reads that a write binds': 3, failed: 0 })
  })

  it('finds a value that nobody had written there, or not yet, or that cannot have been', () => {
    expect(wrong([write('a', 1, 0, 1), read('b', 2, 2, 3)])).to.have.lengthOf(1).and.match(/never written/)
    expect(wrong([write('a', 1, 0, 1), read('b', -1, 2, 3)])).to.have.lengthOf(1).and.match(/never written/)
    expect(wrong([read('b', 1, 0, 1), write('a', 1, 2, 3)])).to.have.lengthOf(1).and.match(/never written/)
    expect(wrong([write('a', 1, 0, 1, 'ERR_NODE_DOWN none'), read('b', 1, 2, 3)])).to.have.lengthOf(1).and.match(/as not having happened/)
  })

  it('takes a write whose outcome is unknown for one that may have happened', () => {
    for (const ending of ['ERR_NODE_DOWN unknown', 'ERR_TIMEOUT unknown']) {
      expect(wrong([write('a', 1, 0, 1, ending), read('b', 1, 2, 3), read('b', 0, 2, 3)])).to.deep.equal([])
    }
    expect(wrong([write('a', 1, 0, Infinity, 'open'), read('b', 1, 2, 3)], { faults: [{ ...FAULT, node: 'a', fromMs: 1, died: true }] })).to.deep.equal([])
  })

  it('finds a value older than an acknowledged write, and one that is missing', () => {
    const calls = [write('a', 1, 0, 1), write('a', 2, 2, 3)]
    expect(wrong([...calls, read('b', 1, 4, 5)])).to.have.lengthOf(1).and.match(/the older write 1/)
    expect(wrong([...calls, read('b', 0, 4, 5)])).to.have.lengthOf(1).and.match(/read nothing/)
    expect(wrong([...calls, read('b', 1, 2.5, 5)])).to.deep.equal([])
  })

  it('does so too with one copy, whoever is apart', () => {
    const calls = [write('a', 1, 0, 1), write('a', 2, 110, 120)]
    for (const [number, words] of [[1, /older/], [0, /nothing/]] as const) {
      for (const startMs of [130, 250, 400]) expect(wrong([...calls, read('c', number, startMs, startMs + 1)], { ...SPLIT, follows: false })).to.have.lengthOf(1).and.match(words)
    }
  })

  it('lets what only a killed owner had be missing, and not be older', () => {
    const calls = [write('a', 1, 0, 1), write('a', 2, 2, 3)]
    const died = { faults: [{ ...FAULT, died: true }] }
    expect(wrong([...calls, read('b', 0, 150, 151)], died)).to.deep.equal([])
    expect(wrong([...calls, read('b', 1, 150, 151)], died)).to.have.lengthOf(1)
    expect(wrong([...calls, read('b', 0, 50, 51)], died)).to.have.lengthOf(1)
    expect(wrong([...calls, read('b', 0, 150, 151)], { faults: [{ ...FAULT, node: 'b', died: true }] })).to.have.lengthOf(1)
    // Written since.
    expect(wrong([...calls, write('a', 3, 110, 111), read('b', 0, 150, 151)], died)).to.have.lengthOf(1)
  })

  describe('with a router that follows nodes', () => {
    const before = write('a', 1, 0, 1)

    it('holds both sides to their own writes while they are apart, and lets what moved be missing', () => {
      expect(wrong([before, write('a', 2, 110, 111), read('b', 2, 120, 121)], SPLIT)).to.deep.equal([])
      expect(wrong([before, write('a', 2, 110, 111), read('b', 1, 120, 121)], SPLIT)).to.have.lengthOf(1).and.match(/older/)
      expect(wrong([before, read('b', 0, 120, 121)], SPLIT)).to.deep.equal([])
      expect(wrong([before, read('c', 0, 120, 121)], SPLIT)).to.have.lengthOf(1).and.match(/nothing/)
      expect(wrong([before, write('a', 2, 110, 111), read('c', 1, 120, 121)], SPLIT)).to.deep.equal([])
    })

    it('afterwards holds all to what lies with the owner: to writes of its side, and no more to those of the other', () => {
      const ofOthers = [before, write('a', 2, 110, 111)]
      for (const startMs of [250, 400]) {
        expect(wrong([...ofOthers, read('b', 1, startMs, startMs + 1)], SPLIT)).to.deep.equal([])
        expect(wrong([write('c', 1, 0, 1), write('c', 2, 110, 111), read('c', 1, startMs, startMs + 1)], SPLIT)).to.have.lengthOf(1).and.match(/older/)
      }
      expect(wrong([write('c', 1, 0, 1), write('c', 2, 110, 111), read('a', 1, 400, 401)], SPLIT)).to.have.lengthOf(1).and.match(/older/)
      // Neither may be older than what was acknowledged before.
      expect(wrong([write('a', 1, 0, 1), write('a', 2, 2, 3), write('a', 3, 110, 111), read('b', 1, 400, 401)], SPLIT)).to.have.lengthOf(1).and.match(/write 2 .* was acknowledged/)
      expect(wrong([...ofOthers, read('b', 0, 400, 401)], SPLIT)).to.have.lengthOf(1).and.match(/nothing/)
    })

    it('holds all to what was written since all see all', () => {
      expect(wrong([before, write('a', 2, 310, 311), read('b', 1, 320, 321)], SPLIT)).to.have.lengthOf(1).and.match(/older/)
      expect(wrong([before, write('a', 2, 299, 311), read('b', 1, 320, 321)], SPLIT)).to.deep.equal([])
    })

    it('lets keys of those who stayed together be neither missing nor old', () => {
      const split = { ...SPLIT, homes: { k: 'b' } }
      for (const startMs of [150, 250, 400]) {
        expect(wrong([before, read('a', 0, startMs, startMs + 1)], split)).to.have.lengthOf(1).and.match(/nothing/)
        expect(wrong([before, write('a', 2, 110, 111), read('a', 1, startMs, startMs + 1)], split)).to.have.lengthOf(1).and.match(/older/)
      }
    })
  })

  it('finds a call that is settled too late, or never', () => {
    expect(wrong([write('a', 1, 0, 1500)])).to.deep.equal([])
    expect(wrong([write('a', 1, 0, 1501)])).to.have.lengthOf(1).and.match(/settled 501 ms after its deadline/)
    expect(wrong([write('a', 1, 0, Infinity, 'open')])).to.have.lengthOf(1).and.match(/never settled/)
    const died = { ...FAULT, node: 'a', fromMs: 100, died: true }
    expect(wrong([write('a', 1, 90, Infinity, 'open')], { faults: [died] })).to.deep.equal([])
    expect(wrong([write('b', 1, 90, Infinity, 'open')], { faults: [died] })).to.have.lengthOf(1)
    expect(wrong([write('a', 1, 90, Infinity, 'open')], { faults: [{ ...died, fromMs: 5000 }] })).to.have.lengthOf(1)
    const stood = { ...FAULT, node: 'a', fromMs: 100, healedMs: 1000, stood: true }
    expect(wrong([write('a', 1, 90, 2400)], { faults: [stood] })).to.deep.equal([])
    expect(wrong([write('a', 1, 90, 2500)], { faults: [stood] })).to.have.lengthOf(1)
    expect(wrong([write('b', 1, 90, 2400)], { faults: [stood] })).to.have.lengthOf(1)
    const starved = [{ node: 'a', fromMs: 500, toMs: 1000, lostMs: 450 }]
    expect(wrong([write('a', 1, 0, 1900)], { starved })).to.deep.equal([])
    for (const late of [write('a', 1, 0, 1951), write('b', 1, 0, 1900), write('a', 1, 1000, 2900)]) expect(wrong([late], { starved })).to.have.lengthOf(1)
  })

  it('finds a failure that has nothing to do with nodes', () => {
    for (const code of ['ERR_TIMEOUT', 'ERR_NODE_DOWN', 'ERR_NO_CACHE']) expect(wrong([write('a', 1, 0, 1, `${code} unknown`)])).to.deep.equal([])
    expect(wrong([write('a', 1, 0, 1, 'ERR_FRAME unknown')])).to.have.lengthOf(1).and.match(/ERR_FRAME/)
    expect(wrong([write('a', 1, 0, 1, 'TypeError: x undefined')])).to.have.lengthOf(1)
  })
})
