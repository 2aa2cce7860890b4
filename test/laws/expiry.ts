/** What actions promise that are about expiry and modified time. */
import { expect } from 'chai'
import { inspect } from 'node:util'
import { expectTypeError, rejected } from '../actors/expectations.js'
import { MINUTE, changes, times, type Call, type Law } from './law.js'

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
  {
    promise: 'modified time changes on put, expire, expireAt, persist, refresh and touch, and on nothing else',
    async hold(setting) {
      const { plain } = setting
      const [k, l] = ['k', 'l'].map((name) => setting.together(name))
      const changing: [string, ...unknown[]][] = [
        ['put', k, 1], ['put', k, 1, { if: 'present' }], ['expire', k, 50_000], ['expireAt', k, Date.now() + 100_000], ['expire', k, null], ['persist', k], ['refresh', k], ['touch', k],
        ['putMany', [[k, 1], [l, 1]]], ['transaction', [k], 'inside.steps', { args: [['put', k, 1]] }], ['transaction', [k], 'inside.steps', { args: [['touch', k]] }],
      ]
      const leaving: [string, ...unknown[]][] = [
        ['get', k], ['getMany', [k]], ['exists', k], ['ttl', k], ['keys'], ['size'], ['isEmpty'], ['put', k, 5, { if: 'absent' }], ['update', k, 2], ['incr', k], ['decr', k, 3], ['purge'],
        ['getAndUpdate', k, 'sums.add', { args: [1] }], ['getAndUpdate', k, 'sums.seen'], ['getAndUpdate', k, 'sums.commitAsItIs', { args: [1] }], ['getAndUpdate', k, 'sums.commitFor', { args: [1, '3m'] }],
        ['getAndUpdate', k, 'sums.commitFor', { args: [1, null] }], ['invoke', 'peek', k], ['invoke', 'look', k], ['transaction', [k], 'inside.steps', { args: [['incr', k], ['update', k, 4]] }],
      ]
      await plain('put', k, 1, { expire: MINUTE })
      for (const [name, ...args] of changing) expect((await changes(setting, plain, k, () => plain(name, ...args))).modified, inspect([name, ...args])).to.equal(true)
      for (const [name, ...args] of leaving) expect((await changes(setting, plain, k, () => plain(name, ...args))).modified, inspect([name, ...args])).to.equal(false)
      await plain('put', l, [1])
      for (const args of [[2], [3, '2m']]) expect((await changes(setting, plain, l, () => plain('invoke', args.length === 1 ? 'add' : 'addFor', l, { args }))).modified).to.equal(false)
    },
  },
  {
    promise: 'what keeps the expiry keeps it to the millisecond: update, incr, getAndUpdate, invoke, touch',
    async hold(setting) {
      const { timed } = setting
      await timed('put', 'k', 1)
      await timed('put', 'l', [1])
      for (const [name, key, ...args] of [['update', 'k', 2], ['incr', 'k'], ['decr', 'k', 5], ['getAndUpdate', 'k', 'sums.double'], ['touch', 'k'], ['invoke', 'add', 'l', { args: [1] }]] as const) {
        const entry = name === 'invoke' ? 'l' : key
        const { expires } = await times(timed, entry)
        await setting.advance(10)
        await timed(name, key, ...args)
        expect((await times(timed, entry)).expires, name).to.equal(expires)
      }
    },
  },
  {
    promise: 'refresh: the duration last set, whoever set it',
    async hold(setting) {
      const { plain, timed } = setting
      const refreshed = async (call: Call): Promise<unknown> => {
        await setting.advance(500)
        expect(await call('refresh', 'k')).to.equal(true)
        return call('ttl', 'k')
      }
      await timed('put', 'k', 1)
      expect(await refreshed(timed)).to.equal(MINUTE)
      await plain('put', 'k', 1, { expire: '5m' })
      expect(await refreshed(plain)).to.equal(5 * MINUTE)
      await plain('putMany', [['k', 1]], { expire: 7000 })
      expect(await refreshed(plain)).to.equal(7000)
      await plain('getAndUpdate', 'k', 'sums.commitFor', { args: [1, 9000] })
      expect(await refreshed(plain)).to.equal(9000)
      await plain('put', 'k', 1)
      expect(await refreshed(plain)).to.equal(null)
      await plain('expireAt', 'k', Date.now() + 20_000)
      expect(await refreshed(plain)).to.be.within(19_000, 20_001)
      await plain('expire', 'k', 2 ** 60)
      expect(await refreshed(plain)).to.be.greaterThan(2 ** 52)
      for (const none of [null, Infinity]) {
        await plain('expire', 'k', none)
        expect(await refreshed(plain)).to.equal(null)
      }
      await plain('expire', 'k', 0.5)
      expect(await plain('exists', 'k')).to.equal(true)
      await setting.advance(1)
      expect(await plain('exists', 'k')).to.equal(false)
      expect(await plain('refresh', 'k')).to.equal(false)
    },
  },
]
