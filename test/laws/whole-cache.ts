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
    promise: 'inspect: what api.md names, and a TypeError for the rest',
    async hold({ plain }) {
      await plain('put', 'k', 'value')
      expect(await plain('inspect', 'cache')).to.include({ policy: 'fifo', lazy: true }).and.not.to.have.property('seed')
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
