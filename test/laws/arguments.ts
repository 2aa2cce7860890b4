/** What every action promises of its arguments and options. */
import { expect } from 'chai'
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
]
