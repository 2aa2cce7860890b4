/** What actions promise that are about expiry and modified time. */
import { expect } from 'chai'
import { expectTypeError, rejected } from '../actors/expectations.js'
import { MINUTE, changes, times, type Law } from './law.js'

export const EXPIRY_LAWS: Law[] = [
  {
    promise: 'expire, expireAt, persist: set the expiry and the modified time; not positive or past removes',
    async hold(setting) {
      const { plain } = setting
      await plain('put', 'k', 1)
      expect(await changes(setting, plain, 'k', () => plain('expire', 'k', 5000))).to.deep.equal({ result: true, modified: true, expires: true })
      expect(await plain('ttl', 'k')).to.equal(5000)
      expect(await plain('expire', 'k', '1h')).to.equal(true)
      expect(await plain('ttl', 'k')).to.equal(60 * MINUTE)
      expect(await changes(setting, plain, 'k', () => plain('persist', 'k'))).to.deep.equal({ result: true, modified: true, expires: true })
      expect(await changes(setting, plain, 'k', () => plain('persist', 'k'))).to.deep.equal({ result: true, modified: true, expires: false })
      expect(await plain('ttl', 'k')).to.equal(null)
      await plain('expire', 'k', 2 ** 55)
      expect((await times(plain, 'k')).expires).to.equal(8.64e15)
      expect(await plain('expire', 'k', null)).to.equal(true)
      expect(await plain('ttl', 'k')).to.equal(null)
      expect(await plain('expireAt', 'k', Date.now() + 5000)).to.equal(true)
      expect(await plain('ttl', 'k')).to.be.within(4000, 5001)
      expect(await plain('expireAt', 'k', new Date(Date.now() + 9000))).to.equal(true)
      expect(await plain('ttl', 'k')).to.be.within(8000, 9001)
      for (const [action, argument] of [['expire', 0], ['expire', -1], ['expire', '-1s'], ['expire', -Infinity], ['expireAt', 0], ['expireAt', new Date(0)], ['expireAt', -8.64e15], ['expireAt', Date.now() - 1]] as const) {
        await plain('put', 'k', 1)
        expect(await plain(action, 'k', argument), `${action} ${String(argument)}`).to.equal(true)
        expect(await plain('size')).to.equal(0)
      }
      await plain('put', 'k', 1)
      for (const wrong of [undefined, NaN, 'soon', {}, true]) expectTypeError(await rejected(plain('expire', 'k', wrong)))
      for (const wrong of [undefined, null, NaN, new Date(NaN), '2020-01-01', 5n]) expectTypeError(await rejected(plain('expireAt', 'k', wrong)))
      expect(await plain('ttl', 'k')).to.equal(null)
    },
  },
  {
    promise: 'refresh: the duration last set starts again; without one nothing but the modified time changes',
    async hold(setting) {
      const { plain } = setting
      await plain('put', 'k', 1, { expire: 10_000 })
      expect(await changes(setting, plain, 'k', () => plain('refresh', 'k'))).to.deep.equal({ result: true, modified: true, expires: true })
      expect(await plain('ttl', 'k')).to.equal(10_000)
      await plain('expire', 'k', 20_000)
      await plain('touch', 'k')
      await plain('update', 'k', 2)
      await setting.advance(5000)
      await plain('refresh', 'k')
      expect(await plain('ttl', 'k')).to.equal(20_000)
      await plain('persist', 'k')
      expect(await changes(setting, plain, 'k', () => plain('refresh', 'k'))).to.deep.equal({ result: true, modified: true, expires: false })
      expect(await plain('ttl', 'k')).to.equal(null)
    },
  },
  {
    promise: 'touch: modified time is now, expiry stays where it was',
    async hold(setting) {
      const { plain } = setting
      await plain('put', 'k', 1, { expire: MINUTE })
      expect(await changes(setting, plain, 'k', () => plain('touch', 'k'))).to.deep.equal({ result: true, modified: true, expires: false })
      expect(await plain('get', 'k')).to.equal(1)
    },
  },
]
