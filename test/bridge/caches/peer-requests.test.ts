import { expect } from 'chai'
import { registerFunction, startNode, type Cache, type CacheNode } from 'scatterhoard'
import { memory, memoryNetwork } from 'scatterhoard/bridge'
import { publicActions } from '../../../actors/action-codes.js'
import type { Action } from '../../../actors/action.js'
import { callerOf } from '../../../actors/cache.js'
import { ANSWER, callHead, writeCall, writeRun, type RemoteCall } from '../../../actors/cluster/wire.js'
import { PeerRequests } from '../../../bridge/caches/peer-requests.js'
import type { Membership } from '../../../bridge/peers/membership.js'
import { createMembership } from '../../../bridge/transports/transports.js'
import { Scratch } from '../../../runtime/codec/scratch.js'
import { compressValue, decodeValue, encodeValue } from '../../../runtime/codec/value.js'
import { CacheError, type ErrorDescription } from '../../../runtime/errors.js'
import { bad } from '../../actors/functions.js'

function readAnswer(answer: Uint8Array): { value?: unknown; failure?: Readonly<Record<string, unknown>> } {
  const content = decodeValue(Buffer.from(answer), 1, answer.length)
  return answer[0] === ANSWER.value ? { value: content } : { failure: (content as ErrorDescription).details ?? {} }
}

/** A peer that knows the secret, and sends what it likes. */
describe('requests of a peer', () => {
  let node: CacheNode
  let cache: Cache<unknown>
  let peer: Membership

  before(async () => {
    const network = memoryNetwork()
    node = await startNode({ name: 'node', shardThreads: 1, pool: { threads: 1 }, bridge: memory({ network }) })
    cache = await node.startCache('served', { nodes: ['node', 'peer'], startWith: 'any', shards: 1, memory: '1mb', router: 'local', functions: [bad], functionTimeout: 100 })
    await node.startCache('alone', { shards: 1, memory: '1mb' })
    peer = createMembership(memory({ network }).settings(), {
      name: 'peer', failureTimeoutMs: 5000, connectTimeoutMs: 5000, handlers: { event: () => undefined, note: () => undefined, request: () => undefined },
    })
    await peer.start()
    await peer.reach('node', 5000)
  })
  after(async () => {
    await peer.stop()
    await node.stop()
  })
  beforeEach(() => cache.put('kept', 'as it was'))
  afterEach(async () => expect(await cache.export({ local: true })).to.have.deep.nested.property('[0].value', 'as it was'))

  /** The answer of the node: a value, or the error's code. */
  async function send(bytes: Uint8Array): Promise<unknown> {
    const { value, failure } = readAnswer(await peer.peer('node').request(bytes, 5000))
    return failure === undefined ? value : failure['code'] ?? 'no code'
  }

  function encoded(value: unknown): Uint8Array {
    const scratch = new Scratch()
    encodeValue(value, scratch)
    return scratch.bytes.subarray(0, scratch.end)
  }

  /** A call as other nodes send it. */
  function written({ cache = 'served', action = 'get', ...parts }: Partial<RemoteCall>): Buffer {
    const scratch = new Scratch()
    writeCall(callHead(cache, action), { args: ['kept'], options: {}, hops: 0, lends: false, transaction: undefined, ...parts }, scratch)
    return scratch.bytes.subarray(0, scratch.end)
  }

  function call(parts: Partial<RemoteCall>): Promise<unknown> {
    return send(written(parts))
  }

  /** A request other than a call: its kind, and what follows. */
  function other(kind: number, value: unknown): Uint8Array {
    return Uint8Array.of(kind, ...encoded(value))
  }

  it('that are right are answered', async () => {
    expect(await call({})).to.equal('as it was')
    expect(await call({ action: 'size', args: [] })).to.equal(1)
  })

  it('that are none are refused, and the next one is answered', async () => {
    const deep = Buffer.concat([Uint8Array.of(2), Buffer.alloc(100_000, encoded([[1]])[0])])
    const whole = written({})
    const wrong: Uint8Array[] = [
      new Uint8Array(0), Uint8Array.of(255), ...[0, 1, 2, 3, 4].flatMap((kind) => [null, [], ['served'], [1, 'get'], ['served', 'get', []]].map((value) => other(kind, value))),
      written({ options: [] as never }), written({ options: new Map() as never }), written({ args: [1, 2, 3, 4, 5] }), Buffer.concat([whole, Uint8Array.of(0)]),
      other(3, ['served', null]), other(3, ['served', { router: 1 }]), other(2, ['served', 'f', [], -1, null]), other(2, ['served', 'f', 1, 5, null]), other(2, ['served', 'f', [], 5]), other(2, ['served', 'f', [], 5, {}]), other(2, ['served', 'f', [], 5, { load: 'k' }]),
      deep, ...Array.from({ length: whole.length - 1 }, (_, length) => whole.subarray(0, length)),
    ]
    for (const bytes of wrong) expect(await send(bytes), Buffer.from(bytes.subarray(0, 40)).toString('hex')).to.equal('ERR_FRAME')
    for (let at = 0; at < whole.length; at++) {
      const changed = Uint8Array.from(whole)
      changed[at] = changed[at]! ^ (1 << (at % 8))
      expect(await send(changed)).to.satisfy((answer: unknown) => answer === undefined || (typeof answer === 'string' && /^as it was$|^ERR_/.test(answer)))
    }
    expect(await send(whole)).to.equal('as it was')
  })

  it('with compressed arguments are refused before anything is made of them: a megabyte could be hundreds', async () => {
    const scratch = new Scratch()
    encodeValue('x'.repeat(1 << 26), scratch)
    compressValue(scratch, 0)
    const bomb = Buffer.from(scratch.bytes.subarray(0, scratch.end))
    const [call, placeholder] = [written({ action: 'put', args: ['other', 'a value'] }), encoded('a value')]
    const at = call.indexOf(placeholder)
    const length = Buffer.alloc(4)
    length.writeUInt32LE(bomb.length)
    const armed = Buffer.concat([call.subarray(0, at - 4), length, bomb, call.subarray(at + placeholder.length)])
    for (const bytes of [armed, ...[2, 3].map((kind) => Buffer.concat([Buffer.of(kind), bomb]))]) expect(await send(bytes)).to.equal('ERR_FRAME')
    expect(await send(call)).to.equal(true)
    expect(await cache.del('other')).to.equal(true)
  })

  it('for what is not for other nodes are refused', async () => {
    for (const action of ['inspect', 'prune', 'warm', 'dump', 'load', 'stream', 'events', 'stop', 'attachment', 'sweep', 'lock', 'putBatch', 'constructor', 'toString', '__proto__', '']) {
      expect(await call({ action, args: [] }), action).to.equal('ERR_INVALID_ARGUMENT')
    }
    expect(await call({ cache: 'nothing' })).to.equal('ERR_NO_CACHE')
    expect(await call({ cache: 'alone' })).to.equal('ERR_NO_CACHE')
    expect(await call({ cache: '__proto__' })).to.equal('ERR_NO_CACHE')
  })

  it('for transactions that are not theirs are refused', async () => {
    for (const transaction of [0, 1, 2 ** 32 - 1]) expect(await call({ transaction })).to.equal('ERR_NOT_IN_TRANSACTION')
    for (const watched of [undefined, 'all', 5]) expect(await call({ action: 'transactFor', args: [['kept'], 'nobody.knows', watched] })).to.equal('ERR_INVALID_ARGUMENT')
    expect(await call({ action: 'transactFor', args: [['kept'], 'nobody.knows', ['put']] })).to.equal('ERR_UNKNOWN_FUNCTION')
    expect(await call({ action: 'transactFor', args: [null, 'nobody.knows', []] })).to.equal('ERR_INVALID_ARGUMENT')
  })

  it('with wrong arguments are refused as any caller\'s', async () => {
    expect(await call({ action: 'put', args: ['kept'] })).to.equal('ERR_UNSUPPORTED_VALUE')
    expect(await call({ action: 'put', args: ['kept', 1, 2] })).to.equal('ERR_INVALID_ARGUMENT')
    expect(await call({ action: 'put', args: ['kept', 1], options: { expire: 'soon' } })).to.equal('ERR_INVALID_ARGUMENT')
    expect(await call({ action: 'put', args: [undefined, 1] })).to.equal('ERR_INVALID_KEY')
    for (const options of [{ timeout: 1 }, { signal: {} }, { more: 1 }]) expect(await call({ options })).to.equal('ERR_INVALID_ARGUMENT')
    for (const place of [[0, -0.5], [1, 0], [0, 1, 2], 'x', [NaN, 0], null]) expect(await call({ action: 'walkPart', args: [place, [10, true], null] })).to.be.oneOf(['ERR_INVALID_ARGUMENT', 'ERR_FRAME'])
    expect(await call({ action: 'walkPart', args: [[0, 0], [1e9, true], null] })).to.equal('ERR_INVALID_ARGUMENT')
    expect(await call({ action: 'walkPart', args: [[0, 2 ** 40], [10, true], null] })).to.deep.equal([null, new Uint8Array(0)])
    expect(await call({ action: 'pickPart', args: [Uint8Array.of(9, 9, 9), 0, true] })).to.equal('ERR_FRAME')
    expect(await call({ action: 'importPart', args: [Uint8Array.of(0, 0, 0)] })).to.equal('ERR_FRAME')
  })

  it('to run functions are refused: those that no call has lent, and those of this node\'s threads', async () => {
    let ran = 0
    const registered = registerFunction('served.count', () => ++ran)
    const scratch = new Scratch()
    writeRun({ cache: 'served', name: 'served.count', args: [], limitMs: 1000, purpose: null }, scratch)
    expect(await send(scratch.bytes.subarray(0, scratch.end))).to.equal('ERR_UNKNOWN_FUNCTION')
    for (const name of ['served.count', 'constructor', '__proto__', 'toString']) {
      expect(await call({ action: 'execute', args: [name] })).to.equal('ERR_UNKNOWN_FUNCTION')
      expect(await call({ action: 'getAndUpdate', args: ['kept', name] })).to.equal('ERR_UNKNOWN_FUNCTION')
    }
    registered.unregister()
    expect(ran).to.equal(0)
  })

  it('that run functions of the cache which hang, exit their thread, throw or answer what cannot be sent end with that, and the next one is answered', async () => {
    const ends: [name: string, args: unknown[], code: string][] = [
      ['bad.hang', [], 'ERR_FUNCTION_TIMEOUT'], ['bad.exit', [1], 'ERR_SHARD_CRASHED'], ['bad.fail', ['undefined'], 'ERR_FUNCTION_FAILED'],
      ['bad.closure', [], 'ERR_UNSUPPORTED_VALUE'], ['bad.hangLater', ['getter'], 'ERR_FUNCTION_TIMEOUT'],
    ]
    for (const [name, args, code] of ends) {
      expect(await call({ action: 'getAndUpdate', args: ['kept', name], options: { args } }), name).to.equal(code)
      expect(await call({})).to.equal('as it was')
    }
  })

  it('find a cache that has just started, though a look at all caches was under way that began before', async () => {
    const { client } = callerOf(cache)
    const requests = new PeerRequests(client, undefined, {} as never, {} as never)
    const control = client.control.bind(client)
    let release = (): void => undefined
    client.control = async <T>(...call: Parameters<typeof control>): Promise<T> => {
      const seen = await control<T>(...call)
      await new Promise<void>((resolve) => (release = resolve))
      return seen
    }
    const early = requests.caches()
    client.control = control
    const late = await node.startCache('late', { shards: 1, memory: '1mb' })
    const found = requests.cacheNamed('late', true)
    release()
    expect((await early).map(({ name }) => name)).to.include('served').and.not.include('late')
    expect((await found).name).to.equal('late')
    await late.stop()
  })

  it('that only read what is in shared memory are answered before the next is looked at: until then nobody knows how much the replies are', async () => {
    const requests = new PeerRequests(callerOf(cache).client, undefined, {} as never, {} as never)
    await requests.caches()
    const bytes = written({})
    const answers: unknown[] = []
    const asking = { name: 'peer', reply: (_ticket: number, reply: Uint8Array, start: number, end: number) => answers.push(readAnswer(reply.slice(start, end)).value) }
    for (let ticket = 0; ticket < 3; ticket++) requests.receive(asking as never, ticket, 1000, bytes, 0, bytes.length)
    expect(answers).to.deep.equal(['as it was', 'as it was', 'as it was'])
  })

  it('that were under way when this node stopped the cache are told that nobody knows whether they have happened', async () => {
    const size = publicActions().find(({ name }) => name === 'size')! as { call: Action['call'] }
    const { call } = size
    const requests = new PeerRequests(callerOf(cache).client, undefined, {} as never, {} as never)
    await requests.caches()
    const bytes = written({ action: 'size', args: [] })
    try {
      for (const outcome of ['unknown', 'none'] as const) {
        size.call = () => Promise.reject(new CacheError('ERR_STOPPED', 'stopped meanwhile', { outcome }))
        const answer = await new Promise<Uint8Array>((resolve) => {
          const asking = { name: 'peer', reply: (_ticket: number, bytes: Uint8Array, start: number, end: number) => resolve(bytes.slice(start, end)) }
          requests.receive(asking as never, 0, 1000, bytes, 0, bytes.length)
        })
        expect(readAnswer(answer).failure).to.include({ code: 'ERR_NO_CACHE', outcome })
      }
    } finally {
      size.call = call
    }
  })
})
