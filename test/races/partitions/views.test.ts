import { expect } from 'chai'
import { growth, ROUNDS_TO_JUDGE } from './growth.js'
import { viewsOf, type Fault, type Seen } from './views.js'

const NAMES = ['a', 'b', 'c']
const FULL = ['a,b,c']
const FAULT: Fault = { node: 'c', fromMs: 1000, mendedMs: 2000, healedMs: 2000, died: false, stood: false }

/** @param gone whom it does not see any more */
function seen(node: string, atMs: number, gone: readonly string[] = [], owners: readonly string[] = FULL): Seen {
  return { node, atMs, up: NAMES.filter((name) => name !== node && !gone.includes(name)), owners }
}

const ALL = NAMES.map((name) => seen(name, 0))

/** Node c lost and found again, by the others and by itself. */
const LOST = [seen('a', 1100, ['c']), seen('b', 1101, ['c']), seen('c', 1102, ['a', 'b'])]
const FOUND = [seen('a', 2200), seen('b', 2201), seen('c', 2202)]

const views = (reports: readonly Seen[], faults: readonly Fault[] = [FAULT]): ReturnType<typeof viewsOf> => viewsOf(NAMES, reports, faults, 100, 10, 9000)

describe('the views of nodes', () => {
  it('are disturbed from a fault until all see all, and the same owners', () => {
    const { disturbances, agreedAfterMs, noticed, surprises } = views([...ALL, ...LOST, ...FOUND])
    expect(disturbances).to.deep.equal([{ fromMs: 1000, mendedMs: 2000, calmMs: 2202, sides: { a: 'others', b: 'others', c: 'c' } }])
    expect([agreedAfterMs, noticed, surprises]).to.deep.equal([[202], 1, 0])
    const later = views([...ALL, ...LOST, ...FOUND.slice(0, 2), seen('c', 2202, [], ['a,c']), seen('c', 2300)])
    expect(later.disturbances[0]).to.include({ calmMs: 2300 })
    expect(later.agreedAfterMs).to.deep.equal([202])
  })

  it('are calm only when a fault cannot be noticed any more, and count what is noticed late', () => {
    expect(views(ALL)).to.deep.include({ agreedAfterMs: [0], noticed: 0, surprises: 0 })
    expect(views(ALL).disturbances[0]).to.include({ calmMs: 2120 })
    const late = views([...ALL, seen('a', 2050, ['c']), seen('a', 2170)])
    expect(late.disturbances[0]).to.include({ calmMs: 2170 })
    expect(late).to.deep.include({ agreedAfterMs: [170], noticed: 1, surprises: 0 })
  })

  it('are held to agree until the next fault only', () => {
    const next = { ...FAULT, fromMs: 2130, mendedMs: 3000, healedMs: 3000 }
    expect(views([...ALL, seen('a', 2140, ['c']), seen('a', 3100)], [FAULT, next]).agreedAfterMs).to.deep.equal([0, 100])
  })

  it('never agree where one does not come back', () => {
    expect(views([...ALL, ...LOST, ...FOUND.slice(0, 2)]).agreedAfterMs).to.deep.equal([7000])
  })

  it('are nothing of a process that was killed, until its next one has seen all', () => {
    const { disturbances, agreedAfterMs } = views([...ALL, seen('c', 2400)], [{ ...FAULT, died: true }])
    expect(disturbances[0]).to.include({ calmMs: 2400 })
    expect(agreedAfterMs).to.deep.equal([400])
  })

  it('have surprises where nodes lose each other that nothing was done to: then nobody is on a side with another', () => {
    const beside = views([...ALL, ...LOST, ...FOUND, seen('b', 5000, ['a']), seen('b', 5100)])
    expect(beside.surprises).to.equal(1)
    expect(beside.disturbances[1]).to.deep.equal({ fromMs: 4800, mendedMs: 4800, calmMs: 5100, sides: { a: 'a', b: 'b', c: 'c' } })
    const within = views([...ALL, ...LOST, seen('a', 1500, ['b', 'c']), ...FOUND])
    expect(within.surprises).to.equal(1)
    expect(within.disturbances).to.have.lengthOf(1)
    expect(within.disturbances[0]).to.deep.equal({ fromMs: 800, mendedMs: 800, calmMs: 2202, sides: { a: 'a', b: 'b', c: 'c' } })
  })
})

describe('growth', () => {
  it('is what the last third has more than the second, whatever single samples say', () => {
    const grown = Array.from({ length: 30 }, (_, index) => index < 10 ? 1000 * index : 10_000 + index * 10)
    expect(growth(grown)).to.equal(100)
    expect(growth(grown.map((sample, index) => index === 25 ? 1e9 : sample))).to.be.below(120)
    expect(growth(Array<number>(30).fill(5))).to.equal(0)
  })

  it('is not judged by few samples', () => {
    expect(growth(Array.from({ length: ROUNDS_TO_JUDGE - 1 }, (_, index) => index * 1e6))).to.equal(0)
    expect(growth(Array.from({ length: ROUNDS_TO_JUDGE }, (_, index) => index * 1e6))).to.equal(5e6)
  })
})
