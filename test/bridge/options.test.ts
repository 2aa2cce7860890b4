import { expect } from 'chai'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { memory, memoryNetwork, nats, tcp, type BridgeDescriptor } from '../../bridge/index.js'
import { thrown, type Failure } from '../actors/expectations.js'
import { makeCertificates, type NodeCertificate } from './transports/certificates.js'

const SECRET = 'correct horse battery staple'
const makers: Record<string, (options: never) => BridgeDescriptor> = { tcp, nats, memory }

const STRANGE = [null, 5, true, {}, [], () => 1, NaN, 5n, Symbol('x')]

/** Options, the values that none of them may have, and what makes them. */
const WRONG: [bridge: string, option: string, values: unknown[], options: (value: unknown) => unknown][] = [
  ...['tcp', 'nats', 'memory'].flatMap((bridge): typeof WRONG => [
    [bridge, 'cluster', ['', 'a/b', 'x'.repeat(256), ...STRANGE], (cluster) => ({ cluster })],
    [bridge, 'allow', ['people.*', ...STRANGE.filter((value) => !Array.isArray(value))], (allow) => ({ allow })],
    [bridge, 'allow.1', ['', ...STRANGE], (name) => ({ allow: ['a', name] })],
    [bridge, 'maxMessage', [0, -1, 1.5, NaN, Infinity, 65_535, 2 ** 30 + 1, '64mb', null, {}], (maxMessage) => ({ maxMessage })],
    [bridge, 'secert', [SECRET], (secert) => ({ secert })],
    [bridge, '__proto__', [{ secret: SECRET }], (value) => JSON.parse(`{"__proto__":${JSON.stringify(value)}}`) as unknown],
    [bridge, 'constructor', [1], (value) => ({ constructor: value })],
    [bridge, 'options', [new Map(), [], Object.create({ secret: SECRET })], (options) => options],
  ]),
  ['tcp', 'listen', ['', 'host', 'host:', ':7100', 'host:port', 'host:70000', '127.0.0.1:-1', '127.0.0.1:1.5', 'a b:1', '::1:7100', '[::1]', '[nonsense]:1', '[1.2.3.4]:5', 'user@host:1', 'unix:', '/run/', '/a\0b', `/${'x'.repeat(200)}`, -1, 65_536, 1.5, Infinity, ...STRANGE.filter((value) => value !== 5)], (listen) => ({ listen, secret: SECRET })],
  ['tcp', 'listen', ['0.0.0.0:7100', '10.0.0.1:7100', '[::]:7100', '[2001:db8::1]:7100', 'example.com:7100', '128.0.0.1:7100', 'localhost.example.com:1', '[::ffff:10.0.0.1]:1'], (listen) => ({ listen })],
  ['tcp', 'peers', [null, 5, 'b', [], new Map(), () => 1], (peers) => ({ peers })],
  ['tcp', 'peers.b', ['', 'host', '127.0.0.1:0', 0, -1, ...STRANGE.filter((value) => value !== 5)], (b) => ({ peers: { b }, secret: SECRET })],
  ['tcp', 'peers.b', ['10.0.0.1:7100', 'example.com:7100'], (b) => ({ peers: { b } })],
  ['tcp', 'peers', ['a/b', '', 'x'.repeat(256)], (name) => ({ peers: { [name as string]: 7100 } })],
  ['tcp', 'peers.__proto__', ['127.0.0.1:1'], (address) => ({ peers: JSON.parse(`{"__proto__":"${String(address)}"}`) as unknown })],
  ['tcp', 'tls', [null, 5, true, [], 'x'], (tls) => ({ tls })],
  ['tcp', 'tls.crt', ['x'], (crt) => ({ tls: { crt } })],
  ['tcp', 'tls.passphrase', ['', 5, null], (passphrase) => ({ tls: { passphrase } })],
  ['nats', 'prefix', ['', '.', 'a.', '.a', 'a..b', 'a b', 'a.*', '>', ...STRANGE], (prefix) => ({ prefix })],
  ['nats', 'peers', [null, 5, 'a', {}, true], (peers) => ({ peers })],
  ['nats', 'peers.0', ['', 'a/b', 5, null], (name) => ({ peers: [name] })],
  ['nats', 'tls', [null, 5, 'x', []], (tls) => ({ tls })],
  ['nats', 'listen', ['127.0.0.1:1'], (listen) => ({ listen })],
  ['memory', 'network', [null, 5, {}, 'default'], (network) => ({ network })],
  ['memory', 'peers.1', ['a/b'], (name) => ({ peers: ['a', name] })],
]

function check(error: Failure, option: string): void {
  expect(error.code).to.equal('ERR_INVALID_OPTION')
  expect(error['option']).to.equal(option)
  expect(error.message).to.include(`'${option}'`).and.to.match(/allowed: .+/)
}

describe('options of bridges', () => {
  const folder = mkdtempSync(join(tmpdir(), 'options-'))
  let certificates: Record<string, NodeCertificate>
  before(() => {
    certificates = makeCertificates(folder, ['a', 'b'])
  })
  after(() => rmSync(folder, { recursive: true }))

  for (const [bridge, option, values, options] of WRONG) {
    it(`${bridge}: ${option}: refused with its name and what is allowed (${values.length} values)`, () => {
      for (const value of values) check(thrown(() => makers[bridge]!(options(value) as never)), option)
    })
  }

  it('what is no object of options at all is refused', () => {
    for (const make of Object.values(makers)) for (const options of [null, 5, 'x', true]) thrown(() => make(options as never), 'ERR_INVALID_ARGUMENT')
  })

  it('addresses of this machine need no secret, others a secret or TLS', () => {
    for (const listen of [7100, 0, '127.0.0.1:7100', '127.8.9.10:7100', 'localhost:7100', '[::1]:7100', '[0:0:0:0:0:0:0:1]:7100', '[::ffff:127.0.0.1]:7100', '/run/cache.sock', './cache.sock', 'unix:cache.sock']) {
      expect(tcp({ listen, peers: { b: listen === 0 ? 1 : listen } }).transport).to.equal('tcp')
    }
    for (const listen of ['0.0.0.0:7100', 'example.com:7100', '[::]:0']) {
      tcp({ listen, secret: SECRET })
      tcp({ listen, tls: certificates['a']! })
    }
  })

  it('NATS servers beyond this machine need a secret', () => {
    for (const servers of ['nats://127.0.0.1:4222', 'localhost', ['127.0.0.1:4223', 'tls://[::1]:4222'], 'nats://user:pass@localhost:4222']) nats({ servers })
    for (const servers of ['nats://10.0.0.1:4222', ['127.0.0.1', 'example.com'], 'tls://nats.example.com', 'nats://127.0.0.1@example.com']) {
      check(thrown(() => nats({ servers })), 'servers')
      nats({ servers, secret: SECRET })
    }
    for (const servers of ['', 'http://x', 'nats://', 'a b', 'x:0', 'x:99999', [], null, 5, {}, ['127.0.0.1', 5]]) check(thrown(() => nats({ servers: servers as never, secret: SECRET })), 'servers')
  })

  it('NATS takes a token, or user and password', () => {
    nats({ user: 'u', password: 'p' })
    nats({ token: 't' })
    check(thrown(() => nats({ token: 't', user: 'u', password: 'p' })), 'token')
    check(thrown(() => nats({ user: 'u' })), 'password')
    check(thrown(() => nats({ password: 'p' })), 'password')
    for (const [option, value] of [['user', ''], ['password', ''], ['token', 5]] as const) check(thrown(() => nats({ [option]: value })), option)
  })

  it('an empty or short secret is refused, and what is no secret', () => {
    for (const make of Object.values(makers)) {
      for (const secret of ['', 'x', 'x'.repeat(15), Buffer.alloc(0), new Uint8Array(15), null, 5, {}, [], () => 1, true]) check(thrown(() => make({ secret } as never)), 'secret')
      for (const secret of ['x'.repeat(16), 'ÄÖÜäöüß€', new Uint8Array(16), Buffer.from(SECRET)]) make({ secret } as never)
    }
  })

  it('missing, unreadable and wrong key files are refused, with the option\'s name', () => {
    const [a, b] = [certificates['a']!, certificates['b']!]
    writeFileSync(join(folder, 'empty.pem'), '')
    writeFileSync(join(folder, 'text.pem'), 'no key')
    for (const file of [join(folder, 'missing.pem'), folder, join(folder, 'empty.pem'), join(folder, 'text.pem'), '', 5, null, undefined, Buffer.from('no key')]) {
      for (const option of ['key', 'cert', 'ca'] as const) check(thrown(() => tcp({ tls: { ...a, [option]: file } })), `tls.${option}`)
    }
    for (const tls of [{ ...a, key: b.key }, { ...a, key: a.cert }, { ...a, cert: '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----' }]) check(thrown(() => tcp({ tls })), 'tls')
    check(thrown(() => nats({ tls: { ca: join(folder, 'missing.pem') } })), 'tls.ca')
  })

  it('no secret, password or key is in errors, in inspect, in JSON or in what can be enumerated', () => {
    const { key } = certificates['a']!
    const short = 'tiny-secret-x'
    const line = key.split('\n')[1]!
    const secrets = [SECRET, short, 'hunter2-password', 't0ken-t0ken', line]
    const silent = (thing: unknown): void => {
      const shown = [inspect(thing, { depth: Infinity, showHidden: true, getters: true }), JSON.stringify(thing), String(thing), ...thing instanceof Error ? [thing.message, thing.stack ?? '', JSON.stringify(Object.entries(thing))] : []].join('\n')
      for (const secret of secrets) expect(shown.includes(secret), shown).to.equal(false)
    }
    silent(tcp({ secret: SECRET, tls: certificates['a']!, listen: '10.0.0.1:1', peers: { b: '10.0.0.2:1' } }))
    silent(nats({ secret: SECRET, user: 'u', password: 'hunter2-password', servers: 'nats://u:hunter2-password@127.0.0.1' }))
    silent(nats({ secret: SECRET, token: 't0ken-t0ken' }))
    silent(memory({ secret: SECRET }))
    for (const make of [
      () => tcp({ secret: short }), () => tcp({ secret: SECRET, listen: 'nowhere' }), () => tcp({ secret: [SECRET] as never }), () => tcp({ tls: { key, cert: key, ca: key } }), () => tcp({ tls: { key: line, cert: key, ca: key } }),
      () => nats({ servers: 'http://u:hunter2-password@x', secret: SECRET }), () => nats({ servers: 'nats://u:hunter2-password@example.com' }), () => nats({ password: 'hunter2-password' }), () => nats({ token: 't0ken-t0ken', user: 'x', password: 'hunter2-password' }),
      () => nats({ token: { t: 't0ken-t0ken' } as never }),
    ]) silent(thrown(make, 'ERR_INVALID_OPTION'))
  })

  it('what the thread of the bridge is given can be sent there, and is all of it', () => {
    const descriptor = tcp({ secret: SECRET, listen: '[::1]:7100', peers: { b: '/run/b.sock', c: 7101 }, tls: certificates['a']!, allow: ['people.*'], cluster: 'two', maxMessage: 1 << 20 })
    expect(structuredClone(descriptor.settings())).to.deep.equal({
      secret: new Uint8Array(Buffer.from(SECRET)), cluster: 'two', allow: [{ source: '^people\\..*$', flags: 's' }], maxMessageBytes: 1 << 20, transport: 'tcp', peers: ['b', 'c'],
      tcp: { listen: { host: '::1', port: 7100 }, peers: { b: { path: '/run/b.sock' }, c: { host: '127.0.0.1', port: 7101 } }, tls: certificates['a'] },
    })
    expect(Object.isFrozen(descriptor)).to.equal(true)
    structuredClone(nats({ peers: ['a', 'b', 'a'] }).settings())
    expect(nats({ peers: ['a', 'b', 'a'] }).peers).to.deep.equal(['a', 'b'])
    structuredClone(memory().settings())
  })

  it('memory: one network for the process, unless there is another', () => {
    const network = memoryNetwork()
    const channel = (descriptor: BridgeDescriptor): unknown => (descriptor.settings() as { memory?: { channel: string } }).memory?.channel
    expect(channel(memory())).to.equal(channel(memory()))
    expect(channel(memory({ network }))).to.equal(channel(memory({ network }))).and.to.not.equal(channel(memory()))
  })

  it('memory networks: faults are checked, and can be changed', () => {
    const wrong: [string, object][] = [
      ...['loss', 'duplicate', 'reorder'].flatMap((name) => [-0.1, 1.1, NaN, '0.5', null].map((value): [string, object] => [name, { [name]: value }])),
      ...[-1, NaN, Infinity, '5ms', 60_001, [1], [1, 2, 3], [5, -1]].map((delay): [string, object] => ['delay', { delay }]), ['delay.0', { delay: [5, 4] }], ['los', { los: 1 }],
    ]
    const network = memoryNetwork({ loss: 0.5, delay: 5 })
    for (const [option, faults] of wrong) {
      check(thrown(() => memoryNetwork(faults)), option)
      check(thrown(() => network.set(faults)), option)
    }
    expect([network.loss, ...network.delayMs]).to.deep.equal([0.5, 5, 5])
    for (const seed of [NaN, 1.5, '1', 2 ** 33]) check(thrown(() => memoryNetwork({ seed: seed as never })), 'seed')
    network.partition(['a'], ['b', 'c'])
    expect([['a', 'b'], ['b', 'c'], ['a', 'd'], ['d', 'e']].map(([from, to]) => network.connects(from!, to!))).to.deep.equal([false, true, false, true])
    network.heal()
    expect(network.connects('a', 'b')).to.equal(true)
  })
})
