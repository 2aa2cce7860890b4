import { expect } from 'chai'
import { aheadOf } from '../../runtime/clock.js'

/** Two clocks, one of which is ahead by 1,000, and a thread that loses its core for so long before each look at them. */
function clocks(lostMs: readonly number[]): [other: () => number, clock: () => number] {
  let nowMs = 0
  let looks = 0
  const look = (): number => {
    nowMs += lostMs[looks++ % lostMs.length]!
    return nowMs
  }
  return [look, () => look() + 1000]
}

describe('how far a clock is ahead of another', () => {
  it('is right although the thread lost its core between most looks at them', () => {
    const undisturbed = [0, 0, 0]
    expect(aheadOf(...clocks([0, 7, 0, 0, 40, 0, 0, 3, 3, ...undisturbed, 0, 5, 0]))).to.equal(1000)
    expect(aheadOf(...clocks([0, 0, 9, 0, 0, 9, ...undisturbed]))).to.equal(1000)
  })

  it('is right to half of the shortest time between looks', () => {
    expect(aheadOf(...clocks([0, 4, 0, 0, 2, 0, 0, 0, 6]))).to.be.within(999, 1001)
  })
})
