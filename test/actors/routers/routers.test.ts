import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { jump } from '../../../actors/routers/jump.js'
import { createRouter, readRouter, type RouterSpec } from '../../../actors/routers/router-spec.js'
import { RoutingKey } from '../../../actors/routers/routing-key.js'
import type { Router } from '../../../actors/routers/router.js'
import { decodeKey, encodeKey } from '../../../runtime/codec/key.js'
import { Scratch } from '../../../runtime/codec/scratch.js'
import { rejected, thrown } from '../expectations.js'
import { BALANCED, routingKey, row } from './balance.js'

const ROOT = new URL('../../../../', import.meta.url)

interface Golden {
  nodes: Record<string, string[]>
  columns: string[]
  rows: [hex: string, hash: number, ...owners: string[]][]
}

describe('owners', () => {
  it('are frozen: the golden ones never change', () => {
    const { nodes, columns, rows } = JSON.parse(readFileSync(new URL('test/actors/routers/golden.json', ROOT), 'utf8')) as Golden
    const routers = columns.slice(2).map((column) => {
      const [name, set] = column.split(' of ') as [string, string]
      return createRouter(readRouter(name), { nodes: nodes[set]!, self: 'a' }) as Router
    })
    expect(rows.length).to.be.greaterThan(100)
    const key = new RoutingKey()
    for (const [hex, hash, ...owners] of rows) {
      const bytes = Buffer.from(hex, 'hex')
      expect(key.of(bytes, 0, bytes.length).hash >>> 0, hex).to.equal(hash)
      expect(routers.map((router) => router.owner(key)), hex).to.deep.equal(owners)
    }
  })

  it('are found where the key stands in a larger buffer, and in shared memory', () => {
    const router = createRouter({ name: 'jump' }, { nodes: ['a', 'b', 'c', 'd', 'e'], self: 'a' }) as Router
    const key = new RoutingKey()
    for (const text of ['user:1', '{ada}:x', '\ud800', '{ada}\ud800']) {
      const scratch = new Scratch()
      encodeKey(text, scratch)
      const owner = router.owner(key.of(scratch.bytes, 0, scratch.end))
      for (const memory of [Buffer.alloc(100), Buffer.from(new SharedArrayBuffer(100))]) {
        memory.fill('}{')
        scratch.bytes.copy(memory, 7, 0, scratch.end)
        expect(router.owner(key.of(memory, 7, 7 + scratch.end)), text).to.equal(owner)
      }
    }
  })
})

describe('what decides of a key', () => {
  const decides = (key: unknown): unknown => {
    const bytes = Buffer.from(routingKey(key).bytes)
    return decodeKey(bytes, 0, bytes.length)
  }

  const TABLE: [key: unknown, part: unknown][] = [
    ['ada', 'ada'], ['{ada}', 'ada'], ['{ada}:profile', 'ada'], ['profile of {ada}', 'ada'], ['{ada}{bob}', 'ada'], ['x}{ada}', 'ada'],
    ['', ''], ['{', '{'], ['}', '}'], ['{}', '{}'], ['{}{ada}', '{}{ada}'], ['{ada', '{ada'], ['}ada{', '}ada{'], ['{{ada}}', '{ada'], ['{ }', ' '], ['{漢}字', '漢'],
    ['\ud800{ada}', 'ada'], ['{\ud800}ada', '\ud800'], ['\ud800', '\ud800'], ['\ud800{}', '\ud800{}'], ['\ud800{ada', '\ud800{ada'],
    [5, 5], [null, null], [['{ada}', 1], ['{ada}', 1]], [{ a: '{ada}' }, { a: '{ada}' }],
  ]
  for (const [key, part] of TABLE) {
    it(`${JSON.stringify(key)}: ${JSON.stringify(part)}`, () => {
      expect(decides(key)).to.deep.equal(part)
      expect(routingKey(key).hash, 'its hash').to.equal(routingKey(part).hash)
    })
  }

  it('bytes that look like a tag: all of them', () => {
    expect(decides(Buffer.from('{ada}'))).to.deep.equal(new Uint8Array(Buffer.from('{ada}')))
  })
})

describe('jump', () => {
  /** The algorithm as it is printed in the paper. */
  function reference(key: bigint, buckets: number): number {
    let b = -1
    let j = 0
    while (j < buckets) {
      b = j
      key = BigInt.asUintN(64, key * 2862933555777941757n + 1n)
      j = Math.floor((b + 1) * (2 ** 31 / Number((key >> 33n) + 1n)))
    }
    return b
  }

  it('is the paper\'s algorithm', () => {
    for (const [key, buckets, bucket] of [[1n, 1, 0], [42n, 57, 43], [0xdead10ccn, 1, 0], [0xdead10ccn, 666, 361], [256n, 1024, 520]] as const) {
      expect(jump(Number(key >> 32n), Number(key & 0xffff_ffffn), buckets)).to.equal(bucket)
    }
    let key = 0x0123_4567_89ab_cdefn
    for (let index = 0; index < 5000; index++) {
      key = BigInt.asUintN(64, key * 6364136223846793005n + 1442695040888963407n)
      const buckets = 1 + index % 1500
      expect(jump(Number(key >> 32n) | 0, Number(key & 0xffff_ffffn) | 0, buckets), `${key} of ${buckets}`).to.equal(reference(key, buckets))
    }
    for (const edge of [0n, 1n, 0xffff_ffffn, 0xffff_ffff_0000_0000n, 2n ** 64n - 1n]) {
      expect(jump(Number(edge >> 32n), Number(edge & 0xffff_ffffn), 1000)).to.equal(reference(edge, 1000))
    }
  })
})

describe('ring', () => {
  const ring = (router: object): Router => createRouter(readRouter({ name: 'ring', ...router }), { nodes: ['web-1', 'web-2', 'cache-1', 'cache-22', 'old.cache'], self: 'web-1' }) as Router

  const TABLE: [options: object, nodes: string[]][] = [
    [{}, ['cache-1', 'cache-22', 'old.cache', 'web-1', 'web-2']],
    [{ includes: 'cache-*' }, ['cache-1', 'cache-22']],
    [{ includes: ['cache-?', 'web-1'] }, ['cache-1', 'web-1']],
    [{ excludes: '*cache*' }, ['web-1', 'web-2']],
    [{ includes: 'cache-*', excludes: ['cache-22'] }, ['cache-1']],
    [{ includes: /^WEB/i }, ['web-1', 'web-2']],
    [{ includes: /cache/gy, excludes: [/2/g] }, ['cache-1', 'old.cache']],
    [{ includes: 'old?cache' }, ['old.cache']], [{ includes: 'old.*' }, ['old.cache']], [{ includes: 'cache.1' }, []], [{ includes: [] }, []],
  ]
  for (const [options, nodes] of TABLE) {
    const words = JSON.stringify(options, (_, value: unknown) => value instanceof RegExp ? String(value) : value)
    it(`${words} chooses among ${nodes.join(', ') || 'none'}, also after an update`, () => {
      const router = ring(options)
      expect(router.nodes).to.deep.equal(nodes)
      router.update!(['web-3', ...router.nodes])
      expect(router.nodes.filter((name) => name !== 'web-3')).to.deep.equal(nodes)
      if (nodes.length === 0) expect(router.owner(routingKey('x'))).to.equal(undefined)
    })
  }

  it('moves only the keys of a node that goes, whichever it is', () => {
    const router = ring({})
    const keys = Array.from({ length: 2000 }, (_, index) => routingKey(`k${index}`))
    const before = keys.map((key) => router.owner(key)!)
    for (const gone of router.nodes) {
      const smaller = ring({ excludes: gone })
      for (const [index, key] of keys.entries()) {
        const owner = smaller.owner(key)
        if (before[index] === gone) expect(owner).to.not.equal(gone)
        else expect(owner).to.equal(before[index])
      }
    }
  })

  it('is as even as its points are many', () => {
    const spread = (virtualNodes: number): number => {
      const router = ring({ virtualNodes })
      const counts = new Map<string, number>()
      for (let index = 0; index < 20_000; index++) {
        const owner = router.owner(routingKey(`k${index}`))!
        counts.set(owner, (counts.get(owner) ?? 0) + 1)
      }
      return Math.max(...counts.values()) / 4000
    }
    expect(spread(4096)).to.be.lessThan(1.06)
    expect(spread(1)).to.be.greaterThan(1.2)
  })
})

describe('a router of one\'s own', () => {
  const module = new URL('./broken-router.js', import.meta.url).href
  const make = async (options: unknown, url = module): Promise<Router> => createRouter({ name: 'custom', module: url, options }, { nodes: ['b', 'a'], self: 'a' })

  it('gets the bytes of what decides, and is asked for nothing else', async () => {
    const router = await make('fine')
    expect(router.owner(routingKey('{x}yz'))).to.equal(router.owner(routingKey('x')))
    expect(router.nodes).to.deep.equal(['a', 'b'])
  })

  for (const options of ['throws', 'nothing', 'no owner']) {
    it(`that ${options === 'throws' ? 'throws' : `returns ${options}`} when it is made fails with ERR_FUNCTION_FAILED`, async () => {
      expect((await rejected(make(options), 'ERR_FUNCTION_FAILED'))['module']).to.equal(module)
    })
  }
  for (const options of ['owner throws', 'stranger', 'promise']) {
    it(`that answers wrongly (${options}) fails the call with ERR_FUNCTION_FAILED`, async () => {
      const router = await make(options)
      thrown(() => router.owner(routingKey('x')), 'ERR_FUNCTION_FAILED')
    })
  }
  it('that cannot be loaded, or is no router, fails with ERR_MODULE_LOAD', async () => {
    await rejected(make('fine', new URL('./nowhere.js', import.meta.url).href), 'ERR_MODULE_LOAD')
    await rejected(make('fine', new URL('./balance.js', import.meta.url).href), 'ERR_MODULE_LOAD')
  })
})

describe('the option router', () => {
  it('reads names, patterns and modules into plain data', () => {
    const url = new URL('./own-router.js', import.meta.url)
    const table: [unknown, RouterSpec][] = [
      ['jump', { name: 'jump' }], [{ name: 'mod' }, { name: 'mod' }], ['ring', { name: 'ring', options: {} }],
      [{ name: 'ring', includes: 'a*', excludes: [/b/], virtualNodes: 7 }, { name: 'ring', options: { includes: [{ source: '^a.*$', flags: 's' }], excludes: [{ source: 'b', flags: '' }], virtualNodes: 7 } }],
      [{ module: url }, { name: 'custom', module: url.href, options: undefined }], [{ module: url.href, options: { a: 1 } }, { name: 'custom', module: url.href, options: { a: 1 } }],
    ]
    for (const [value, spec] of table) {
      expect(readRouter(value)).to.deep.equal(spec)
      expect(structuredClone(readRouter(value))).to.deep.equal(spec)
    }
  })

  const WRONG: [option: string, value: unknown][] = [
    ['router', 'jmp'], ['router', ''], ['router', 'constructor'], ['router', 'custom'], ['router', null], ['router', 5], ['router', () => 1], ['router.name', {}], ['router', new Map()], ['router', []],
    ['router.name', { name: 'Ring' }], ['router.name', { name: '__proto__' }], ['router.includes', { name: 'jump', includes: 'a' }], ['router.virtualNodes', { name: 'mod', virtualNodes: 5 }],
    ['router.include', { name: 'ring', include: 'a' }], ['router.includes', { name: 'ring', includes: 5 }], ['router.includes', { name: 'ring', includes: '' }], ['router.includes', { name: 'ring', includes: null }],
    ['router.excludes.1', { name: 'ring', excludes: ['a', {}] }], ...[0, -1, 1.5, NaN, Infinity, 4097, '256', null].map((virtualNodes): [string, unknown] => ['router.virtualNodes', { name: 'ring', virtualNodes }]),
    ['router.module', { module: 'not a url' }], ['router.module', { module: 5 }], ['router.name', { module: 'file:///x.js', name: 'ring' }],
    ['router.__proto__', JSON.parse('{"name":"jump","__proto__":{"name":"mod"}}')], ['router', Object.create({ name: 'jump' })],
  ]
  for (const [option, value] of WRONG) {
    it(`refuses ${typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)}, naming ${option}`, () => {
      expect(thrown(() => readRouter(value), 'ERR_INVALID_OPTION')['option']).to.equal(option)
    })
  }
})

describe('the table of ROUTERS.md', () => {
  it('is what the script computes', function () {
    this.timeout(60_000)
    const text = readFileSync(new URL('ROUTERS.md', ROOT), 'utf8')
    for (const name of BALANCED) expect(text).to.include(row(name, 3))
  })
})
