/** The handshake as a state machine: what two honest ends agree on, and what every attack of the list comes to. */
import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import { FRAME_TYPE, type FrameType } from '../../../bridge/sessions/frame.js'
import { Handshake, type HandshakeSetting } from '../../../bridge/sessions/handshake.js'
import { HELLO_FLAG, readHello, readProof, REFUSAL, VERDICT, writeHello, writeProof } from '../../../bridge/sessions/hello.js'
import { CacheError } from '../../../runtime/errors.js'
import { thrown } from '../../actors/expectations.js'

const SECRET = Buffer.from('a secret that both of them know')
const TERMS = { requests: 100, bytes: 1 << 20, messageBytes: 1 << 24 }

type Frame = [type: FrameType, body: Buffer]

function end(role: 'initiator' | 'responder', changes: Partial<HandshakeSetting> = {}): Handshake {
  return new Handshake({
    role, name: role === 'initiator' ? 'a' : 'b', ...role === 'initiator' && { peer: 'b' }, cluster: 'one', secret: SECRET, protection: { exporter: undefined, code: true },
    terms: TERMS, incarnations: () => ({ own: role === 'initiator' ? 11 : 22, dead: 0 }), verifyName: () => undefined, ...changes,
  })
}

/** Runs a handshake; each frame may be changed on its way. Returns the frames of both, as they were sent. */
function run(initiator: Handshake, responder: Handshake, change: (frame: Frame, step: number) => Frame = (frame) => frame): { sent: Frame[] } {
  const sent: Frame[] = [[FRAME_TYPE.hello, initiator.hello()]]
  sent.push(responder.receive(...change(sent[0]!, 0))!)
  sent.push(initiator.receive(...change(sent[1]!, 1))!)
  expect(responder.receive(...change(sent[2]!, 2))).to.equal(undefined)
  sent.push([FRAME_TYPE.proof, responder.judge(VERDICT.accepted, 22)])
  expect(initiator.receive(...change(sent[3]!, 3))).to.equal(undefined)
  return { sent }
}

const flipped = (body: Buffer, at: number, bit = 1): Buffer => {
  const changed = Buffer.from(body)
  changed[at]! ^= bit
  return changed
}

describe('the handshake', () => {
  it('tells each who the other is, in which incarnation, and what it allows', () => {
    const [a, b] = [end('initiator'), end('responder', { terms: { requests: 7, bytes: 8, messageBytes: 9 } })]
    run(a, b)
    expect(a.agreement).to.deep.include({ peer: 'b', incarnation: 22, ownIncarnation: 11, verdict: VERDICT.accepted, terms: { requests: 7, bytes: 8, messageBytes: 9 } })
    expect(b.agreement).to.deep.include({ peer: 'a', incarnation: 11, ownIncarnation: 22, terms: TERMS })
  })

  it('gives both the same two keys, one for each direction, and others each time', () => {
    const runs = [0, 1].map(() => {
      const [a, b] = [end('initiator'), end('responder')]
      run(a, b)
      expect(a.agreement!.keys!.send.equals(b.agreement!.keys!.receive)).to.equal(true)
      expect(b.agreement!.keys!.send.equals(a.agreement!.keys!.receive)).to.equal(true)
      return a.agreement!.keys!
    })
    const all = runs.flatMap(({ send, receive }) => [send.toString('hex'), receive.toString('hex')])
    expect(new Set(all)).to.have.lengthOf(4)
  })

  it('has codes where one of the two needs them, and only with a secret', () => {
    const plain = { protection: { exporter: undefined, code: false } }
    const table: [Partial<HandshakeSetting>, Partial<HandshakeSetting>, boolean][] = [[plain, plain, false], [plain, {}, true], [{}, plain, true], [{ secret: undefined }, { secret: undefined }, false]]
    for (const [ofA, ofB, codes] of table) {
      const [a, b] = [end('initiator', ofA), end('responder', ofB)]
      run(a, b)
      expect(a.agreement!.keys !== undefined).to.equal(codes)
      expect(b.agreement!.keys !== undefined).to.equal(codes)
    }
  })

  it('never sends the secret, nor what could be guessed from what a stranger can ask for', () => {
    const [a, b] = [end('initiator'), end('responder')]
    const { sent } = run(a, b)
    for (const [, body] of sent) expect(body.includes(SECRET)).to.equal(false)
    // A stranger who connects gets one frame, and it depends on no secret.
    const stranger = end('initiator', { secret: randomBytes(32) })
    const hellos = [SECRET, randomBytes(32)].map((secret) => end('responder', { secret }).receive(FRAME_TYPE.hello, stranger.hello())![1])
    hellos.forEach((body) => body.fill(0, 4, 20)) // nonces
    expect(hellos[0]!.equals(hellos[1]!)).to.equal(true)
  })

  it('carries the responder\'s judgement', () => {
    for (const verdict of [VERDICT.duplicate, VERDICT.stale, VERDICT.stopping]) {
      const [a, b] = [end('initiator'), end('responder', { incarnations: () => ({ own: 22, dead: 11 }) })]
      const hello = b.receive(FRAME_TYPE.hello, a.hello())!
      b.receive(...a.receive(...hello)!)
      expect(b.claim).to.deep.include({ incarnation: 11, dead: 0 })
      a.receive(FRAME_TYPE.proof, b.judge(verdict, 22))
      expect(a.agreement).to.include({ verdict, dead: 11 })
    }
  })

  describe('fails', () => {
    const fails = (initiator: Handshake, responder: Handshake, code: string, change?: (frame: Frame, step: number) => Frame): CacheError => {
      const error = thrown(() => run(initiator, responder, change), code) as unknown as CacheError
      expect(initiator.agreement === undefined || responder.agreement === undefined).to.equal(true)
      return error
    }

    it('with another secret, and the responder says so', () => {
      const [a, b] = [end('initiator', { secret: randomBytes(32) }), end('responder')]
      const error = fails(a, b, 'ERR_UNAUTHENTICATED')
      expect(error.message).to.include('secret').and.to.not.include(SECRET.toString())
      expect(b.refusal).to.equal(REFUSAL.proof)
      expect(b.claim).to.equal(undefined)
    })

    it('when the responder has another secret and says that it is content', () => {
      const [a, b] = [end('initiator'), end('responder', { secret: randomBytes(32) })]
      const proof = a.receive(...b.receive(FRAME_TYPE.hello, a.hello())!)!
      expect(proof[0]).to.equal(FRAME_TYPE.proof)
      for (const forgery of [Buffer.alloc(72), randomBytes(72), proof[1]]) {
        const other = end('initiator')
        other.receive(...end('responder').receive(FRAME_TYPE.hello, other.hello())!)
        thrown(() => other.receive(FRAME_TYPE.proof, forgery), 'ERR_UNAUTHENTICATED')
        expect(other.agreement).to.equal(undefined)
      }
    })

    it('with any bit of any frame changed', () => {
      const { sent } = run(end('initiator'), end('responder'))
      for (const [step, [, body]] of sent.entries()) {
        for (let at = 0; at < body.length; at++) {
          const [a, b] = [end('initiator'), end('responder')]
          let error: unknown
          try {
            run(a, b, (frame, index) => index === step ? [frame[0], flipped(frame[1], at, 1 << (at & 7))] : frame)
          } catch (caught) {
            error = caught
          }
          expect(error, `step ${step}, byte ${at}`).to.be.instanceOf(CacheError)
          expect((error as CacheError).code).to.be.oneOf(['ERR_UNAUTHENTICATED', 'ERR_FRAME', 'ERR_NODE_UNREACHABLE'])
        }
      }
    })

    it('with frames cut short, prolonged or in another order', () => {
      const { sent } = run(end('initiator'), end('responder'))
      for (const [step, [, body]] of sent.entries()) {
        for (const changed of [body.subarray(0, -1), Buffer.concat([body, Buffer.alloc(1)]), Buffer.alloc(0)]) {
          expect(() => run(end('initiator'), end('responder'), (frame, index) => index === step ? [frame[0], changed] : frame)).to.throw(CacheError)
        }
        for (const type of [FRAME_TYPE.hello, FRAME_TYPE.proof, FRAME_TYPE.data]) {
          if (type !== sent[step]![0]) expect(() => run(end('initiator'), end('responder'), (frame, index) => index === step ? [type, frame[1]] : frame)).to.throw(CacheError)
        }
      }
    })

    it('and stays failed: nothing that comes afterwards counts', () => {
      const [a, b] = [end('initiator'), end('responder')]
      const good = a.receive(...b.receive(FRAME_TYPE.hello, a.hello())!)!
      thrown(() => b.receive(good[0], flipped(good[1], 0)), 'ERR_UNAUTHENTICATED')
      thrown(() => b.receive(...good), 'ERR_FRAME')
      expect(b.claim).to.equal(undefined)
    })

    it('when any frame comes before its time', () => {
      for (const type of [FRAME_TYPE.proof, FRAME_TYPE.data, FRAME_TYPE.refuse] as const) thrown(() => end('responder').receive(type, Buffer.alloc(72)), 'ERR_FRAME')
      for (const type of [FRAME_TYPE.proof, FRAME_TYPE.data] as const) thrown(() => end('initiator').receive(type, Buffer.alloc(72)), 'ERR_FRAME')
      const b = end('responder')
      b.receive(FRAME_TYPE.hello, end('initiator').hello())
      thrown(() => b.receive(FRAME_TYPE.hello, end('initiator').hello()), 'ERR_FRAME')
    })

    it('with a replayed transcript', () => {
      const { sent } = run(end('initiator'), end('responder'))
      const b = end('responder')
      b.receive(...sent[0]!)
      thrown(() => b.receive(...sent[2]!), 'ERR_UNAUTHENTICATED')
      const a = end('initiator')
      thrown(() => a.receive(...sent[1]!) && a.receive(...sent[3]!), 'ERR_UNAUTHENTICATED')
    })

    it('with a reflected challenge', () => {
      const a = end('initiator', { name: 'a', peer: 'b' })
      thrown(() => a.receive(FRAME_TYPE.hello, a.hello()), 'ERR_UNAUTHENTICATED')
      // With the role and the names changed, the proof is still the wrong one.
      const mirror = readHello(a.hello())
      const b = end('initiator')
      const proof = b.receive(FRAME_TYPE.hello, writeHello({ ...mirror, role: 'responder', name: 'b', for: 'a' }))!
      thrown(() => b.receive(...proof), 'ERR_UNAUTHENTICATED')
    })

    it('in a parallel session: an answer for another node, or for another session, does not serve', () => {
      // m, between a and b, is a node of the cluster without the secret; it passes a's challenge to c, as if c were b.
      const [a, c] = [end('initiator'), end('responder', { name: 'c' })]
      thrown(() => c.receive(FRAME_TYPE.hello, a.hello()), 'ERR_NODE_UNREACHABLE')
      const second = end('initiator')
      const other = end('responder', { name: 'c' })
      const hello = other.receive(FRAME_TYPE.hello, writeHello({ ...readHello(second.hello()), for: 'c' }))!
      const proof = second.receive(hello[0], writeHello({ ...readHello(hello[1]), name: 'b' }))!
      thrown(() => other.receive(...proof), 'ERR_UNAUTHENTICATED')
    })

    it('relayed between two TLS sessions', () => {
      const exporter = (bytes: number): Partial<HandshakeSetting> => ({ protection: { exporter: Buffer.alloc(32, bytes), code: false } })
      run(end('initiator', exporter(1)), end('responder', exporter(1)))
      fails(end('initiator', exporter(1)), end('responder', exporter(2)), 'ERR_UNAUTHENTICATED')
    })

    it('when somebody takes protection away: the flags of TLS, of codes, of the secret, or the version', () => {
      const tls = { protection: { exporter: Buffer.alloc(32), code: true } }
      for (const flag of Object.values(HELLO_FLAG)) {
        for (const step of [0, 1]) fails(end('initiator', tls), end('responder', tls), 'ERR_UNAUTHENTICATED', (frame, index) => index === step ? [frame[0], flipped(frame[1], 2, flag)] : frame)
        // In both directions.
        fails(end('initiator', tls), end('responder', tls), 'ERR_UNAUTHENTICATED', (frame, index) => index < 2 ? [frame[0], flipped(frame[1], 2, flag)] : frame)
      }
      fails(end('initiator'), end('responder'), 'ERR_FRAME', (frame, index) => index === 0 ? [frame[0], flipped(frame[1], 0, 2)] : frame)
    })

    it('between one with a secret and one without, or with TLS and without, and the responder says so', () => {
      for (const change of [{ secret: undefined }, { protection: { exporter: Buffer.alloc(32), code: true } }]) {
        const b = end('responder')
        fails(end('initiator', change), b, 'ERR_UNAUTHENTICATED')
        expect(b.refusal).to.equal(REFUSAL.protection)
        const plain = end('responder', change)
        fails(end('initiator'), plain, 'ERR_UNAUTHENTICATED')
        expect(plain.refusal).to.equal(REFUSAL.protection)
      }
    })

    it('with another cluster\'s name', () => {
      const b = end('responder', { cluster: 'two' })
      expect(fails(end('initiator'), b, 'ERR_UNAUTHENTICATED').message).to.include('one').and.to.include('two')
      expect(b.refusal).to.equal(REFUSAL.cluster)
    })

    it('with another node than the one that was meant', () => {
      const b = end('responder', { name: 'c' })
      fails(end('initiator'), b, 'ERR_NODE_UNREACHABLE')
      expect(b.refusal).to.equal(REFUSAL.name)
    })

    it('with itself, or a node of its own name', () => {
      fails(end('initiator', { name: 'b' }), end('responder'), 'ERR_NODE_UNREACHABLE')
    })

    it('with a valid certificate of another node, at either end', () => {
      const refuse = (): never => {
        throw new CacheError('ERR_UNAUTHENTICATED', 'that is another node\'s certificate')
      }
      fails(end('initiator', { verifyName: refuse }), end('responder'), 'ERR_UNAUTHENTICATED')
      fails(end('initiator'), end('responder', { verifyName: refuse }), 'ERR_UNAUTHENTICATED')
    })

    it('at names that are none', () => {
      const hello = readHello(end('initiator').hello())
      for (const name of ['', 'a/b', 'x'.repeat(256)]) thrown(() => end('responder').receive(FRAME_TYPE.hello, writeHello({ ...hello, name })), 'ERR_FRAME')
      const invalid = writeHello({ ...hello, name: 'aa' })
      invalid[invalid.indexOf('aa')] = 0xff
      thrown(() => end('responder').receive(FRAME_TYPE.hello, invalid), 'ERR_FRAME')
    })
  })

  it('an initiator is told why it was refused, in a word that proves nothing', () => {
    const codes = { [REFUSAL.cluster]: 'ERR_UNAUTHENTICATED', [REFUSAL.proof]: 'ERR_UNAUTHENTICATED', [REFUSAL.protection]: 'ERR_UNAUTHENTICATED', [REFUSAL.name]: 'ERR_NODE_UNREACHABLE', [REFUSAL.busy]: 'ERR_NODE_UNREACHABLE' }
    for (const [reason, code] of Object.entries(codes)) thrown(() => end('initiator').receive(FRAME_TYPE.refuse, Buffer.of(Number(reason))), code)
    for (const body of [Buffer.alloc(0), Buffer.of(0), Buffer.of(9), Buffer.of(1, 1)]) thrown(() => end('initiator').receive(FRAME_TYPE.refuse, body), 'ERR_FRAME')
  })

  it('a proof has nothing in it that is no number, or too large a one', () => {
    const good = writeProof({ incarnation: 5, dead: 4, verdict: VERDICT.stale, terms: TERMS })
    expect(readProof(good)).to.deep.equal({ incarnation: 5, dead: 4, verdict: VERDICT.stale, terms: TERMS })
    const changes: [number, number[]][] = [[0, Array<number>(8).fill(255)], [8, Array<number>(8).fill(255)], [16, [4]], [17, [1]], [20, [0, 0, 0, 0]], [20, [1, 0, 1, 0]], [24, Array<number>(8).fill(0)], [32, Array<number>(8).fill(255)]]
    for (const [at, bytes] of changes) {
      const changed = Buffer.from(good)
      changed.set(bytes, at)
      thrown(() => readProof(changed), 'ERR_FRAME')
    }
  })
})
