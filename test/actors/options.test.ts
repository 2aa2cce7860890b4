import { expect } from 'chai'
import { cacheSupervisor, startCache, startNode, type CacheOptions } from 'scatterhoard'
import { rejected, thrown, type Failure } from './expectations.js'

const NUMBERS = [NaN, -1, 0, 1.5, Infinity, -Infinity, 2 ** 60, '4', null, {}, [], true, 5n]

/** Options and values that none of them may have. */
const WRONG: [option: string, values: unknown[], options: (value: unknown) => unknown][] = [
  ['shards', [...NUMBERS, 1025], (shards) => ({ shards })],
  ['memory', [NaN, -1, 0, 1.5, Infinity, 2 ** 60, '', '16', 'mb', '16 mbs', '16tb', '-16mb', '1e3mb', '0mb', '1kb', null, {}, true, 5n].filter((value) => value !== '16'), (memory) => ({ memory, shards: 1 })],
  ['limit', [null, 5, 'fifo', [], () => 1], (limit) => ({ limit })],
  ['limit.policy', ['FIFO', '', null, 5, 'constructor', '__proto__', {}], (policy) => ({ limit: { policy } })],
  ['limit.polcy', ['none'], (polcy) => ({ limit: { polcy } })],
  ['limit.entries', NUMBERS, (entries) => ({ limit: { entries } })],
  ['limit.reclaim', [NaN, -0.1, 1.1, Infinity, '0.1', null, {}, true, 1n], (reclaim) => ({ limit: { reclaim } })],
  ['limit.check', [null, 5, 'always', '5s', [], true], (check) => ({ limit: { check } })],
  ['limit.check.every', [undefined, null, NaN, -1, 0, Infinity, '', 'soon', '-5m', {}, true], (every) => ({ limit: { check: { every } } })],
  ['limit.check.interval', [5], (interval) => ({ limit: { check: { every: 5, interval } } })],
  ['mailbox', [null, 5, [], 'wait'], (mailbox) => ({ mailbox })],
  ['mailbox.messages', [...NUMBERS, 2 ** 24 + 1], (messages) => ({ mailbox: { messages } })],
  ['mailbox.bytes', [NaN, -1, 0, 1.5, 1023, Infinity, 2 ** 40, 'x', null, {}], (bytes) => ({ mailbox: { bytes } })],
  ['mailbox.overflow', ['block', null, 1, 'toString'], (overflow) => ({ mailbox: { overflow } })],
  ['mailbox.waiting', NUMBERS.filter((value) => value !== 0), (waiting) => ({ mailbox: { waiting } })],
  ['mailbox.size', [1], (size) => ({ mailbox: { size } })],
  ['expiration', [null, 5, [], '5m'], (expiration) => ({ expiration })],
  ['expiration.default', [NaN, -1, 0, Infinity, '', 'soon', '-5m', '0s', {}, true, 5n], (value) => ({ expiration: { default: value } })],
  ['expiration.interval', [NaN, -1, 0, Infinity, '', 'soon', '-5m', {}, true], (interval) => ({ expiration: { interval } })],
  ['expiration.lazy', [null, 0, 1, 'true', {}], (lazy) => ({ expiration: { lazy } })],
  ['expiration.ttl', [5], (ttl) => ({ expiration: { ttl } })],
  ['functions', [null, {}, 'x', 5], (functions) => ({ functions })],
  ['functions.0', [null, {}, 'not a url', 5, () => 1, [], { name: 'x' }], (module) => ({ functions: [module] })],
  ['functionTimeout', [NaN, -1, 0, Infinity, null, '', 'soon', {}, true], (functionTimeout) => ({ functionTimeout })],
  ['commands', [null, 5, 'x', [], new Map()], (commands) => ({ commands })],
  ['commands.c', [null, 5, 'x', [], () => 1], (c) => ({ commands: { c } })],
  ['commands.c.type', [undefined, null, 'append', 5, 'constructor'], (type) => ({ commands: { c: { type, execute: 'a.b' } } })],
  ['commands.c.execute', [undefined, null, '', 5, {}, { name: 'a.b' }, []], (execute) => ({ commands: { c: { type: 'read', execute } } })],
  ['commands.c.timeout', [5], (timeout) => ({ commands: { c: { type: 'read', execute: 'a.b', timeout } } })],
  ['commands.', [{ type: 'read', execute: 'a.b' }], (command) => ({ commands: { '': command } })],
  ['hooks', [null, 5, 'x', {}, () => 1], (hooks) => ({ hooks })],
  ['hooks.0', [null, 5, 'x', [], () => 1], (hook) => ({ hooks: [hook] })],
  ['hooks.0.name', [undefined, null, '', 5, {}], (name) => ({ hooks: [{ name, handle: 'a.b' }] })],
  ['hooks.1.name', ['h'], (name) => ({ hooks: [{ name: 'h', handle: 'a.b' }, { name, handle: 'a.b' }] })],
  ['hooks.0.actions', [null, 5, 'put', {}], (actions) => ({ hooks: [{ name: 'h', handle: 'a.b', actions }] })],
  ['hooks.0.actions.1', ['putt', '', null, 5, 'constructor', 'sync', 'events'], (action) => ({ hooks: [{ name: 'h', handle: 'a.b', actions: ['put', action] }] })],
  ['hooks.0.when', [null, 'during', 5, 'toString'], (when) => ({ hooks: [{ name: 'h', handle: 'a.b', when }] })],
  ['hooks.0.async', [null, 0, 'true', {}], (async) => ({ hooks: [{ name: 'h', handle: 'a.b', async }] })],
  ['hooks.0.timeout', [null, NaN, 0, -1, Infinity, 'soon', {}, true], (timeout) => ({ hooks: [{ name: 'h', handle: 'a.b', timeout }] })],
  ['hooks.0.args', [() => 1, Symbol('s'), { deep: [() => 1] }], (args) => ({ hooks: [{ name: 'h', handle: 'a.b', args }] })],
  ['hooks.0.handle', [undefined, null, '', 5, {}, []], (handle) => ({ hooks: [{ name: 'h', handle }] })],
  ['hooks.0.wehn', ['before'], (wehn) => ({ hooks: [{ name: 'h', handle: 'a.b', wehn }] })],
  ['warmers', [null, 5, 'x', {}, () => 1], (warmers) => ({ warmers })],
  ['warmers.0', [null, 5, 'x', [], () => 1], (warmer) => ({ warmers: [warmer] })],
  ['warmers.0.name', [undefined, null, '', 5, {}], (name) => ({ warmers: [{ name, execute: 'a.b' }] })],
  ['warmers.1.name', ['w'], (name) => ({ warmers: [{ name: 'w', execute: 'a.b' }, { name, execute: 'a.b' }] })],
  ['warmers.0.execute', [undefined, null, '', 5, {}, []], (execute) => ({ warmers: [{ name: 'w', execute }] })],
  ['warmers.0.interval', [null, NaN, 0, -1, Infinity, 'soon', {}, true], (interval) => ({ warmers: [{ name: 'w', execute: 'a.b', interval }] })],
  ['warmers.0.required', [null, 0, 'true', {}], (required) => ({ warmers: [{ name: 'w', execute: 'a.b', required }] })],
  ['warmers.0.state', [() => 1, Symbol('s'), { deep: [() => 1] }], (state) => ({ warmers: [{ name: 'w', execute: 'a.b', state }] })],
  ['warmers.0.every', ['1m'], (every) => ({ warmers: [{ name: 'w', execute: 'a.b', every }] })],
  ['compressed', [null, 0, 1, 'true', 5, '1kb', [], new Map()], (compressed) => ({ compressed })],
  ['compressed.over', [null, NaN, -1, 1.5, Infinity, '', '1kbs', {}, true], (over) => ({ compressed: { over } })],
  ['compressed.level', [1], (level) => ({ compressed: { level } })],
  ['ordered', [null, 0, 1, 'true', {}], (ordered) => ({ ordered })],
  ['stats', [null, 0, 1, 'true', {}], (stats) => ({ stats })],
  ['supervision', [null, 5, []], (supervision) => ({ supervision })],
  ['supervision.maxRestarts', [NaN, -1, 1.5, null, '20'], (maxRestarts) => ({ supervision: { maxRestarts } })],
  ['supervision.within', [NaN, -1, 0, null, 'soon', {}], (within) => ({ supervision: { within } })],
  ['supervision.backoff.first', ['2s', 1001], (first) => ({ supervision: { backoff: { first, max: '1s' } } })],
  ['supervision.backoff.factor', [NaN, 0.5, null], (factor) => ({ supervision: { backoff: { factor } } })],
  ['shard', [3], (shard) => ({ shard })], ['Memory', ['16mb'], (Memory) => ({ Memory })], ['constructor', [1], (value) => ({ constructor: value })],
  ['__proto__', [{ shards: 1 }], (value) => JSON.parse(`{"__proto__": ${JSON.stringify(value)}}`) as unknown],
  ['options', [null, 5, 'x', [], new Map(), Object.create({ shards: 1 })], (options) => options],
]

function check(error: Failure, option: string, value: unknown): void {
  expect(error.code).to.equal('ERR_INVALID_OPTION')
  expect(error['option']).to.equal(option)
  expect(error['value']).to.deep.equal(value)
  expect(error.message).to.include(`'${option}'`).and.to.match(/allowed: .+/)
  if (typeof value === 'number' || value === null) expect(error.message).to.include(String(value))
  expect(error.outcome).to.equal('none')
}

describe('options of a cache', () => {
  for (const [option, values, options] of WRONG) {
    it(`${option}: refused with its name, the value and what is allowed`, async () => {
      for (const value of values) {
        check(thrown(() => cacheSupervisor('x', options(value) as never)), option, value)
        check(await rejected(startCache('x', options(value) as never)), option, value)
      }
    })
  }

  it('functions themselves are refused where names are needed, with how to register them', async () => {
    const error = await rejected(startCache('x', { commands: { c: { type: 'read', execute: (() => 1) as never } } }), 'ERR_FUNCTION_NOT_REGISTERED')
    for (const options of [{ hooks: [{ name: 'h', handle: (() => 1) as never }] }, { warmers: [{ name: 'w', execute: (() => []) as never }] }]) await rejected(startCache('x', options), 'ERR_FUNCTION_NOT_REGISTERED')
    expect(error).to.include({ option: 'commands.c.execute' }).and.to.have.property('message').that.includes('defineFunctions')
  })

  it('name: a string of 1 to 255 characters without "/"', async () => {
    for (const name of [undefined, null, '', 'a/b', 5, {}, 'x'.repeat(256)]) check(await rejected(startCache(name as never)), 'name', name)
  })

  it('of a node: the same', async () => {
    for (const [option, value] of [['shardThreads', 0], ['shardThreads', 1.5], ['shardThreads', NaN], ['shardThreads', null], ['shardThreads', 257], ['name', ''], ['name', 'a/b'], ['name', null], ['functions', 5], ['threads', 2], ['constructor', 1]] as const) {
      check(await rejected(startNode({ [option]: value })), option, value)
    }
    for (const [option, pool] of [['pool.threads', { threads: 0 }], ['pool.threads', { threads: 1.5 }], ['pool.threads', { threads: 257 }], ['pool.concurrency', { concurrency: 0 }], ['pool.concurrency', { concurrency: NaN }], ['pool.size', { size: 2 }]] as const) {
      check(await rejected(startNode({ pool } as never)), option, Object.values(pool)[0])
    }
    for (const pool of [null, 5, 'two']) check(await rejected(startNode({ pool } as never)), 'pool', pool)
    check(await rejected(startNode(null as never)), 'options', null)
  })

  it('every allowed way to write them is taken, and shown by inspect', async () => {
    const cache = await startCache('all', {
      shards: 2, memory: '1.5MB', limit: { policy: 'lru', entries: 1000, reclaim: 0.25, check: { every: '2s' } }, mailbox: { messages: 10, bytes: '8kb', overflow: 'reject', waiting: 0 }, functionTimeout: '2s', functions: [], stats: true, ordered: true, compressed: { over: '4kb' }, commands: JSON.parse('{"__proto__": {"type": "read", "execute": "a.b"}}') as NonNullable<CacheOptions['commands']>,
      expiration: { default: '1h', interval: null, lazy: false }, supervision: { maxRestarts: 5, within: '1s', backoff: { first: 0, then: '10ms', factor: 1, max: 100, jitter: 0, resetAfter: '1m' } },
    })
    expect(await cache.inspect('cache')).to.deep.include({
      name: 'all', shards: 2, tableBytes: 0.75 * 2 ** 20, limit: { policy: 'lru', entries: 1000, reclaim: 0.25, checkMs: 2000 }, mailbox: { messages: 10, bytes: 8192, overflow: 'reject', waiting: 0 },
      defaultExpireMs: 3_600_000, intervalMs: null, lazy: false, functionTimeoutMs: 2000, poolTimeoutMs: 2000, stats: true, ordered: true, compressOverBytes: 4096, commands: [{ name: '__proto__', type: 'read', function: 'a.b' }],
    })
    await cache.stop()
    const defaults = await startCache('defaults', { shards: undefined, memory: undefined, expiration: { default: undefined } } as never)
    expect(await defaults.inspect('cache')).to.deep.include({ limit: { policy: 's3-fifo', entries: null, reclaim: 0, checkMs: null }, intervalMs: 3000, lazy: true, defaultExpireMs: null, mailbox: { messages: 65536, bytes: 4 << 20, overflow: 'wait', waiting: 262144 }, functionTimeoutMs: 1000, poolTimeoutMs: 5000, stats: false, ordered: false, compressOverBytes: null, commands: [] })
    await defaults.stop()
  })
})
