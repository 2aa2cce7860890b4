/** What actions promise that read one key or several. */
import { expect } from 'chai'
import { isDeepStrictEqual, inspect } from 'node:util'
import { EQUAL_KEYS, KEYS, VALUES } from '../actors/samples.js'
import { onKey, times, type Law } from './law.js'

/** Every action that treats a missing key in a way of its own, with its arguments behind the key and what it says. */
const OF_MISSING: [name: string, args: unknown[], result: unknown][] = [
  ['get', [], undefined], ['get', [{ default: 7 }], 7], ['take', [], undefined], ['del', [], false], ['exists', [], false], ['update', [1], false],
  ['expire', [1000], false], ['expire', [null], false], ['expire', [0], false], ['expireAt', [Date.now() + 1e6], false], ['persist', [], false], ['ttl', [], undefined],
  ['refresh', [], false], ['touch', [], false], ['getMany', [], [undefined]], ['delMany', [], 0], ['put', [5, { if: 'present' }], false],
]

export const READING_LAWS: Law[] = [
  {
    promise: 'get: the value, the default or undefined; null is a value',
    async hold({ plain }) {
      expect(await plain('put', 'a', { b: [1, 'two'] })).to.equal(true)
      expect(await plain('get', 'a')).to.deep.equal({ b: [1, 'two'] })
      expect(await plain('get', 'missing')).to.equal(undefined)
      expect(await plain('get', 'missing', { default: 3 })).to.equal(3)
      expect(await plain('get', 'missing', { default: null })).to.equal(null)
      await plain('put', 'n', null)
      expect(await plain('get', 'n', { default: 3 })).to.equal(null)
      expect(await plain('exists', 'n')).to.equal(true)
      for (const falsy of [0, '', false, NaN, 0n]) {
        await plain('put', 'f', falsy)
        expect(await plain('get', 'f', { default: 3 })).to.deep.equal(falsy)
      }
    },
  },
  {
    promise: 'getMany: in order, undefined where missing, duplicates too',
    async hold({ plain }) {
      await plain('put', 'a', 1)
      await plain('put', 'b', null)
      expect(await plain('getMany', ['b', 'x', 'a', 'a'])).to.deep.equal([null, undefined, 1, 1])
      expect(await plain('getMany', [])).to.deep.equal([])
    },
  },
  {
    promise: 'ttl: milliseconds left, null without expiry, undefined if missing',
    async hold(setting) {
      const { plain } = setting
      await plain('put', 'k', 1, { expire: 1000 })
      expect(await plain('ttl', 'k')).to.equal(1000)
      await setting.advance(400)
      expect(await plain('ttl', 'k')).to.equal(600)
      await setting.advance(600)
      expect(await plain('ttl', 'k')).to.equal(undefined)
    },
  },
  {
    promise: 'a missing key is missing for every action',
    async hold({ plain }) {
      for (const [name, args, result] of OF_MISSING) expect(await onKey(plain, name, 'missing', args), name).to.deep.equal(result)
      expect(await plain('size')).to.equal(0)
    },
  },
  {
    promise: 'an expired entry is missing for every action',
    async hold(setting) {
      const { plain } = setting
      for (const [index, [name, args, result]] of OF_MISSING.entries()) {
        await plain('put', index, 'old', { expire: 100 })
        await setting.advance(100)
        expect(await onKey(plain, name, index, args), name).to.deep.equal(result)
      }
      await plain('put', 'n', 41, { expire: 100 })
      await plain('put', 'f', 41, { expire: 100 })
      await setting.advance(100)
      expect(await plain('inspect', ['entry', 'n'])).to.deep.include({ value: 41 })
      expect(await plain('incr', 'n')).to.equal(1)
      expect(await plain('ttl', 'n')).to.equal(null)
      expect(await plain('getAndUpdate', 'f', 'sums.add', { args: [1] })).to.equal(1)
    },
  },
  {
    promise: 'lazy: false: reads see what is expired until it is swept, writes never do',
    async hold(setting) {
      const { eager } = setting
      await eager('put', 'k', 1, { expire: 100 })
      await setting.advance(200)
      expect(await eager('get', 'k')).to.equal(1)
      expect(await eager('getMany', ['k'])).to.deep.equal([1])
      expect(await eager('exists', 'k')).to.equal(true)
      expect(await eager('ttl', 'k')).to.equal(0)
      expect(await eager('keys')).to.deep.equal(['k'])
      expect(await eager('isEmpty')).to.equal(false)
      expect(await eager('update', 'k', 2)).to.equal(false)
      expect(await eager('touch', 'k')).to.equal(false)
      expect(await eager('put', 'k', 2, { if: 'present' })).to.equal(false)
      expect(await eager('get', 'k')).to.equal(1)
      expect(await eager('purge')).to.equal(1)
      expect(await eager('get', 'k')).to.equal(undefined)
      await eager('put', 'k', 1, { expire: 100 })
      await setting.advance(200)
      expect(await eager('take', 'k')).to.equal(undefined)
      expect(await eager('del', 'k')).to.equal(false)
      await eager('put', 'n', 1, { expire: 100 })
      await setting.advance(200)
      expect(await eager('incr', 'n')).to.equal(1)
      expect(await eager('ttl', 'n')).to.equal(null)
    },
  },
  {
    promise: 'every kind of key is a key of its own, and equal ones are one, for every action',
    async hold({ plain }) {
      for (const [index, key] of KEYS.entries()) expect(await plain('put', key, index, { if: 'absent' }), String(index)).to.equal(true)
      expect(await plain('getMany', KEYS)).to.deep.equal(KEYS.map((_, index) => index))
      const listed = await plain('keys') as unknown[]
      for (const key of KEYS) expect(listed.filter((other) => isDeepStrictEqual(other, key)).length, inspect(key)).to.equal(1)
      for (const [index, key] of KEYS.entries()) {
        expect(await plain('exists', key)).to.equal(true)
        expect(await plain('incr', key)).to.equal(index + 1)
        expect(await plain('touch', key)).to.equal(true)
        expect(await plain('ttl', key)).to.equal(null)
        expect(await plain('getAndUpdate', key, 'sums.double')).to.equal((index + 1) * 2)
        expect(await plain('transaction', [key], 'inside.steps', { args: [['get', key], ['put', key, index]] })).to.deep.equal([(index + 1) * 2, true])
        expect(await plain('inspect', ['entry', key])).to.include({ value: index })
        expect(await plain('take', key)).to.equal(index)
      }
      expect(await plain('isEmpty')).to.equal(true)
      for (const [one, other] of EQUAL_KEYS) {
        expect(await plain('putMany', [[one, 1], [other, 2]])).to.equal(undefined)
        expect(await plain('size')).to.equal(1)
        expect(await plain('getMany', [one, other])).to.deep.equal([2, 2])
        expect(await plain('transaction', [one], 'inside.steps', { args: [['incr', other]] })).to.deep.equal([3])
        expect(await plain('delMany', [one, other])).to.equal(1)
      }
    },
  },
  {
    promise: 'every kind of value comes back equal in kind and content, whichever action stored it and whichever reads it',
    async hold({ plain, sent, together }) {
      const [k, l, other] = ['k', 'l', 'other'].map((name) => together(name))
      for (const [kind, value] of VALUES) {
        const arrived = sent(sent(value))
        const expectSame = (copy: unknown): void => {
          if (!isDeepStrictEqual(copy, arrived)) expect(copy, kind).to.deep.equal(arrived)
        }
        await plain('put', k, value)
        expectSame(await plain('get', k))
        await plain('put', k, 1)
        await plain('update', k, value)
        expectSame((await plain('getMany', ['x', k]) as unknown[])[1])
        expectSame(await plain('getAndUpdate', k, 'sums.seen'))
        expectSame(await plain('getAndUpdate', 'new', 'sums.seen', { default: value }))
        expectSame(await plain('invoke', 'peek', k))
        await plain('putMany', [[other, 1], [k, value]])
        expectSame((await times(plain, k)).value)
        await plain('transaction', [k, l], 'inside.steps', { args: [['put', l, value]] })
        expectSame((await plain('transaction', [k], 'inside.steps', { args: [['take', k]] }) as unknown[])[0])
        expectSame(await plain('take', l))
        expect(await plain('get', k)).to.equal(undefined)
      }
    },
  },
]
