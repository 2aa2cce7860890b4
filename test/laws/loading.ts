/** What actions promise that bring entries from elsewhere, or take them there: fetch, warm, reset, dump and load, stream. */
import { expect } from 'chai'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Entry } from 'scatterhoard'
import { expectTypeError, rejected } from '../actors/expectations.js'
import { MINUTE, times, type Call, type Law } from './law.js'

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'scatterhoard-laws-'))
  try {
    await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function entriesOf(call: Call): Promise<Entry[]> {
  return (await call('export') as Entry[]).sort((a, b) => JSON.stringify(a.key) < JSON.stringify(b.key) ? -1 : 1)
}

export const LOADING_LAWS: Law[] = [
  {
    promise: 'fetch: the value that is there; else what the function returns, which is stored with the cache\'s expiry, that of the call, or that of commit',
    async hold({ plain, timed }) {
      expect(await plain('fetch', 'a', 'loaders.load')).to.equal('loaded a')
      expect(await plain('get', 'a')).to.equal('loaded a')
      await plain('put', 'a', 'put')
      expect(await plain('fetch', 'a', 'loaders.load')).to.equal('put')
      expect(await plain('ttl', 'a')).to.equal(null)
      await timed('fetch', 'a', 'loaders.load')
      await timed('fetch', 'b', 'loaders.load', { expire: '2m' })
      await timed('fetch', 'c', 'loaders.load', { expire: null })
      await timed('fetch', 'd', 'loaders.committed', { args: [3 * MINUTE], expire: 1000 })
      expect(await Promise.all(['a', 'b', 'c', 'd'].map((key) => timed('ttl', key)))).to.deep.equal([MINUTE, 2 * MINUTE, null, 3 * MINUTE])
      expect(await plain('fetch', 'zero', 'loaders.load', { expire: 0 })).to.equal('loaded zero')
      expect(await plain('exists', 'zero')).to.equal(false)
    },
  },
  {
    promise: 'fetch: what is ignored, undefined, or fails is not stored, and the next one calls again',
    async hold({ plain }) {
      expect(await plain('fetch', 'i', 'loaders.ignored')).to.equal('ignored i')
      expect(await plain('fetch', 'n', 'loaders.nothing')).to.equal(undefined)
      for (let again = 0; again < 2; again++) {
        const error = await rejected(plain('fetch', 'f', 'loaders.fails'), 'ERR_FUNCTION_FAILED')
        expect(error).to.include({ outcome: 'none', function: 'loaders.fails' })
        expect(error.cause).to.be.instanceOf(RangeError).with.property('message', 'no f')
      }
      await rejected(plain('fetch', 'u', 'nobody.knows'), 'ERR_UNKNOWN_FUNCTION')
      expect(await plain('isEmpty')).to.equal(true)
      expect(await plain('fetch', 'f', 'loaders.load')).to.equal('loaded f')
    },
  },
  {
    promise: 'fetch: an expired entry is missing, unless expiry is not looked at; null is a value',
    async hold(setting) {
      const { plain, eager } = setting
      for (const call of [plain, eager]) await call('put', 'a', 'old', { expire: 100 })
      await plain('put', 'null', null)
      await setting.advance(200)
      expect(await plain('fetch', 'a', 'loaders.load')).to.equal('loaded a')
      expect(await eager('fetch', 'a', 'loaders.load')).to.equal('old')
      expect(await plain('fetch', 'null', 'loaders.load')).to.equal(null)
    },
  },
  {
    promise: 'fetch: what is wrong with its arguments is refused before anything is called',
    async hold({ plain }) {
      for (const options of [{ args: 5 }, { expire: 'soon' }, { functionTimeout: 0 }, { default: 1 }, 5, null]) expectTypeError(await rejected(plain('fetch', 'k', 'loaders.load', options)))
      for (const name of [undefined, null, 5, '']) expectTypeError(await rejected(plain('fetch', 'k', name)))
      await rejected(plain('fetch', undefined, 'loaders.load'), 'ERR_INVALID_KEY')
      expect(await plain('isEmpty')).to.equal(true)
    },
  },
  {
    promise: 'warm: the names of those that ran, and what they return is there; only those that are named',
    async hold({ plain, timed }) {
      expect(await plain('warm', { wait: true })).to.deep.equal(['numbers', 'brief'])
      expect((await entriesOf(plain)).map(({ key, value }) => [key, value])).to.deep.equal([['timed', 1], ['warm:0', 0], ['warm:1', 1], ['warm:2', 2]])
      expect(await plain('ttl', 'timed')).to.equal(2 * MINUTE)
      expect(await timed('warm', { only: ['numbers'], wait: true })).to.deep.equal(['numbers'])
      expect([await timed('exists', 'timed'), await timed('ttl', 'warm:1')]).to.deep.equal([false, MINUTE])
      for (const options of [{ only: 'numbers' }, { only: ['nobody'] }, { wait: 5 }, { every: 1 }]) expectTypeError(await rejected(plain('warm', options)))
    },
  },
  {
    promise: 'reset: nothing is left, expired entries included; hooks alone leave the entries',
    async hold(setting) {
      const { plain } = setting
      for (let n = 0; n < 50; n++) await plain('put', n, n, n % 2 === 0 ? { expire: 100 } : {})
      await setting.advance(200)
      expect(await plain('reset', { only: ['hooks'] })).to.equal(undefined)
      expect(await plain('size')).to.equal(50)
      expect(await plain('reset')).to.equal(undefined)
      expect(await plain('size')).to.equal(0)
      await plain('put', 'k', 1)
      expect(await plain('reset', { only: ['cache'] })).to.equal(undefined)
      expect(await plain('isEmpty')).to.equal(true)
      for (const options of [{ only: 'cache' }, { only: ['all'] }, { hooks: ['nobody'] }]) expectTypeError(await rejected(plain('reset', options)))
    },
  },
  {
    promise: 'dump and load: the same entries with their times, in whatever cache; what has expired meanwhile is left out; what is there stays',
    hold: (setting) => inFolder(async (folder) => {
      const { plain, timed } = setting
      const path = join(folder, 'entries.dump')
      for (let n = 0; n < 40; n++) await plain('put', n, { n, text: 'x'.repeat(n * 20) }, n % 2 === 0 ? { expire: MINUTE + n } : {})
      await plain('put', 'brief', 1, { expire: 1000 })
      await plain('put', ['a', { b: 1 }], new Date(5))
      const before = await entriesOf(plain)
      expect(await plain('dump', path)).to.include({ entries: 42 }).and.have.property('bytes').greaterThan(0)
      await setting.advance(2000)
      await timed('put', 'other', 'stays')
      await timed('put', 0, 'overwritten')
      expect(await timed('load', path)).to.deep.equal({ entries: 41, lost: 0 })
      expect((await entriesOf(timed)).filter(({ key }) => key !== 'other')).to.deep.equal(before.filter(({ key }) => key !== 'brief'))
      expect(await timed('get', 'other')).to.equal('stays')
      expect((await times(timed, 2)).expires).to.equal((await times(plain, 2)).expires)
    }),
  },
  {
    promise: 'load: what is no dump is refused whole, and nothing has changed',
    hold: ({ plain }) => inFolder(async (folder) => {
      await plain('put', 'a', 1)
      const path = join(folder, 'entries.dump')
      await writeFile(path, 'no dump at all')
      for (const wrong of [path, folder, join(folder, 'missing')]) await rejected(plain('load', wrong), 'ERR_BAD_DUMP')
      await rejected(plain('dump', join(folder, 'missing', 'x.dump')), 'ERR_BAD_DUMP')
      for (const wrong of [undefined, null, 5, {}]) {
        expectTypeError(await rejected(plain('load', wrong)))
        expectTypeError(await rejected(plain('dump', wrong)))
      }
      expect(await entriesOf(plain)).to.have.lengthOf(1)
    }),
  },
  {
    promise: 'stream: each entry that has not expired, once; those that a query or a function chooses; and of each what is selected',
    async hold(setting) {
      const { plain, stream } = setting
      await plain('import', Array.from({ length: 300 }, (_, n) => ({ key: n, value: n, expires: n < 100 ? setting.now() + (n < 50 ? 100 : MINUTE) : null })))
      await setting.advance(200)
      const numbers = async (options: object): Promise<unknown[]> => (await stream('plain', { select: 'key', ...options }) as number[]).sort((a, b) => a - b)
      const from50 = Array.from({ length: 250 }, (_, index) => index + 50)
      expect(await numbers({})).to.deep.equal(from50)
      expect(await numbers({ batch: 7 })).to.deep.equal(from50)
      expect(await numbers({ where: { value: { $gte: 290 } } })).to.deep.equal([290, 291, 292, 293, 294, 295, 296, 297, 298, 299])
      expect(await numbers({ where: { expires: { $gt: 0 }, key: { $lt: 55 } } })).to.deep.equal([50, 51, 52, 53, 54])
      expect(await numbers({ where: { expired: true, key: { $lt: 3 } } })).to.deep.equal([0, 1, 2])
      expect(await numbers({ where: 'filters.even' })).to.deep.equal(from50.filter((n) => n % 2 === 0))
      expect(await stream('plain', { where: { key: 60 }, select: ['key', 'value'] })).to.deep.equal([[60, 60]])
      expect(await stream('plain', { where: { key: 200 } })).to.deep.equal([await times(plain, 200)])
      await rejected(stream('plain', { where: 'nobody.knows' }), 'ERR_UNKNOWN_FUNCTION')
      for (const options of [{ where: { kee: 1 } }, { select: 'keys' }, { batch: 0 }, { were: {} }]) expectTypeError(await rejected(stream('plain', options)))
    },
  },
]
