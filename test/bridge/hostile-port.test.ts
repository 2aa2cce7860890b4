/** The port of a real node, and what strangers and peers gone mad do to it. */
import { expect } from 'chai'
import net from 'node:net'
import { deflateRawSync } from 'node:zlib'
import { startNode, type Cache, type CacheNode } from 'scatterhoard'
import { tcp } from 'scatterhoard/bridge'
import { callHead, writeCall } from '../../actors/cluster/wire.js'
import { ENVELOPE, writeHead, writeWord } from '../../bridge/sessions/envelope.js'
import { FRAME_HEAD_BYTES, FRAME_TYPE, makeFrame, MAX_FRAME_BYTES } from '../../bridge/sessions/frame.js'
import { HELLO_FLAG, writeHello, writeProof } from '../../bridge/sessions/hello.js'
import { Link } from '../../bridge/sessions/link.js'
import { realTimers } from '../../bridge/sessions/real-timers.js'
import { checksum } from '../../bridge/sessions/seal.js'
import type { Connection } from '../../bridge/transports/transport.js'
import { firstIncarnation } from '../../bridge/transports/transports.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { TAG } from '../../runtime/codec/tags.js'
import { keysOf } from '../actors/cluster/nodes.js'
import { hostileConnections } from '../races/hostile-connections.js'
import { portFuzz } from '../races/port-fuzz.js'
import { framesIn, recordSession, type RecordedSession } from '../races/recorded-session.js'
import { expectNone, Violations } from '../races/script.js'
import { Target } from '../races/target.js'

const SECRET = 'a secret that the target knows'
const NODES = ['target', 'honest', 'player']
const GREETING = { role: 'initiator', flags: HELLO_FLAG.secret, nonce: Buffer.alloc(16, 7), cluster: 'scatterhoard', name: 'player', for: 'target' } as const
const TERMS = { requests: 4096, bytes: 8 << 20, messageBytes: 1 << 20 }

const hello = (changes: Partial<Parameters<typeof writeHello>[0]> = {}): Buffer => makeFrame(FRAME_TYPE.hello, writeHello({ ...GREETING, ...changes }), 0, checksum)

/** A frame with some of its bytes changed and its checksum right again. */
function changed(frame: Buffer, at: number, ...bytes: number[]): Buffer {
  const other = Buffer.from(frame)
  other.set(bytes, at)
  checksum.put(other, 0, other.length - checksum.bytes)
  return other
}

describe('the port of a node in a process of its own', function () {
  this.timeout(60_000)

  describe('and a peer that is answered all the while:', () => {
    const violations = new Violations()
    let target: Target
    let session: RecordedSession
    let honest: CacheNode
    let cache: Cache<unknown>
    let key: string
    /** What strangers were told, all at the same time: some of them wait for the end of their time. */
    const told = new Map<string, Promise<Buffer[]>>()

    before(async () => {
      target = await Target.start({ secret: SECRET, caches: { played: NODES }, peers: {} }, violations)
      session = await recordSession(target, 'player', NODES, SECRET)
      honest = await startNode({ name: 'honest', shardThreads: 1, pool: { threads: 1 }, bridge: tcp({ peers: { target: target.address }, secret: SECRET }) })
      cache = await honest.startCache('played', { nodes: NODES, startWith: 'any', shards: 1, memory: '8mb' })
      key = keysOf(cache, 'target')[0]!
      for (const [what, words] of WORDS) told.set(what, answerTo(...words()))
    })
    after(async () => {
      await honest.stop()
      await target.stop()
      expectNone({ figures: {}, violations: violations.list })
    })
    afterEach(async () => {
      const value = `written ${Date.now()}`
      await cache.put(key, value, { timeout: 20_000 })
      expect(await cache.get(key, { timeout: 20_000 })).to.equal(value)
    })

    /** What the node says to somebody who says that, until it ends the connection. */
    async function answerTo(...pieces: Buffer[]): Promise<Buffer[]> {
      const got: Buffer[] = []
      const socket = net.connect(target.port, '127.0.0.1').setNoDelay(true).on('error', () => undefined).on('data', (bytes: Buffer) => got.push(bytes))
      const closed = new Promise((resolve) => socket.once('close', resolve))
      for (const piece of pieces) await new Promise((resolve) => socket.write(piece, resolve))
      await closed
      return framesIn(Buffer.concat(got))
    }

    const bomb = Buffer.concat([Buffer.from([TAG.compressed, 0xff, 0xff, 0xff, 0x1f]), deflateRawSync(Buffer.alloc(2_000_000))])
    const WORDS: [string, () => Buffer[]][] = [
      ['a length of 0', () => [Buffer.alloc(16)]],
      ['a length of 2^32 − 1, or −1', () => [changed(hello(), 0, 255, 255, 255, 255)]],
      ['a frame that is declared longer than any, and never sent', () => [changed(hello(), 0, 0, 0, 1, 0)]],
      ['a frame that is declared long, and never sent', () => [changed(hello(), 0, 0, 0x0f, 0, 0)]],
      ['an unknown version of frames', () => [changed(hello(), 4, 2)]],
      ['an unknown type', () => [changed(hello(), 5, 9)]],
      ['unknown flags', () => [changed(hello(), 6, 0x80)]],
      ['a wrong checksum', () => [Buffer.concat([hello().subarray(0, -1), Buffer.of(0x55)])]],
      ['a greeting with bytes behind it', () => [makeFrame(FRAME_TYPE.hello, Buffer.concat([writeHello(GREETING), Buffer.alloc(1)]), 0, checksum)]],
      ['a name that is no UTF-8', () => [changed(hello(), hello().indexOf('player'), 0xff)]],
      ['a name that is longer than its frame', () => [changed(hello(), hello().indexOf('player') - 2, 0xff, 0xff)]],
      ['unknown flags of protection', () => [changed(hello(), FRAME_HEAD_BYTES + 2, 0xff)]],
      ['a greeting without the secret', () => [hello({ flags: 0 })]],
      ['a greeting that speaks of TLS', () => [hello({ flags: HELLO_FLAG.secret | HELLO_FLAG.tls })]],
      ['a greeting of another cluster', () => [hello({ cluster: 'other' })]],
      ['a greeting for another node', () => [hello({ for: 'honest' })]],
      ['a greeting in the node\'s own name', () => [hello({ name: 'target' })]],
      ['a greeting in the role of the one who answers', () => [hello({ role: 'responder' })]],
      ['two greetings', () => [hello(), makeFrame(FRAME_TYPE.hello, writeHello(GREETING), 1, checksum)]],
      ['a request before it has proved anything', () => [makeFrame(FRAME_TYPE.data, session.requests[0]!, 0, checksum)]],
      ['a request in place of a proof', () => [hello(), makeFrame(FRAME_TYPE.data, session.requests[0]!, 1, checksum)]],
      ['a proof before a greeting', () => [makeFrame(FRAME_TYPE.proof, Buffer.alloc(72), 0, checksum)]],
      ['a proof of nothing', () => [hello(), makeFrame(FRAME_TYPE.proof, Buffer.concat([writeProof({ incarnation: Number.MAX_SAFE_INTEGER, dead: 0, verdict: 0, terms: TERMS }), Buffer.alloc(32)]), 1, checksum)]],
      ['a refusal', () => [makeFrame(FRAME_TYPE.refuse, Buffer.of(1), 0, checksum)]],
      ['a bomb of compressed bytes', () => [makeFrame(FRAME_TYPE.data, bomb.subarray(0, 3000), 0, checksum)]],
      ['more bytes than a handshake has', () => [Buffer.concat([hello(), Buffer.alloc(1 << 20, 1)])]],
      ['a session that was recorded', () => session.there.slice(0, 20)],
      ['what the node itself has said', () => session.back.slice(0, 20)],
      ['a greeting a byte at a time, and then no more', () => [...hello()].map((byte) => Buffer.of(byte))],
    ]
    for (const [what] of WORDS) {
      it(`a stranger who sends ${what} is not let in`, async () => {
        const types = (await told.get(what))!.map((frame) => frame[5])
        expect(types.filter((type) => type !== FRAME_TYPE.hello && type !== FRAME_TYPE.refuse)).to.deep.equal([])
        expect(types.length).to.be.at.most(2)
      })
    }

    it('a stranger who says that it is that peer neither takes its place nor disturbs it', async () => {
      const types = (await answerTo(hello({ name: 'honest' }), makeFrame(FRAME_TYPE.proof, session.there[1]!.subarray(FRAME_HEAD_BYTES, -checksum.bytes), 1, checksum))).map((frame) => frame[5])
      expect(types).to.deep.equal([FRAME_TYPE.hello, FRAME_TYPE.refuse])
      expect((await honest.peers()).find(({ node }) => node === 'target')).to.include({ state: 'up', sessions: 1 })
    })

    it('a peer that asks for more than a hundred megabytes and never reads its replies costs no more than some of them', async () => {
      const large = keysOf(cache, 'target', 2)[1]!
      await cache.put(large, 'x'.repeat(200_000), { timeout: 20_000 })
      const before = (await target.report()).rss
      const socket = net.connect(target.port, '127.0.0.1').on('error', () => undefined)
      const connection: Connection = {
        remote: 'the target', messages: false, maxFrameBytes: MAX_FRAME_BYTES, protection: { exporter: undefined, code: false }, verifyName: () => undefined,
        open: ({ data, closed }) => void socket.on('data', data).on('close', () => closed()),
        write: (bytes, release) => socket.write(bytes, release),
        close: () => socket.end(),
        destroy: () => socket.destroy(),
      }
      const incarnation = firstIncarnation()
      await new Promise<void>((resolve, reject) => {
        const link: Link = new Link(connection, {
          role: 'initiator', name: 'player', peer: 'target', cluster: 'scatterhoard', secret: Buffer.from(SECRET), protection: connection.protection, terms: TERMS,
          incarnations: () => ({ own: incarnation, dead: 0 }), verifyName: () => undefined,
        }, 20_000, realTimers, {
          claimed: () => undefined, failed: (_, error) => reject(error),
          agreed: () => {
            socket.pause()
            for (let slot = 0; slot < 1000; slot++) ask(link, slot, large)
            resolve()
          },
        })
      })
      let most = before
      for (let look = 0; look < 20; look++) {
        expect(await cache.get(large, { timeout: 20_000 })).to.have.lengthOf(200_000)
        most = Math.max(most, (await target.report()).rss)
      }
      socket.destroy()
      expect(socket.bytesRead).to.be.lessThan(20 << 20)
      expect(most - before).to.be.lessThan(64 << 20)
    })
  })

  it('gets recorded sessions that were changed, as a stranger\'s, a peer\'s and a called node\'s, and an honest peer is answered right all the while', async () => {
    expectNone(await portFuzz({ seconds: 10, seed: 2, cases: 24, first: 0 }))
  })

  it('gets connections by the hundred that come to nothing: the node is about as large as before, and an honest peer is answered', async () => {
    // How long that takes belongs to a quiet machine.
    expectNone(await hostileConnections({ connections: 300, atOnce: 200, quietSeconds: 0.2, factor: Infinity }))
  })
})

function ask(link: Link, slot: number, key: string): void {
  const scratch = new Scratch()
  writeCall(callHead('played', 'get'), { args: [key], options: {}, hops: 0, lends: false, transaction: undefined }, scratch)
  const frame = Buffer.alloc(FRAME_HEAD_BYTES + 12 + scratch.end + 64)
  writeWord(frame, writeHead(frame, FRAME_HEAD_BYTES, ENVELOPE.request, scratch.end, slot), 20_000)
  frame.set(scratch.bytes.subarray(0, scratch.end), FRAME_HEAD_BYTES + 12)
  link.send(frame, FRAME_HEAD_BYTES + 12 + scratch.end, () => undefined)
}
