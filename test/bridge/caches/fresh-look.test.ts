import { expect } from 'chai'
import { FreshLook } from '../../../bridge/caches/fresh-look.js'
import { settle } from '../fake-timers.js'

describe('a fresh look', () => {
  it('is one that begins after it was asked for, shared by those who wait for the same', async () => {
    const looks: { resolve: () => void; reject: (error: Error) => void }[] = []
    const fresh = new FreshLook(() => new Promise((resolve, reject) => looks.push({ resolve, reject })))
    const ended: string[] = []
    const ask = (who: string): void => void fresh.look().then(() => ended.push(who), (error: Error) => ended.push(`${who}: ${error.message}`))
    ask('first')
    ask('second')
    ask('third')
    await settle()
    expect(looks).to.have.lengthOf(1)
    looks[0]!.resolve()
    await settle()
    expect(ended).to.deep.equal(['first'])
    expect(looks).to.have.lengthOf(2)
    ask('fourth')
    looks[1]!.reject(new Error('not now'))
    await settle()
    expect(ended).to.deep.equal(['first', 'second: not now', 'third: not now'])
    looks[2]!.resolve()
    await settle()
    expect(ended.at(-1)).to.equal('fourth')
    ask('fifth')
    await settle()
    expect(looks).to.have.lengthOf(4)
  })
})
