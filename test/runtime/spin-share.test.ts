import { expect } from 'chai'
import { SpinShare } from '../../runtime/spin-share.js'

describe('how long it pays to look before sleeping', () => {
  it('is all of the time at first, half as long after each look that was in vain, and never nothing', () => {
    const spin = new SpinShare()
    const shares = [spin.share]
    for (let look = 0; look < 8; look++) {
      spin.wasInVain()
      shares.push(spin.share)
    }
    expect(shares).to.deep.equal([1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 64, 1 / 64])
  })

  it('doubles with each look that paid off, up to all of the time', () => {
    const spin = new SpinShare()
    for (let look = 0; look < 100; look++) spin.wasInVain()
    for (let look = 0; look < 6; look++) spin.paidOff()
    expect(spin.share).to.equal(1)
    spin.paidOff()
    expect(spin.share).to.equal(1)
  })
})
