/** What actions promise that run functions. */
import { expect } from 'chai'
import { expectTypeError, rejected } from '../actors/expectations.js'
import { noPairs } from '../actors/functions.js'
import { MINUTE, changes, type Law } from './law.js'

export const FUNCTIONS_LAWS: Law[] = [
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
    promise: 'transaction: what the function returns; it sees its own writes, and they are there afterwards',
    async hold({ plain, timed, together }) {
      const [a, b, c] = ['a', 'b', 'c'].map((name) => together(name))
      await plain('put', a, 1)
      const run = (keys: unknown, ...steps: unknown[]): Promise<unknown> => plain('transaction', keys, 'inside.steps', { args: steps })
      expect(await run([a, b], ['get', a], ['put', a, 2], ['get', a], ['get', b], ['get', b, { default: 7 }], ['incr', b, 5], ['getMany', [b, a, b]])).to.deep.equal([1, true, 2, undefined, 7, 5, [5, 2, 5]])
      expect(await plain('getMany', [a, b])).to.deep.equal([2, 5])
      expect(await run([a, b], ['del', a], ['exists', a], ['update', a, 1], ['put', a, 3, { if: 'absent' }], ['put', b, 0, { if: 'absent' }], ['take', a], ['get', a], ['take', a])).to.deep.equal([true, false, false, true, false, 3, undefined, undefined])
      expect(await plain('getMany', [a, b])).to.deep.equal([undefined, 5])
      expect(await run([a, b, c], ['putMany', [[a, 1], [c, 2], [a, 3]]], ['delMany', [b, b, c]], ['getMany', [a, b, c]], ['decr', c, 2n], ['getAndUpdate', a, 'sums.add', { args: [1] }], ['ttl', a])).to.deep.equal([undefined, 2, [3, undefined, undefined], -2n, 4, null])
      expect(await plain('getMany', [a, b, c])).to.deep.equal([4, undefined, -2n])
      expect(await run(['l'], ['invoke', 'add', 'l', { args: [1, 2] }], ['invoke', 'length', 'l'], ['expire', 'l', '5m'], ['ttl', 'l'], ['persist', 'l'], ['ttl', 'l'], ['refresh', 'l'], ['touch', 'l'], ['expire', 'l', 0], ['exists', 'l'])).to.deep.equal([2, 2, true, 300_000, true, null, true, true, true, false])
      expect(await plain('exists', 'l')).to.equal(false)
      expect(await timed('transaction', ['t'], 'inside.steps', { args: [['incr', 't'], ['ttl', 't']] })).to.deep.equal([1, 60_000])
      for (const value of [null, 0, '', [1], { a: undefined }]) expect(await plain('transaction', [a], 'inside.echo', { args: [value] })).to.deep.equal([value])
      expect(await plain('transaction', [a], 'inside.nothing')).to.equal(undefined)
      expect(await plain('transaction', [], 'inside.echo', { args: [] })).to.deep.equal([])
      expect(await plain('transaction', [a, a, b], 'inside.steps', { args: [['transaction', [a], 'inside.steps', { args: [['incr', a]] }], ['get', a]] })).to.deep.equal([[5], 5])
    },
  },
  {
    promise: 'transaction: other keys and actions on the whole cache are refused, and what fails leaves nothing',
    async hold({ plain, together }) {
      const [a, b, x] = ['a', 'b', 'x'].map((name) => together(name))
      await plain('put', a, 1)
      const codes = (...steps: unknown[]): Promise<unknown> => plain('transaction', [a], 'inside.codes', { args: steps })
      const elsewhere = [['get', x], ['put', x, 1], ['getMany', [a, x]], ['putMany', [[a, 5], [x, 1]]], ['delMany', [a, x]], ['incr', x], ['ttl', x], ['getAndUpdate', x, 'sums.double'], ['transaction', [x], 'inside.nothing'], ['transaction', [a, x], 'inside.nothing']]
      expect(await codes(...elsewhere)).to.deep.equal(elsewhere.map(() => 'ERR_KEY_NOT_LOCKED'))
      const whole = [['size'], ['isEmpty'], ['keys'], ['clear'], ['purge'], ['inspect', 'cache'], ['stats'], ['stream']]
      expect(await codes(...whole)).to.deep.equal(whole.map(() => 'ERR_NOT_IN_TRANSACTION'))
      expect(await codes(['get', undefined], ['put', a, undefined], ['incr', a, 1n], ['put', a, 1, { expires: 5 }])).to.deep.equal(['ERR_INVALID_KEY', 'ERR_UNSUPPORTED_VALUE', 'ERR_NON_NUMERIC_VALUE', 'ERR_INVALID_ARGUMENT'])
      expect(await plain('get', a)).to.equal(1)
      for (const [step, code] of [[['get', x], 'ERR_KEY_NOT_LOCKED'], [['clear'], 'ERR_NOT_IN_TRANSACTION'], [['throw', 'error'], 'ERR_FUNCTION_FAILED'], [['incr', b, 1n], 'ERR_FUNCTION_FAILED'], [['exit', 0], 'ERR_FUNCTION_FAILED']] as const) {
        const error = await rejected(plain('transaction', [a, b], 'inside.steps', { args: [['put', a, 2], ['put', b, 2], ['del', a], step] }), code)
        expect(error, code).to.include({ outcome: 'none' })
        expect(await plain('getMany', [a, b])).to.deep.equal([1, undefined])
      }
      for (const [keys, name, options] of [['a', 'inside.nothing'], [undefined, 'inside.nothing'], [null, 'inside.nothing'], [{}, 'inside.nothing'], [[a], undefined], [[a], 5], [[a], ''], [[a], 'inside.nothing', { args: 5 }], [[a], 'inside.nothing', { arg: [] }], [[a], 'inside.nothing', { functionTimeout: 0 }], [[a], 'inside.nothing', null]]) {
        expectTypeError(await rejected(plain('transaction', keys, name, options)))
      }
      for (const name of ['nobody', 'inside.nobody', 'constructor', '__proto__', 'inside.constructor']) await rejected(plain('transaction', [a], name), 'ERR_UNKNOWN_FUNCTION')
      await rejected(plain('transaction', [a, undefined], 'inside.nothing'), 'ERR_INVALID_KEY')
      expect(await plain('incr', a)).to.equal(2)
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
]
