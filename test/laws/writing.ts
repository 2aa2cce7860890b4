/** What actions promise that write one key or several. */
import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import { expectTypeError, rejected } from '../actors/expectations.js'
import { MINUTE, changes, expectTime, times, type Law } from './law.js'

export const WRITING_LAWS: Law[] = [
  {
    promise: 'put: overwrites value, expiry and modified time',
    async hold(setting) {
      const { plain } = setting
      expect(await plain('put', 'k', 1, { expire: MINUTE })).to.equal(true)
      expectTime((await times(plain, 'k')).expires, setting.now() + MINUTE)
      expect(await changes(setting, plain, 'k', () => plain('put', 'k', 2))).to.deep.equal({ result: true, modified: true, expires: true })
      expect(await times(plain, 'k')).to.include({ value: 2, expires: null })
    },
  },
  {
    promise: 'put: expire as number, string, fraction, huge; null is none whatever the default; not positive removes',
    async hold(setting) {
      const { plain, timed } = setting
      const set = async (expire: unknown): Promise<number | null> => (await plain('put', 'k', 1, { expire }), (await times(plain, 'k')).expires)
      expectTime(await set('5m'), setting.now() + 5 * MINUTE)
      expectTime(await set('1.5h'), setting.now() + 90 * MINUTE)
      expectTime(await set(1500.5), setting.now() + 1500.5)
      expect(await plain('ttl', 'k')).to.be.within(1500, 1502)
      expect(await set(0.25)).to.be.greaterThan(setting.now() - 1)
      for (const huge of [2 ** 53, 2 ** 60, 1e300, Number.MAX_VALUE]) expect(new Date((await set(huge))!).getTime(), String(huge)).to.equal(8.64e15)
      expect(await plain('get', 'k')).to.equal(1)
      for (const none of [null, Infinity]) expect(await set(none)).to.equal(null)
      await timed('put', 'k', 1)
      expect(await timed('ttl', 'k')).to.equal(MINUTE)
      await timed('put', 'k', 1, { expire: undefined })
      expect(await timed('ttl', 'k')).to.equal(MINUTE)
      await timed('put', 'k', 1, { expire: null })
      expect(await timed('ttl', 'k')).to.equal(null)
      for (const gone of [0, -0, -1, -0.5, '-5m', '0s', -(2 ** 60), -Infinity]) {
        await plain('put', 'k', 1)
        expect(await plain('put', 'k', 2, { expire: gone }), String(gone)).to.equal(true)
        expect(await plain('exists', 'k'), String(gone)).to.equal(false)
        expect(await plain('size')).to.equal(0)
      }
      for (const wrong of [NaN, 'soon', '', '5 parsecs', {}, [], true, 5n]) expectTypeError(await rejected(plain('put', 'k', 1, { expire: wrong })))
      expect(await plain('size')).to.equal(0)
    },
  },
  {
    promise: 'put with if: whether it was stored; an expired entry is absent',
    async hold(setting) {
      const { plain } = setting
      expect(await plain('put', 'k', 1, { if: 'present' })).to.equal(false)
      expect(await plain('exists', 'k')).to.equal(false)
      expect(await plain('put', 'k', 1, { if: 'absent', expire: 1000 })).to.equal(true)
      expect(await plain('put', 'k', 2, { if: 'absent' })).to.equal(false)
      expect(await times(plain, 'k')).to.include({ value: 1 })
      expect(await plain('ttl', 'k')).to.equal(1000)
      expect(await plain('put', 'k', 3, { if: 'present', expire: 1000 })).to.equal(true)
      await setting.advance(1001)
      expect(await plain('put', 'k', 4, { if: 'present' })).to.equal(false)
      expect(await plain('put', 'k', 5, { if: 'absent' })).to.equal(true)
      expect(await plain('get', 'k')).to.equal(5)
      expectTypeError(await rejected(plain('put', 'k', 6, { if: 'maybe' })))
      expectTypeError(await rejected(plain('put', 'k', 6, { if: null })))
      expect(await plain('get', 'k')).to.equal(5)
    },
  },
  {
    promise: 'update: keeps expiry and modified time, and stores nothing where nothing is',
    async hold(setting) {
      const { plain } = setting
      expect(await plain('update', 'k', 1)).to.equal(false)
      expect(await plain('size')).to.equal(0)
      await plain('put', 'k', 1, { expire: MINUTE })
      expect(await changes(setting, plain, 'k', () => plain('update', 'k', 'a longer value than before'))).to.deep.equal({ result: true, modified: false, expires: false })
      expect(await plain('get', 'k')).to.equal('a longer value than before')
      await plain('refresh', 'k')
      expect(await plain('ttl', 'k')).to.equal(MINUTE)
    },
  },
  {
    promise: 'take: the value, once',
    async hold({ plain }) {
      await plain('put', 'k', { deep: [1] })
      await plain('put', 'n', null)
      expect(await plain('take', 'k')).to.deep.equal({ deep: [1] })
      expect(await plain('take', 'k')).to.equal(undefined)
      expect(await plain('take', 'n')).to.equal(null)
      expect(await plain('isEmpty')).to.equal(true)
    },
  },
  {
    promise: 'del and delMany: whether, and how many, were there',
    async hold({ plain }) {
      for (const key of ['a', 'b', 'c', 'd']) await plain('put', key, 1)
      expect(await plain('del', 'a')).to.equal(true)
      expect(await plain('del', 'a')).to.equal(false)
      expect(await plain('delMany', ['a', 'b', 'b', 'c', 'x'])).to.equal(2)
      expect(await plain('delMany', [])).to.equal(0)
      expect(await plain('keys')).to.deep.equal(['d'])
    },
  },
  {
    promise: 'incr and decr: by any number, from a default, keeping expiry and modified time',
    async hold(setting) {
      const { plain, timed } = setting
      expect(await plain('incr', 'n')).to.equal(1)
      expect(await plain('incr', 'n', 5)).to.equal(6)
      expect(await plain('decr', 'n')).to.equal(5)
      expect(await plain('decr', 'n', 2.5)).to.equal(2.5)
      expect(await plain('incr', 'n', -2.5)).to.equal(0)
      expect(await plain('incr', 'm', 2, { default: 40 })).to.equal(42)
      expect(await plain('incr', 'm', 2, { default: 40 })).to.equal(44)
      expect(await plain('decr', 'o', 2, { default: 40 })).to.equal(38)
      expect(await plain('decr', 'p')).to.equal(-1)
      expect(await plain('incr', 'b', 2n ** 70n)).to.equal(2n ** 70n)
      expect(await plain('decr', 'b', 1n)).to.equal(2n ** 70n - 1n)
      expect(await plain('ttl', 'n')).to.equal(null)
      await plain('put', 't', 1, { expire: MINUTE })
      for (const action of ['incr', 'decr']) {
        expect(await changes(setting, plain, 't', () => plain(action, 't'))).to.deep.include({ modified: false, expires: false })
      }
      await timed('incr', 'new')
      expect(await timed('ttl', 'new')).to.equal(MINUTE)
    },
  },
  {
    promise: 'incr: ERR_NON_NUMERIC_VALUE on anything else, and nothing changes',
    async hold({ plain }) {
      for (const value of ['1', null, true, [1], { n: 1 }, new Date(0)]) {
        await plain('put', 'k', value)
        expect((await rejected(plain('incr', 'k'), 'ERR_NON_NUMERIC_VALUE')).outcome).to.equal('none')
        await rejected(plain('decr', 'k', 1n), 'ERR_NON_NUMERIC_VALUE')
        expect(await plain('get', 'k')).to.deep.equal(value)
      }
      await plain('put', 'k', 1)
      await rejected(plain('incr', 'k', 1n), 'ERR_NON_NUMERIC_VALUE')
      await plain('put', 'k', 1n)
      await rejected(plain('incr', 'k', 1), 'ERR_NON_NUMERIC_VALUE')
      await rejected(plain('incr', 'missing', 1, { default: 1n }), 'ERR_NON_NUMERIC_VALUE')
      expect(await plain('exists', 'missing')).to.equal(false)
      for (const by of ['1', null, NaN, {}, [], true]) expectTypeError(await rejected(plain('incr', 'k', by)))
      expectTypeError(await rejected(plain('incr', 'k', 1n, { default: '0' })))
      expect(await plain('get', 'k')).to.equal(1n)
    },
  },
  {
    promise: 'putMany: nothing is returned; all pairs with the same expiry, and of two with one key the later',
    async hold(setting) {
      const { plain, timed } = setting
      const [a, b, c] = ['a', 'b', 'c'].map((name) => setting.together(name))
      expect(await plain('putMany', [])).to.equal(undefined)
      expect(await plain('size')).to.equal(0)
      const many = Array.from({ length: 200 }, (_, index) => [setting.together(index), { index }])
      expect(await plain('putMany', many)).to.equal(undefined)
      expect(await plain('getMany', many.map(([key]) => key))).to.deep.equal(many.map(([, value]) => value))
      expect(await plain('size')).to.equal(200)
      await plain('putMany', [[a, 1], [b, 2], [a, 3]])
      expect(await plain('getMany', [a, b])).to.deep.equal([3, 2])
      await plain('putMany', new Map([[a, 4], [b, null]]))
      expect(await plain('getMany', [a, b])).to.deep.equal([4, null])
      expect(await changes(setting, plain, a, () => plain('putMany', [[a, 5], [b, 5]], { expire: '5m' }))).to.deep.equal({ result: undefined, modified: true, expires: true })
      expect(await Promise.all([plain('ttl', a), plain('ttl', b)])).to.deep.equal([5 * MINUTE, 5 * MINUTE])
      await plain('putMany', [[a, 6]])
      expect(await plain('ttl', a)).to.equal(null)
      await timed('putMany', [[a, 1], [b, 1]])
      expect(await Promise.all([timed('ttl', a), timed('ttl', b)])).to.deep.equal([MINUTE, MINUTE])
      for (const none of [null, Infinity]) {
        await timed('putMany', [[a, 1], [b, 1]], { expire: none })
        expect(await Promise.all([timed('ttl', a), timed('ttl', b)])).to.deep.equal([null, null])
      }
      for (const gone of [0, -1, '-5m', -Infinity]) {
        await plain('putMany', [[a, 1], [b, 1]])
        expect(await plain('putMany', [[a, 2], [b, 2], [c, 2]], { expire: gone })).to.equal(undefined)
        expect(await plain('getMany', [a, b, c])).to.deep.equal([undefined, undefined, undefined])
      }
      expect(await plain('size')).to.equal(200)
    },
  },
  {
    promise: 'putMany: one wrong pair, key, value or option, or one that does not fit, and nothing is stored',
    async hold({ plain, together }) {
      const [a, b, c] = ['a', 'b', 'c'].map((name) => together(name))
      await plain('put', a, 0)
      for (const wrong of [undefined, null, 5, 'ab', {}, [[a]], [[a, 1], 'bc'], [[a, 1], []], [[a, 1], null], [[a, 1, {}]]]) expectTypeError(await rejected(plain('putMany', wrong)))
      for (const options of [{ expire: NaN }, { expire: 'soon' }, { if: 'absent' }, { expires: 5 }, null, 5]) expectTypeError(await rejected(plain('putMany', [[a, 1]], options)))
      for (const value of [undefined]) await rejected(plain('putMany', [[a, 1], [b, value], [c, 1]]), 'ERR_UNSUPPORTED_VALUE')
      expect((await rejected(plain('putMany', [[a, 1], [undefined, 1]]), 'ERR_INVALID_KEY')).outcome).to.equal('none')
      for (const pair of [[b, randomBytes(2 ** 23)], [together('k'.repeat(100_000)), 1]]) {
        expect((await rejected(plain('putMany', [[a, 1], ...Array.from({ length: 20 }, (_, index) => [together(index), index]), pair]), 'ERR_TOO_LARGE')).outcome).to.equal('none')
      }
      expect(await plain('get', a)).to.equal(0)
      expect(await plain('size')).to.equal(1)
    },
  },
  {
    promise: 'what is written is seen by whatever the same caller does next, without waiting for the answer, and in the order of the calls',
    async hold({ plain, together }) {
      const all = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => together(name))
      const [a, b, c] = all
      for (let round = 1; round <= 5; round++) {
        const putting = plain('putMany', all.map((key) => [key, round]))
        expect(await Promise.all([plain('get', a), plain('getMany', all), plain('exists', c), plain('size')])).to.deep.equal([round, all.map(() => round), true, 6])
        await putting
        const calls = [plain('putMany', all.map((key) => [key, 'older'])), ...all.map((key) => plain('put', key, round))]
        expect(await plain('getMany', all)).to.deep.equal(all.map(() => round))
        await Promise.all(calls)
        expect(await plain('getMany', all)).to.deep.equal(all.map(() => round))
        const deleting = plain('delMany', all)
        expect(await Promise.all([plain('get', b), plain('size'), plain('keys')])).to.deep.equal([undefined, 0, []])
        expect(await deleting).to.equal(6)
        const twice = [plain('putMany', all.map((key) => [key, 1])), plain('putMany', all.map((key) => [key, 2])), plain('incr', a), plain('del', b)]
        expect(await plain('getMany', all)).to.deep.equal([3, undefined, 2, 2, 2, 2])
        expect((await Promise.all(twice)).slice(2)).to.deep.equal([3, true])
      }
    },
  },
  {
    promise: 'incr and decr: zeros, infinities, fractions and BigInts as numbers have them',
    async hold({ plain }) {
      const cases: [value: number | bigint, by: number | bigint, sum: number | bigint, difference: number | bigint][] = [
        [1, 0, 1, 1], [0, -0, 0, 0], [-0, -0, -0, 0], [0.5, 0.25, 0.75, 0.25], [2 ** 53, 2 ** 53, 2 ** 54, 0], [Infinity, 1, Infinity, Infinity], [Infinity, -Infinity, NaN, Infinity],
        [NaN, 1, NaN, NaN], [Number.MAX_VALUE, Number.MAX_VALUE, Infinity, 0], [0n, 0n, 0n, 0n], [-1n, 1n, 0n, -2n], [2n ** 1000n, 1n, 2n ** 1000n + 1n, 2n ** 1000n - 1n],
      ]
      for (const [value, by, sum, difference] of cases) {
        for (const [action, result] of [['incr', sum], ['decr', difference]] as const) {
          await plain('put', 'k', value)
          const returned = await plain(action, 'k', by)
          expect(Object.is(returned, result), `${action} ${value} by ${by}: ${String(returned)}`).to.equal(true)
          expect(Object.is(await plain('get', 'k'), result)).to.equal(true)
          await plain('del', 'k')
          if (Number.isNaN(value)) continue
          expect(Object.is(await plain(action, 'k', by, { default: value }), result), `${action} ${by} from ${value}`).to.equal(true)
        }
      }
      expect(await plain('incr', 'new', undefined, { default: undefined })).to.equal(1)
      expect(await plain('decr', 'new', undefined, {})).to.equal(0)
    },
  },
]
