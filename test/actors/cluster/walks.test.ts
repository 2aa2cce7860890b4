import { expect } from 'chai'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cache, Key } from 'scatterhoard'
import { rejected } from '../expectations.js'
import { beside } from './cluster-functions.js'
import { keysOf, startTogether, type Together } from './nodes.js'

const COUNT = 2500

for (const ordered of [false, true]) {
  describe(`walks over three nodes, ${ordered ? 'in the order of keys' : 'in no order'}`, () => {
    let together: Together
    let a: Cache<unknown>
    let c: Cache<unknown>
    let folder: string

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'walks-'))
      together = await startTogether(['a', 'b', 'c'])
      ;[a, , c] = await together.start('walked', { functions: [beside], ordered }) as [Cache<unknown>, Cache<unknown>, Cache<unknown>]
      await Promise.all(Array.from({ length: COUNT }, (_, number) => a.put(number, number, number % 10 === 0 ? { expire: '1h' } : undefined)))
    })
    after(async () => {
      await together.stop()
      await rm(folder, { recursive: true })
    })

    const all = Array.from({ length: COUNT }, (_, number) => number)
    const sorted = (keys: readonly unknown[]): unknown[] => ordered ? [...keys] : [...keys].sort((x, y) => Number(x) - Number(y))

    it('meet every entry once, a batch at a time', async () => {
      const met: unknown[] = []
      for await (const { key, value, expires } of c.stream({ batch: 100 })) {
        expect(value).to.equal(key)
        expect(expires === null).to.equal(Number(key) % 10 !== 0)
        met.push(key)
      }
      expect(sorted(met)).to.deep.equal(all)
      expect(sorted(await a.keys())).to.deep.equal(all)
      expect(sorted((await a.export()).map(({ key }) => key))).to.deep.equal(all)
    })

    it('choose by queries and by functions, and take parts of entries', async () => {
      const low: unknown[] = []
      for await (const value of a.stream({ where: { value: { $lt: 100 } }, select: 'value' })) low.push(value)
      expect(sorted(low)).to.deep.equal(all.slice(0, 100))
      const even: unknown[] = []
      for await (const [key] of a.stream({ where: 'beside.isEven', select: ['key'] })) even.push(key)
      expect(sorted(even)).to.deep.equal(all.filter((number) => number % 2 === 0))
      await rejected(a.stream({ where: 'nobody.knows' }).next(), 'ERR_UNKNOWN_FUNCTION')
    })

    it('end early and leave nothing behind, and stay on this node if they are to', async () => {
      const begun = a.stream({ select: 'key' })
      await begun.next()
      await begun.return()
      expect((await begun.next()).done).to.equal(true)
      let own = 0
      for await (const key of a.stream({ select: 'key', local: true })) {
        expect(a.nodeOf(key)).to.equal('a')
        own++
      }
      expect(own).to.equal(await a.size({ local: true })).and.to.be.below(COUNT / 2)
      expect((await a.keys({ local: true })).length).to.equal(own)
    })

    it('are dumped and loaded, exported and imported, each entry at its owner', async () => {
      const file = join(folder, 'all.dump')
      const totals: number[] = []
      const { entries } = await a.dump(file, { onProgress: ({ total }) => totals.push(total) })
      expect([entries, totals.at(-1)]).to.deep.equal([COUNT, COUNT])
      const exported = await a.export()
      await a.clear()
      expect(await c.load(file)).to.deep.equal({ entries: COUNT, lost: 0 })
      expect(await c.ttl(10)).to.be.within(3_000_000, 3_600_000)
      await c.clear()
      expect(await c.import(exported)).to.equal(COUNT)
      for (const key of [1, 2, 3, 4, 5, 6] satisfies Key[]) expect(together.nodes[together.names.indexOf(a.nodeOf(key))]!.getCache('walked').getSync(key)).to.equal(key)
      const own = await a.dump(file, { local: true })
      expect(own.entries).to.equal(await a.size({ local: true }))
      await a.clear()
      await rejected(c.load(file, { local: true }), 'ERR_REMOTE_KEY')
      expect(await c.size()).to.equal(0)
      expect(await c.import(exported)).to.equal(COUNT)
    })

    it('refuse what is wrong before anything is stored, on whatever node it would be', async () => {
      const theirs = keysOf(a, 'b')[0]!
      expect(await rejected(a.import([{ key: 'new', value: 1 }, { key: theirs, value: () => 1 }]), 'ERR_UNSUPPORTED_VALUE')).to.include({ index: 1 })
      expect(await a.exists('new')).to.equal(false)
    })

    it('give what the others have when a node is gone, and say which one it was', async () => {
      await together.nodes[1]!.stop()
      for (const act of [a.keys(), a.export()]) {
        const partial = await rejected(act, 'ERR_PARTIAL')
        expect(partial['errors']).to.have.nested.property('b.code', 'ERR_NODE_DOWN')
        expect((partial['result'] as unknown[]).length).to.equal(await a.size({ local: true }) + await c.size({ local: true }))
      }
      const met: unknown[] = []
      await rejected((async () => {
        for await (const key of a.stream({ select: 'key' })) met.push(key)
      })(), 'ERR_PARTIAL')
      expect(met.length).to.equal(await a.size({ local: true }) + await c.size({ local: true }))
      await rejected(a.dump(join(folder, 'partial.dump')), 'ERR_PARTIAL')
      expect((await rejected(a.size(), 'ERR_PARTIAL'))['result']).to.equal(met.length)
    })
  })
}
