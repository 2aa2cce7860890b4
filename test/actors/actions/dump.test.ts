import { expect } from 'chai'
import { execFileSync } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { startNode, type Cache, type CacheNode, type CacheOptions, type Entry, type Progress } from 'scatterhoard'
import { encodeKey } from '../../../runtime/codec/key.js'
import { Scratch } from '../../../runtime/codec/scratch.js'
import { encodeValue } from '../../../runtime/codec/value.js'
import { DumpWriter } from '../../../runtime/dump/dump-writer.js'
import { appendRecord } from '../../../runtime/table/records.js'
import { expectTypeError, rejected } from '../expectations.js'

async function sorted(cache: Cache<unknown>): Promise<Entry[]> {
  return (await cache.export()).sort((a, b) => JSON.stringify(a.key) < JSON.stringify(b.key) ? -1 : 1)
}

describe('dump and load', () => {
  let node: CacheNode
  let folder: string
  let caches = 0
  let cache: Cache<unknown>
  let copy: Cache<unknown>
  const start = (options: CacheOptions = {}): Promise<Cache<unknown>> =>
    node.startCache(`dump-${++caches}`, { shards: 2, memory: '32mb', expiration: { interval: null }, ...options })
  const at = (name: string): string => join(folder, name)

  before(async () => {
    node = await startNode({ name: 'dumps', shardThreads: 1 })
    node.clock.hold()
    cache = await start()
    copy = await start({ shards: 3 })
    folder = await mkdtemp(join(tmpdir(), 'scatterhoard-'))
  })
  after(async () => {
    await node.stop()
    await rm(folder, { recursive: true })
  })
  beforeEach(async () => {
    await cache.clear()
    await copy.clear()
  })

  const fill = async (entries: number, bytes = 50): Promise<void> => {
    await cache.import(Array.from({ length: entries }, (_, n) => ({ key: `key ${n}`, value: String(n).padEnd(bytes, `${n * 7919} `), expires: n % 2 === 0 ? null : node.clock.now() + 60_000 })))
  }

  it('give back every entry with its times, the time to live last set too', async () => {
    const values = [null, 'text', 1n, [1, { deep: new Map([[{}, new Set([1])]]) }], new Date(7), Buffer.from('x'), new Error('kept'), 'x'.repeat(900_000)]
    for (const [index, key] of [null, 5, 'k', ['a', 1], { a: 1 }, new Date(3), new Uint8Array([1]), 'large'].entries()) await cache.put(key, values[index], index % 2 === 0 ? { expire: 5000 } : {})
    await cache.put('gone', 1, { expire: 10 })
    node.clock.advance(100)
    await cache.touch(5)
    const dumped = await cache.dump(at('all'))
    expect(dumped).to.deep.equal({ entries: 8, bytes: (await stat(at('all'))).size })
    node.clock.advance(1000)
    expect(await copy.load(at('all'))).to.deep.equal({ entries: 8, lost: 0 })
    expect(await sorted(copy)).to.deep.equal(await sorted(cache))
    await copy.refresh(null)
    expect(await copy.ttl(null)).to.equal(5000)
    node.clock.advance(60_000)
    await copy.clear()
    expect(await copy.load(pathToFileURL(at('all')))).to.deep.equal({ entries: 4, lost: 0 })
  })

  it('of many blocks, of an empty cache, over what is there', async () => {
    await fill(30_000, 100)
    expect((await cache.dump(at('many'))).entries).to.equal(30_000)
    await copy.put('key 5', 'other')
    await copy.put('beside', 1)
    expect(await copy.load(at('many'))).to.deep.equal({ entries: 30_000, lost: 0 })
    expect(await copy.get('key 5')).to.equal(await cache.get('key 5'))
    expect(await copy.size()).to.equal(30_001)
    await cache.clear()
    expect((await cache.dump(at('many'))).entries).to.equal(0)
    expect(await copy.load(at('many'))).to.deep.equal({ entries: 0, lost: 0 })
  })

  it('are messages too, with and without a reply', async () => {
    await fill(10)
    expect(await cache.ask(['dump', at('asked')])).to.include({ entries: 10 })
    expect(await copy.ask(['load', at('asked'), { partial: true }])).to.deep.equal({ entries: 10, lost: 0 })
    await copy.clear()
    expect(cache.tell(['dump', at('told')])).to.equal(true)
    while (!(await readdir(folder)).includes('told')) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(copy.tell(['load', at('told')])).to.equal(true)
    while (await copy.size() < 10) await new Promise((resolve) => setImmediate(resolve))
  })

  it('say how far they are', async () => {
    await fill(20_000, 100)
    const dumping: Progress[] = []
    const loading: Progress[] = []
    const { bytes } = await cache.dump(at('progress'), { onProgress: (progress) => dumping.push(progress) })
    await copy.load(at('progress'), { onProgress: (progress) => loading.push(progress) })
    for (const steps of [dumping, loading]) {
      expect(steps.length).to.be.greaterThan(2)
      expect(steps.at(-1)).to.deep.equal({ entries: 20_000, bytes, total: 20_000 })
      for (const [index, { entries }] of steps.entries()) if (index > 0) expect(entries).to.be.at.least(steps[index - 1]!.entries)
    }
    const failing = (): never => { throw new RangeError('no more') }
    expect((await rejected(cache.dump(at('not'), { onProgress: failing }), 'ERR_FUNCTION_FAILED')).cause).to.be.instanceOf(RangeError)
    await rejected(copy.load(at('progress'), { onProgress: failing }), 'ERR_FUNCTION_FAILED')
    expect(await readdir(folder)).to.not.include('not')
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).to.deep.equal([])
  })

  it('refuse arguments of the wrong kind, and touch nothing', async () => {
    for (const path of [undefined, null, 5, '', 'a\0b', {}, new URL('http://x/y')]) {
      expectTypeError(await rejected(cache.dump(path as never)))
      expectTypeError(await rejected(cache.load(path as never)))
    }
    for (const options of [null, 5, { onProgres: 1 }, { onProgress: 5 }, { timeout: 'x' }]) {
      expectTypeError(await rejected(cache.dump(at('none'), options as never)))
      expectTypeError(await rejected(cache.load(at('none'), options as never)))
    }
    expectTypeError(await rejected(cache.dump(at('none'), { partial: true } as never)))
    expectTypeError(await rejected(cache.load(at('none'), { partial: 1 } as never)))
    expect(await readdir(folder)).to.not.include('none')
  })

  it('refuse what cannot be read or written, with the cause of the system, and leave the file that was there', async () => {
    await fill(10)
    await cache.dump(at('good'))
    const before = await readFile(at('good'))
    await mkdir(at('folder'), { recursive: true })
    for (const [path, act] of [[at('folder'), 'dump'], [at('missing/x'), 'dump'], [at('good/x'), 'dump'], [at('folder'), 'load'], [at('missing'), 'load'], ['/dev/zero', 'load'], ['/dev/null', 'dump']] as const) {
      const error = await rejected(cache[act](path), 'ERR_BAD_DUMP')
      expect(error).to.include({ path, outcome: 'none' })
    }
    expect((await rejected(cache.load(at('missing')), 'ERR_BAD_DUMP')).cause).to.include({ code: 'ENOENT' })
    execFileSync('mkfifo', [at('pipe')])
    await rejected(cache.load(at('pipe')), 'ERR_BAD_DUMP')
    await rejected(cache.dump(at('pipe')), 'ERR_BAD_DUMP')
    expect(await readFile(at('good'))).to.deep.equal(before)
    if (process.getuid?.() !== 0) {
      await chmod(at('folder'), 0o500)
      await rejected(cache.dump(at('folder/x')), 'ERR_BAD_DUMP')
      await chmod(at('good'), 0)
      await rejected(cache.load(at('good')), 'ERR_BAD_DUMP')
      await chmod(at('good'), 0o600)
    }
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).to.deep.equal([])
  })

  it('dump replaces a symbolic link and leaves what it leads to; load follows one', async () => {
    await fill(10)
    await writeFile(at('target'), 'precious')
    await symlink(at('target'), at('link'))
    await cache.dump(at('link'))
    expect(await readFile(at('target'), 'utf8')).to.equal('precious')
    await symlink(at('link'), at('to-dump'))
    expect(await copy.load(at('to-dump'))).to.include({ entries: 10 })
    expect(await readlink(at('to-dump'))).to.equal(at('link'))
  })

  it('end with the reason of a signal, and with ERR_TIMEOUT, and leave nothing behind', async () => {
    await fill(60_000, 100)
    await cache.dump(at('whole'))
    const before = await readFile(at('whole'))
    for (const act of ['dump', 'load'] as const) {
      const controller = new AbortController()
      const ending = rejected(cache[act](at('whole'), { signal: controller.signal, onProgress: () => controller.abort('enough') }))
      expect(await ending).to.equal('enough')
      await rejected(cache[act](at('whole'), { timeout: 1 }), 'ERR_TIMEOUT')
    }
    expect(await readFile(at('whole'))).to.deep.equal(before)
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).to.deep.equal([])
  })

  describe('of a damaged file', () => {
    const BLOCKS = 4
    let whole: Buffer
    let entries: Entry[]

    /** A small dump with several blocks. */
    before(async () => {
      await cache.clear()
      await fill(40)
      entries = await sorted(cache)
      const writer = await DumpWriter.create(at('small'))
      const scratch = new Scratch()
      for (let index = 0; index < BLOCKS; index++) {
        const block = await writer.block()
        for (const { key, value, modified, expires } of entries.slice(index * 10, index * 10 + 10)) {
          scratch.reset()
          encode(scratch, key, value, (keyEnd) => appendRecord(block, scratch.bytes, 0, keyEnd, scratch.bytes, keyEnd, scratch.end, modified, expires ?? 0, 0))
        }
        writer.add(block, 10)
      }
      await writer.finish(Date.now())
      whole = await readFile(at('small'))
    })

    /** Loads bytes in both ways, and checks that whatever is loaded is what was dumped. */
    const tryLoad = async (bytes: Buffer): Promise<{ code: string | undefined; entries: number; lost: number | null | undefined }> => {
      await writeFile(at('bad'), bytes)
      await copy.clear()
      let code: string | undefined
      try {
        await copy.load(at('bad'))
      } catch (error) {
        code = (error as { code?: string }).code
        expect(await copy.size()).to.equal(0)
      }
      await copy.clear()
      try {
        const loaded = await copy.load(at('bad'), { partial: true })
        const found = await sorted(copy)
        expect(found).to.have.lengthOf(loaded.entries)
        for (const entry of found) expect(entries).to.deep.include(entry)
        return { code, ...loaded }
      } catch (error) {
        expect((error as { code?: string }).code).to.equal('ERR_BAD_DUMP')
        expect(await copy.size()).to.equal(0)
        return { code, entries: 0, lost: undefined }
      }
    }

    it('cut at every offset: refused whole, or loaded up to the cut', async function () {
      this.timeout(120_000)
      let last = 0
      for (let length = 0; length < whole.length; length++) {
        const { code, entries: loaded, lost } = await tryLoad(whole.subarray(0, length))
        expect(code, `cut at ${length}`).to.equal('ERR_BAD_DUMP')
        expect(loaded % 10).to.equal(0)
        expect(loaded).to.be.at.least(last)
        expect(lost).to.equal(length < 48 ? null : 40 - loaded)
        last = loaded
      }
      expect(last).to.equal(40)
      expect(await tryLoad(whole)).to.deep.equal({ code: undefined, entries: 40, lost: 0 })
      expect(await tryLoad(Buffer.concat([whole, Buffer.from([0])]))).to.deep.equal({ code: 'ERR_BAD_DUMP', entries: 40, lost: 0 })
    })

    it('with any bit flipped: refused whole, and nothing wrong is loaded', async function () {
      this.timeout(120_000)
      for (let byte = 0; byte < whole.length; byte++) {
        const bytes = Buffer.from(whole)
        bytes[byte]! ^= 1 << (byte % 8)
        expect((await tryLoad(bytes)).code, `bit ${byte % 8} of byte ${byte}`).to.equal('ERR_BAD_DUMP')
      }
    })

    it('that is none: refused in both ways', async () => {
      for (const bytes of [Buffer.from('{"a": 1}'), Buffer.alloc(5000), Buffer.from('Scatterhoard'), whole.subarray(1), Buffer.from([...whole.subarray(0, 8), 2, 0, ...whole.subarray(10)])]) {
        expect(await tryLoad(bytes)).to.deep.equal({ code: 'ERR_BAD_DUMP', entries: 0, lost: undefined })
      }
      expect(await tryLoad(Buffer.alloc(0))).to.deep.equal({ code: 'ERR_BAD_DUMP', entries: 0, lost: null })
    })
  })

  it('an entry that does not fit the tables is refused before anything is stored', async () => {
    await fill(1000)
    await cache.put('large', 'x'.repeat(300_000))
    await cache.dump(at('large'))
    await using small = await start({ shards: 1, memory: '512kb' })
    await rejected(small.load(at('large')), 'ERR_TOO_LARGE')
    await rejected(small.load(at('large'), { partial: true }), 'ERR_TOO_LARGE')
    expect(await small.size()).to.equal(0)
  })

  it('a file that is cut while it is loaded is an error, and nothing wrong is stored', async () => {
    await fill(60_000, 100)
    await cache.dump(at('shrinking'))
    await copyFile(at('shrinking'), at('shrinks'))
    const error = await rejected(copy.load(at('shrinks'), { onProgress: () => void truncate(at('shrinks'), 1000) }))
    expect(error).to.include({ code: 'ERR_BAD_DUMP', outcome: 'unknown' })
  })
})

function encode(scratch: Scratch, key: unknown, value: unknown, then: (keyEnd: number) => void): void {
  encodeKey(key, scratch)
  const keyEnd = scratch.end
  encodeValue(value, scratch)
  then(keyEnd)
}
