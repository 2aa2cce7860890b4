/** The laws of actions that go over all entries. */
import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import type { Entry } from 'scatterhoard'
import { expectTypeError, rejected } from '../actors/expectations.js'
import type { Call, Law } from './law.js'

async function exported(call: Call): Promise<Entry[]> {
  return (await call('export') as Entry[]).sort((a, b) => JSON.stringify(a.key) < JSON.stringify(b.key) ? -1 : 1)
}

export const WALK_LAWS: Law[] = [
  {
    promise: 'export: every entry that has not expired, with its times',
    async hold(setting) {
      const { plain } = setting
      expect(await plain('export')).to.deep.equal([])
      const now = Math.floor(setting.now())
      await plain('put', 'a', { deep: [1, new Date(5)] })
      await plain('put', 'b', null, { expire: 5000 })
      await plain('put', 'c', 'gone', { expire: 100 })
      await setting.advance(100)
      await plain('touch', 'b')
      expect(await exported(plain)).to.deep.equal([
        { key: 'a', value: { deep: [1, new Date(5)] }, modified: now, expires: null },
        { key: 'b', value: null, modified: Math.floor(setting.now()), expires: now + 5000 },
      ])
      await plain('import', Array.from({ length: 3000 }, (_, n) => ({ key: n, value: n })))
      expect(await plain('export')).to.have.lengthOf(3002)
    },
  },
  {
    promise: 'export with lazy: false: also what has expired and is not swept',
    async hold(setting) {
      const { eager } = setting
      await eager('put', 'a', 1, { expire: 100 })
      await setting.advance(100)
      expect((await exported(eager)).map(({ key }) => key)).to.deep.equal(['a'])
    },
  },
  {
    promise: 'import: what was exported, with its times; the expired are left out, and deadlines stay where they were',
    async hold(setting) {
      const { plain, timed } = setting
      for (let n = 0; n < 60; n++) await plain('put', n, { n, text: 'x'.repeat(n * 10) }, n % 2 === 0 ? { expire: 10_000 + n } : {})
      await plain('put', ['a', 1], 'array')
      await plain('put', 'short', 1, { expire: 1000 })
      const entries = await exported(plain)
      await plain('clear')
      await setting.advance(2000)
      expect(await timed('import', entries)).to.equal(61)
      expect(await exported(timed)).to.deep.equal(entries.filter(({ key }) => key !== 'short'))
      expect(await timed('exists', 'short')).to.equal(false)
      expect(await timed('ttl', 10)).to.equal(8010)
      expect(await timed('ttl', 11)).to.equal(null)
      await timed('refresh', 10)
      expect(await timed('ttl', 10)).to.equal(10_010)
      await setting.advance(20_000)
      expect(await timed('import', entries)).to.equal(31)
      expect(await timed('import', [])).to.equal(0)
    },
  },
  {
    promise: 'import: over what is there; the later of two entries of one key stays; without times it is new and never expires',
    async hold(setting) {
      const { timed } = setting
      await timed('put', 'a', 'old')
      expect(await timed('import', [{ key: 'a', value: 'first' }, { key: 'b', value: 1, expires: null }, { key: 'a', value: 'last', modified: 5.9, expires: undefined }, { key: 'c', value: 2, expires: Infinity }])).to.equal(4)
      expect(await exported(timed)).to.deep.equal([
        { key: 'a', value: 'last', modified: 5, expires: null }, { key: 'b', value: 1, modified: Math.floor(setting.now()), expires: null }, { key: 'c', value: 2, modified: Math.floor(setting.now()), expires: null },
      ])
      expect(await timed('import', [{ key: 'a', value: 'x', expires: 0 }, { key: 'b', value: 'x', expires: -5 }, { key: 'c', value: 'x', expires: Math.floor(setting.now()) }])).to.equal(0)
      expect(await timed('get', 'a')).to.equal('last')
      expect(await timed('import', [{ key: 'd', value: 1, expires: 1e300 }])).to.equal(1)
      expect((await timed('inspect', ['entry', 'd']) as Entry).expires).to.equal(8.64e15)
    },
  },
  {
    promise: 'import: what is wrong with any entry is refused before one is stored',
    async hold({ plain }) {
      const good = Array.from({ length: 2000 }, (_, n) => ({ key: n, value: n }))
      for (const wrong of [null, 5, 'x', undefined, { key: 1, value: 1, modified: 'now' }, { key: 1, value: 1, modified: NaN }, { key: 1, value: 1, modified: -1 }, { key: 1, value: 1, modified: null }, { key: 1, value: 1, expires: 'never' }, { key: 1, value: 1, expires: NaN }, { key: 1, value: 1, modified: 2 ** 50 }]) {
        const error = await rejected(plain('import', [...good, wrong, ...good]))
        expectTypeError(error)
        expect(error['index']).to.equal(2000)
      }
      for (const [entry, code] of [[{ value: 1 }, 'ERR_INVALID_KEY'], [{ key: new Map(), value: 1 }, 'ERR_INVALID_KEY'], [{ key: 1 }, 'ERR_UNSUPPORTED_VALUE'], [{ key: 1, value: randomBytes(8 << 20) }, 'ERR_TOO_LARGE'], [{ key: 'k'.repeat(20_000), value: 1 }, 'ERR_TOO_LARGE']] as const) {
        const error = await rejected(plain('import', [...good, entry]), code)
        expect(error).to.include({ index: 2000, outcome: 'none' })
      }
      for (const wrong of [undefined, null, 5, {}, 'k']) expectTypeError(await rejected(plain('import', wrong)))
      for (const options of [{ timeuot: 5 }, { timeout: 'soon' }, null, 5]) {
        expectTypeError(await rejected(plain('import', [], options)))
        expectTypeError(await rejected(plain('export', options)))
      }
      expect(await plain('size')).to.equal(0)
    },
  },
  {
    promise: 'import: more than a mailbox holds, and values larger than it',
    async hold({ plain }) {
      const entries = Array.from({ length: 60 }, (_, n) => ({ key: n, value: String(n).padEnd(n % 20 === 0 ? 1_000_000 : 40_000, '.'), modified: n, expires: null }))
      expect(await plain('import', entries)).to.equal(60)
      expect((await exported(plain)).sort((a, b) => (a.key as number) - (b.key as number))).to.deep.equal(entries)
    },
  },
]
