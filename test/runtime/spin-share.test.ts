import { expect } from 'chai'
import { SpinShare } from '../../runtime/spin-share.js'

/** What the next looks are, each of them in vain. */
function sharesInVain(spin: SpinShare, looks: number, single: boolean): number[] {
  return Array.from({ length: looks }, () => {
    const { share } = spin
    spin.wasInVain(single)
    return share
  })
}

describe('how long it pays to look before sleeping', () => {
  it('is all of the time at first, half as long after each look that was in vain, and never nothing', () => {
    expect(sharesInVain(new SpinShare(), 9, false)).to.deep.equal([1, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 64, 1 / 64])
  })

  it('doubles with each look that paid off, up to all of the time', () => {
    const spin = new SpinShare()
    sharesInVain(spin, 100, false)
    for (let look = 0; look < 6; look++) spin.paidOff()
    expect(spin.share).to.equal(1)
    spin.paidOff()
    expect(spin.share).to.equal(1)
  })

  it('is tried in full again where single messages come after short looks, and kept if that pays off once', () => {
    const spin = new SpinShare()
    sharesInVain(spin, 6, true)
    expect(sharesInVain(spin, 17, true)).to.deep.equal(Array(17).fill(1 / 64))
    expect(sharesInVain(spin, 7, true)).to.deep.equal(Array(7).fill(1))
    spin.paidOff()
    expect(sharesInVain(spin, 2, true)).to.deep.equal([1, 1 / 2])
  })

  it('falls back at once after a trial in vain, and is tried less and less often', () => {
    const spin = new SpinShare()
    const trials: number[] = []
    sharesInVain(spin, 6, true)
    const shares = sharesInVain(spin, 6000, true)
    for (const [look, share] of shares.entries()) if (share === 1 && shares[look - 1] !== 1) trials.push(look)
    expect(new Set(shares)).to.deep.equal(new Set([1 / 64, 1]))
    expect(trials.map((look, index) => look - (trials[index - 1] ?? -8))).to.deep.equal([16, 32, 64, 128, 256, 512, 1024, 1024, 1024, 1024].map((gap) => gap + 1 + 8))
  })

  it('is not tried where messages come in batches', () => {
    const spin = new SpinShare()
    expect(Math.max(...sharesInVain(spin, 5000, false).slice(6))).to.equal(1 / 64)
  })
})
