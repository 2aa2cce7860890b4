/**
 * The laws of the actions, whichever way they are called. A law gets a way to call, a held clock, and an empty cache without a default
 * expiry, with 1 minute of default expiry (`timed`) and with `lazy: false` (`eager`).
 */
import { expect } from 'chai'
import { rejected, expectTypeError } from '../actors/expectations.js'
import { noPairs } from '../actors/functions.js'

export type Call = (name: string, ...args: unknown[]) => Promise<unknown>

export interface Setting {
  plain: Call
  timed: Call
  eager: Call
  /** Moves the clock of all threads. */
  readonly advance: (ms: number) => Promise<void>
  now(): number
}

export interface Law {
  promise: string
  readonly hold: (setting: Setting) => Promise<void>
}

interface Times {
  value: unknown
  modified: number
  expires: number | null
}

const MINUTE = 60_000

async function times(call: Call, key: unknown): Promise<Times> {
  const entry = await call('inspect', ['entry', key]) as Times | undefined
  if (entry === undefined) throw new Error(`no entry ${String(key)}`)
  return entry
}

/** Within a millisecond: times are whole. */
function expectTime(actual: number | null | undefined, expected: number): void {
  expect(actual).to.be.within(Math.floor(expected) - 1, Math.ceil(expected) + 1)
}

/** Runs an action and says what it changed of an entry's times. */
async function changes(setting: Setting, call: Call, key: unknown, act: () => Promise<unknown>): Promise<{ result: unknown; modified: boolean; expires: boolean }> {
  const before = await times(call, key)
  await setting.advance(1000)
  const result = await act()
  const after = await times(call, key)
  if (after.modified !== before.modified) expectTime(after.modified, setting.now())
  return { result, modified: after.modified !== before.modified, expires: after.expires !== before.expires }
}

/** Every action that treats a missing key in a way of its own, with its arguments behind the key and what it says. */
const OF_MISSING: [name: string, args: unknown[], result: unknown][] = [
  ['get', [], undefined], ['get', [{ default: 7 }], 7], ['take', [], undefined], ['del', [], false], ['exists', [], false], ['update', [1], false],
  ['expire', [1000], false], ['expire', [null], false], ['expire', [0], false], ['expireAt', [Date.now() + 1e6], false], ['persist', [], false], ['ttl', [], undefined],
  ['refresh', [], false], ['touch', [], false], ['getMany', [], [undefined]], ['delMany', [], 0], ['put', [5, { if: 'present' }], false],
]

function onKey(call: Call, name: string, key: unknown, args: unknown[]): Promise<unknown> {
  return name.endsWith('Many') ? call(name, [key], ...args) : call(name, key, ...args)
}

export const ACTION_LAWS: Law[] = [
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
    promise: 'getAndUpdate: the result is put and returned; keeps expiry and modified time; commit and ignore say otherwise',
    async hold(setting) {
      const { plain, timed } = setting
      expect(await plain('getAndUpdate', 'n', 'sums.add', { args: [2] })).to.equal(2)
      expect(await plain('getAndUpdate', 'n', 'sums.add', { args: [3], default: 100 })).to.equal(5)
      expect(await plain('getAndUpdate', 'd', 'sums.add', { args: [3], default: 100 })).to.equal(103)
      expect(await plain('getAndUpdate', 'n', 'sums.double')).to.equal(10)
      await plain('expire', 'n', MINUTE)
      expect(await changes(setting, plain, 'n', () => plain('getAndUpdate', 'n', 'sums.double'))).to.deep.equal({ result: 20, modified: false, expires: false })
      expect(await plain('getAndUpdate', 'n', 'sums.seen')).to.equal(20)
      expect(await plain('getAndUpdate', 'absent', 'sums.seen', { default: 'd' })).to.equal('d')
      expect(await plain('getAndUpdate', 'absent', 'sums.nothing')).to.equal(undefined)
      expect(await plain('getAndUpdate', 'n', 'sums.nothing')).to.equal(undefined)
      expect(await plain('exists', 'absent')).to.equal(false)
      expect(await plain('get', 'n')).to.equal(20)
      expect(await plain('getAndUpdate', 'n', 'sums.commitFor', { args: [1, '2m'] })).to.equal(1)
      expect(await plain('ttl', 'n')).to.equal(2 * MINUTE)
      expect(await plain('getAndUpdate', 'n', 'sums.commitAsItIs', { args: [7] })).to.equal(7)
      expect(await plain('ttl', 'n')).to.equal(2 * MINUTE)
      expect(await plain('getAndUpdate', 'n', 'sums.commitFor', { args: [2, null] })).to.equal(2)
      expect(await plain('ttl', 'n')).to.equal(null)
      expect(await plain('getAndUpdate', 'n', 'sums.commitFor', { args: [2, 0] })).to.equal(2)
      expect(await plain('exists', 'n')).to.equal(false)
      await timed('getAndUpdate', 'new', 'sums.add', { args: [1] })
      expect(await timed('ttl', 'new')).to.equal(MINUTE)
      await timed('getAndUpdate', 'without', 'sums.commitFor', { args: [1, null] })
      expect(await timed('ttl', 'without')).to.equal(null)
    },
  },
  {
    promise: 'invoke: a read command\'s result; a write command\'s result, and its new value is put; keeps expiry and modified time; commit and ignore say otherwise',
    async hold(setting) {
      const { plain, timed, eager } = setting
      expect(await plain('invoke', 'length', 'l')).to.equal(0)
      expect(await plain('invoke', 'length', 'l', { default: [1, 2] })).to.equal(2)
      expect(await plain('invoke', 'peek', 'l')).to.equal(undefined)
      expect(await plain('exists', 'l')).to.equal(false)
      expect(await plain('invoke', 'add', 'l', { args: ['a', 'b'] })).to.equal(2)
      expect(await plain('get', 'l')).to.deep.equal(['a', 'b'])
      expect(await plain('invoke', 'at', 'l', { args: [1] })).to.equal('b')
      expect(await plain('invoke', 'peek', 'l')).to.deep.equal(['a', 'b'])
      expect(await plain('invoke', 'look', 'l')).to.deep.equal(['a', 'b'])
      await plain('expire', 'l', MINUTE)
      expect(await changes(setting, plain, 'l', () => plain('invoke', 'pop', 'l'))).to.deep.equal({ result: 'b', modified: false, expires: false })
      expect(await changes(setting, plain, 'l', () => plain('invoke', 'length', 'l'))).to.deep.equal({ result: 1, modified: false, expires: false })
      expect(await plain('invoke', 'pop', 'l')).to.equal('a')
      expect(await plain('invoke', 'pop', 'l')).to.equal(undefined)
      expect(await plain('get', 'l')).to.deep.equal([])
      expect(await plain('invoke', 'addFor', 'l', { args: [null, '2m'] })).to.equal(null)
      expect(await plain('ttl', 'l')).to.equal(2 * MINUTE)
      expect(await plain('invoke', 'addFor', 'l', { args: [1, 0] })).to.equal(1)
      expect(await plain('exists', 'l')).to.equal(false)
      expect(await plain('invoke', 'add', 'new', { args: [1], default: [5] })).to.equal(2)
      expect(await plain('get', 'new')).to.deep.equal([5, 1])
      await timed('invoke', 'add', 'new', { args: [1] })
      expect(await timed('ttl', 'new')).to.equal(MINUTE)
      await eager('put', 'old', [1, 2, 3], { expire: 100 })
      await setting.advance(200)
      expect(await eager('invoke', 'length', 'old')).to.equal(3)
      expect(await eager('invoke', 'add', 'old', { args: [1] })).to.equal(1)
    },
  },
  {
    promise: 'invoke: ERR_INVALID_COMMAND for a command that there is not, and for one that returns something else; nothing is stored',
    async hold({ plain }) {
      await plain('put', 'k', [1])
      for (const name of ['nothing', '', 'constructor', '__proto__', 'lists.length']) expect(await rejected(plain('invoke', name, 'k'), 'ERR_INVALID_COMMAND')).to.include({ command: name, outcome: 'none' })
      for (const kind of noPairs) expect(await rejected(plain('invoke', 'wrongPair', 'k', { args: [kind] }), 'ERR_INVALID_COMMAND'), kind).to.include({ command: 'wrongPair', function: 'wrong.pair', outcome: 'none' })
      await rejected(plain('invoke', 'committed', 'k'), 'ERR_INVALID_COMMAND')
      for (const name of ['undefinedValue', 'closure', 'closureResult']) await rejected(plain('invoke', name, 'k'), 'ERR_UNSUPPORTED_VALUE')
      expectTypeError(await rejected(plain('invoke', 'badExpiry', 'k')))
      expect((await rejected(plain('invoke', 'fail', 'k', { args: ['error'] }), 'ERR_FUNCTION_FAILED')).cause).to.be.instanceOf(RangeError)
      await rejected(plain('invoke', 'later', 'k'), 'ERR_ASYNC_FUNCTION')
      await rejected(plain('invoke', 'unknown', 'k'), 'ERR_UNKNOWN_FUNCTION')
      await rejected(plain('invoke', 'length', undefined), 'ERR_INVALID_KEY')
      for (const [name, options] of [[undefined], [5], [null], ['length', { args: 5 }], ['length', { functionTimeout: 0 }], ['length', { arg: [] }]]) expectTypeError(await rejected(plain('invoke', name, 'k', options)))
      expect(await plain('get', 'k')).to.deep.equal([1])
    },
  },
  {
    promise: 'execute: a function of the pool gets the cache and its arguments, and its result comes back',
    async hold({ plain }) {
      await plain('put', 'a', 1)
      await plain('put', 'b', 2)
      expect(await plain('execute', 'errands.sum', { args: ['a', 'b'] })).to.equal(3)
      expect(await plain('execute', 'errands.move', { args: ['a', 'c'], key: 'a' })).to.equal(true)
      expect(await plain('getMany', ['a', 'b', 'c'])).to.deep.equal([undefined, 2, 1])
      expect(await plain('execute', 'errands.move', { args: ['a', 'c'] })).to.equal(false)
      await rejected(plain('execute', 'errands.nothing'), 'ERR_UNKNOWN_FUNCTION')
    },
  },
  {
    promise: 'options: timeout and signal of every action; a misspelled or wrong one is refused, and nothing happens',
    async hold({ plain }) {
      await plain('put', 'k', 1, { timeout: '2s', local: true, notify: false })
      for (const [name, args] of [['get', []], ['put', [2]], ['del', []], ['incr', [1]], ['expire', [1]], ['ttl', []], ['exists', []], ['take', []], ['getMany', []], ['delMany', []], ['update', [5]], ['touch', []], ['refresh', []], ['persist', []]] as const) {
        for (const options of [{ timeuot: 5 }, { timeout: 'soon' }, { timeout: -1 }, { timeout: NaN }, { timeout: null }, null, 5, 'x', true]) {
          expectTypeError(await rejected(onKey(plain, name, 'k', [...args, options])))
        }
      }
      for (const name of ['clear', 'purge', 'size', 'keys', 'isEmpty', 'stats']) {
        for (const options of [{ timeuot: 5 }, { timeout: 'soon' }, null, 5]) expectTypeError(await rejected(plain(name, options)))
      }
      expect(await plain('get', 'k')).to.equal(1)
    },
  },
  {
    promise: 'several keys at once are arrays of keys, and a wrong one changes nothing',
    async hold({ plain }) {
      await plain('put', 'k', 1)
      for (const wrong of [undefined, null, 'k', 5, {}]) {
        expectTypeError(await rejected(plain('getMany', wrong)))
        expectTypeError(await rejected(plain('delMany', wrong)))
      }
      await rejected(plain('delMany', ['k', undefined]), 'ERR_INVALID_KEY')
      await rejected(plain('getMany', ['k', undefined]), 'ERR_INVALID_KEY')
      expect(await plain('exists', 'k')).to.equal(true)
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
