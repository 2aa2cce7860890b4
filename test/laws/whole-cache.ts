/** What actions promise that are about the whole cache. */
import { expect } from 'chai'
import { expectTypeError, rejected } from '../actors/expectations.js'
import { type Law } from './law.js'

export const WHOLE_CACHE_LAWS: Law[] = [
  {
    promise: 'size, isEmpty, keys, clear and purge; only size counts the expired',
    async hold(setting) {
      const { plain } = setting
      expect(await plain('isEmpty')).to.equal(true)
      expect(await plain('size')).to.equal(0)
      for (let key = 0; key < 10; key++) await plain('put', key, key, key < 4 ? { expire: 500 } : {})
      expect(await plain('isEmpty')).to.equal(false)
      expect((await plain('keys') as number[]).sort()).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      await setting.advance(600)
      expect(await plain('size')).to.equal(10)
      expect(await plain('size', { expired: true })).to.equal(10)
      expect(await plain('size', { expired: false })).to.equal(6)
      expect(await plain('inspect', ['expired', 'count'])).to.equal(4)
      expect((await plain('inspect', ['expired', 'keys']) as number[]).sort()).to.deep.equal([0, 1, 2, 3])
      expect((await plain('keys') as number[]).sort()).to.deep.equal([4, 5, 6, 7, 8, 9])
      expect(await plain('purge')).to.equal(4)
      expect(await plain('purge')).to.equal(0)
      expect(await plain('size')).to.equal(6)
      expect(await plain('clear')).to.equal(6)
      expect(await plain('clear')).to.equal(0)
      await plain('put', 'k', 1, { expire: 10 })
      await setting.advance(20)
      expect(await plain('isEmpty')).to.equal(true)
      expect(await plain('size')).to.equal(1)
      expectTypeError(await rejected(plain('size', { expired: 'no' })))
    },
  },
  {
    promise: 'prune: of a node nothing up to its size; else what was written longest ago, and so much more as it reclaims; the expired are not counted',
    async hold(setting) {
      const { plain, together } = setting
      for (let number = 0; number < 40; number++) {
        await plain('put', together(number), number, number % 10 === 9 ? { expire: 500 } : {})
        await setting.advance(1)
      }
      const numbers = Array.from({ length: 40 }, (_, number) => number)
      const left = async (): Promise<number[]> => {
        const keys = new Set(await plain('keys') as unknown[])
        return numbers.filter((number) => keys.has(together(number)))
      }
      expect(await plain('prune', 40)).to.equal(0)
      expect(await plain('prune', 41, { reclaim: 1 })).to.equal(0)
      await setting.advance(600)
      // What counts as written, and what does not.
      for (const [name, number, ...args] of [['put', 1, 'again'], ['touch', 2], ['persist', 3], ['expire', 4, 1e6], ['refresh', 5]] as const) {
        await setting.advance(1)
        await plain(name, together(number), ...args)
      }
      await plain('update', together(6), 'more')
      await plain('incr', together(7))
      await plain('get', together(8))
      // 40 are there, 4 of them expired: 30 − 3 are to be left.
      expect(await plain('prune', 30)).to.equal(9)
      expect(await left()).to.deep.equal([1, 2, 3, 4, 5, ...Array.from({ length: 24 }, (_, index) => index + 15).filter((key) => key % 10 !== 9)])
      expect(await plain('size')).to.equal(27)
      expect(await plain('prune', 27)).to.equal(0)
      expect(await plain('prune', 20, { reclaim: 0 })).to.equal(7)
      expect(await plain('prune', 10, { reclaim: 0.25 })).to.equal(13)
      expect(await left()).to.deep.equal([1, 2, 3, 4, 5, 37, 38])
      expect(await plain('prune', 3, { reclaim: 0.5 })).to.equal(6)
      expect(await left()).to.deep.equal([5])
      expect(await plain('prune', 0)).to.equal(1)
      expect(await plain('prune', 0)).to.equal(0)
      for (const size of [undefined, null, -1, 1.5, NaN, Infinity, '5', 5n, {}]) expectTypeError(await rejected(plain('prune', size)))
      for (const reclaim of [null, -0.1, 1.1, NaN, '0.1', 1n, {}]) expectTypeError(await rejected(plain('prune', 5, { reclaim })))
    },
  },
  {
    promise: 'inspect: what api.md names, and a TypeError for the rest',
    async hold({ plain }) {
      await plain('put', 'k', 'value')
      expect(await plain('inspect', 'cache')).to.deep.include({ limit: { policy: 's3-fifo', entries: null, reclaim: 0, checkMs: null }, lazy: true }).and.not.to.have.property('seed')
      expect(await plain('inspect', ['memory', 'bytes'])).to.be.within(1, 16 * 2 ** 20)
      expect(await plain('inspect', ['memory', 'text'])).to.match(/^[\d.]+ [kmg]?b$/)
      expect(await plain('inspect', 'tree')).to.include({ kind: 'supervisor', state: 'running' })
      expect((await plain('inspect', 'shards') as { entries: number }[]).reduce((sum, { entries }) => sum + entries, 0)).to.equal(1)
      expect(await plain('inspect', 'mailboxes')).to.be.an('array')
      expect(await plain('inspect', ['entry', 'missing'])).to.equal(undefined)
      expect(await plain('inspect', ['entry', 'k'])).to.include({ key: 'k', value: 'value', expires: null })
      await rejected(plain('inspect', ['janitor', 'last']), 'ERR_JANITOR_DISABLED')
      await rejected(plain('inspect', ['entry']), 'ERR_INVALID_KEY')
      for (const wrong of [undefined, null, 'everything', 'constructor', '__proto__', 'memory', 'janitor', ['memory'], ['memory', 'kilos'], ['janitor', 'first'], ['cache', 5], ['entry', 'k', 'more'], [], 5]) {
        expectTypeError(await rejected(plain('inspect', wrong)))
      }
    },
  },
]
