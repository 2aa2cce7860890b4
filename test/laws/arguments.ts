/** What every action promises of its arguments and options. */
import { expect } from 'chai'
import { inspect } from 'node:util'
import { expectTypeError, rejected } from '../actors/expectations.js'
import { onKey, type Law } from './law.js'

export const ARGUMENTS_LAWS: Law[] = [
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
    promise: 'options of every action are of their kind, and nothing happens where one is not',
    async hold({ plain }) {
      await plain('put', 'k', [1])
      const before = await plain('inspect', ['entry', 'k'])
      const all: [string, ...unknown[]][] = [
        ['get', 'k'], ['getMany', ['k']], ['put', 'k', 2], ['putMany', [['k', 2]]], ['update', 'k', 2], ['take', 'k'], ['del', 'k'], ['delMany', ['k']], ['exists', 'k'], ['size'], ['isEmpty'], ['keys'], ['incr', 'k', 1], ['decr', 'k', 1],
        ['expire', 'k', 1], ['expireAt', 'k', 1], ['persist', 'k'], ['ttl', 'k'], ['refresh', 'k'], ['touch', 'k'], ['clear'], ['purge'], ['getAndUpdate', 'k', 'sums.nothing'], ['invoke', 'pop', 'k'], ['transaction', ['k'], 'inside.nothing'], ['inspect', 'cache'], ['stats'],
      ]
      for (const [name, ...args] of all) {
        for (const options of [null, 5, 'x', true, 5n, { timeuot: 1 }, { Timeout: 1 }, { timeout: 'soon' }, { timeout: '' }, { timeout: -1 }, { timeout: NaN }, { timeout: null }, { timeout: true }, { signal: null }, { signal: {} }, { signal: 'no' }, { local: 'yes' }, { local: null }, { local: 1 }, { notify: 'no' }, { notify: null }, { notify: 0 }]) {
          const error = await rejected(plain(name, ...args, options))
          expect(error.code, inspect([name, options])).to.equal('ERR_INVALID_ARGUMENT')
          expectTypeError(error)
        }
        if (name !== 'stats') await plain(name, ...args.map((argument) => argument === 'k' ? 'other' : Array.isArray(argument) ? [] : argument), { timeout: '1m', local: true, notify: false, signal: undefined }).catch((error: unknown) => expect(error).to.include({ code: 'ERR_NON_NUMERIC_VALUE' }))
        if (name === 'clear') await plain('put', 'k', [1])
      }
      expect(await plain('get', 'k')).to.deep.equal([1])
      expect(before).to.include({ key: 'k' })
    },
  },
]
