/** Sessions with peers that have proved who they are, and break the protocol all the same. */
import { expect } from 'chai'
import { deflateRawSync } from 'node:zlib'
import { ENVELOPE, FAILURE, writeHead, writeWord, type EnvelopeKind } from '../../../bridge/sessions/envelope.js'
import { Scratch } from '../../../runtime/codec/scratch.js'
import { TAG } from '../../../runtime/codec/tags.js'
import { decodeValue, encodeValue } from '../../../runtime/codec/value.js'
import { thrown } from '../../actors/expectations.js'
import { bridgeFuzz } from '../../races/bridge-fuzz.js'
import { expectNone } from '../../races/script.js'
import { settle } from '../fake-timers.js'
import { sessionAndStranger, TERMS } from './sessions.js'

function envelope(kind: number, id: number, content: Buffer | string = '', timeMs = 1000): Buffer {
  const bytes = Buffer.from(content as string, 'latin1')
  const head = Buffer.alloc(kind === ENVELOPE.request ? 12 : 8)
  const at = writeHead(head, 0, kind as EnvelopeKind, bytes.length, id)
  if (kind === ENVELOPE.request) writeWord(head, at, timeMs)
  return Buffer.concat([head, bytes])
}

const ID = 0x1_0000

describe('recorded sessions that were changed at random', () => {
  it('end, or go on: nothing is thrown, run before its time, settled twice or kept', async function () {
    this.timeout(60_000)
    expectNone(await bridgeFuzz({ runs: 400, seed: 1 }))
  })
})

describe('a session with a peer that breaks the protocol', () => {
  const refused: [string, Buffer[]][] = [
    ['an unknown kind of envelope', [envelope(0, ID)]], ['another one', [envelope(99, ID)]],
    ['bytes behind the last envelope', [Buffer.concat([envelope(ENVELOPE.note, 0, 'x'), Buffer.alloc(3)])]],
    ['an envelope longer than its frame', [envelope(ENVELOPE.note, 0, 'x').subarray(0, -1)]],
    ['a request cut in its head', [envelope(ENVELOPE.request, ID).subarray(0, 9)]],
    ['an enormous length', [Buffer.from([ENVELOPE.note, 255, 255, 255, 0, 0, 0, 0])]],
    ['a request number twice', [Buffer.concat([envelope(ENVELOPE.request, ID, 'x'), envelope(ENVELOPE.request, ID, 'y')])]],
    ['a request number in use, of another generation', [envelope(ENVELOPE.request, ID, 'x'), envelope(ENVELOPE.request, ID * 2, 'y')]],
    ['a request number beyond its credit', [envelope(ENVELOPE.request, TERMS.requests)]],
    ['more requests than its credit', [Buffer.concat(Array.from({ length: TERMS.requests + 1 }, (_, slot) => envelope(ENVELOPE.request, slot)))]],
    ['more bytes of requests than its credit', [envelope(ENVELOPE.request, 0, Buffer.alloc(60_000)), envelope(ENVELOPE.request, 1, Buffer.alloc(60_000))]],
    ['a reply to nothing', [envelope(ENVELOPE.reply, ID, 'x')]],
    ['a part of a reply to nothing', [envelope(ENVELOPE.replyPart, ID, 'x')]],
    ['a failure of nothing', [envelope(ENVELOPE.failed, ID, Buffer.of(FAILURE.lapsed))]],
    ['an unknown failure', [envelope(ENVELOPE.failed, ID, Buffer.of(77))]],
    ['credit for notes that it was not sent', [envelope(ENVELOPE.credit, 1)]], ['credit for nothing', [envelope(ENVELOPE.credit, 0)]],
    ['an unknown goodbye', [envelope(ENVELOPE.goodbye, 77)]],
    ['parts of two messages at once', [envelope(ENVELOPE.requestPart, 1, 'x'), envelope(ENVELOPE.requestPart, 2, 'x')]],
    ['a message between the parts of another', [envelope(ENVELOPE.requestPart, 1, 'x'), envelope(ENVELOPE.note, 0, 'x')]],
    ['the end of another message than the one begun', [envelope(ENVELOPE.requestPart, 1, 'x'), envelope(ENVELOPE.request, 2, 'x')]],
    ['empty parts without end', [envelope(ENVELOPE.requestPart, 1)]],
    ['a message of more bytes than were agreed on', Array.from({ length: 20 }, () => envelope(ENVELOPE.notePart, 0, Buffer.alloc(60_000)))],
  ]
  for (const [what, bodies] of refused) {
    it(`ends at ${what}`, async () => {
      const { b, send, pipes } = await sessionAndStranger()
      b.answer = () => undefined
      await send(...bodies)
      expect(b.ends).to.have.lengthOf(1)
      expect(b.ends[0]).to.include({ reason: 'lost' })
      expect((b.ends[0] as unknown as { error: { code: string } }).error.code).to.equal('ERR_FRAME')
      expect(pipes[1].closed).to.equal(true)
    })
  }

  it('ends at a second reply to one request, and settles it once', async () => {
    const { b, send, got } = await sessionAndStranger()
    let settled = 0
    b.session.request(Buffer.from('x'), 0, 1, 1000, () => settled++)
    await settle()
    const id = got[0]!.readUInt32LE(4)
    await send(envelope(ENVELOPE.reply, id, 'one'))
    await send(envelope(ENVELOPE.reply, id, 'two'))
    expect(settled).to.equal(1)
    expect(b.ends).to.have.lengthOf(1)
  })

  it('ends at a frame of a handshake', async () => {
    const { pipes, b } = await sessionAndStranger()
    pipes[1].deliver(pipes[0].written[0]!)
    await settle()
    expect(b.ends).to.have.lengthOf(1)
  })

  it('does not allocate by the word of a peer: a part of a long message takes its own length', async () => {
    const { b, send } = await sessionAndStranger()
    await send(envelope(ENVELOPE.requestPart, 1, 'x'))
    expect(b.ends).to.deep.equal([])
    expect(b.requests).to.deep.equal([])
  })

  it('does not take bytes for a sign of life: one that says a byte at a time, and never a frame, is silent', async () => {
    const { b, pipes } = await sessionAndStranger()
    const frame = Buffer.alloc(60_000)
    frame.writeUInt32LE(60_000)
    frame.set([1, 4], 4)
    for (let tick = 0; tick < 5; tick++) {
      expect(b.ends).to.deep.equal([])
      for (let byte = 0; byte < 8; byte++) pipes[1].deliver(frame.subarray(tick * 8 + byte, tick * 8 + byte + 1))
      b.session.tick()
    }
    expect(b.ends).to.have.lengthOf(1)
    expect(b.ends[0]).to.include({ reason: 'silent' })
  })

  it('hands contents on as they are: what is in them is the codec\'s to refuse', async () => {
    const { b, send } = await sessionAndStranger()
    const nested = new Scratch()
    const deep: unknown[] = []
    for (let depth = 0, inner = deep; depth < 400; depth++) inner.push(inner = [])
    encodeValue(deep, nested)
    const array = nested.bytes[0]!
    const hostile = [
      Buffer.alloc(0), Buffer.alloc(60_000, 0xff), Buffer.from('ÿþ', 'latin1'), Buffer.alloc(50_000, 1),
      Buffer.concat([nested.bytes.subarray(0, 400), Buffer.alloc(50_000, nested.bytes.subarray(0, 2))]), // nested 25,000 deep
      Buffer.from([array, 0xff, 0xff, 0xff, 0xff, 0x0f]), // 2^32 − 1 elements
      Buffer.from([array, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]), // an overlong count
      Buffer.from([TAG.compressed, 0xff, 0xff, 0xff, 0x1f, ...deflateRawSync(Buffer.alloc(1 << 20))]), // more than it says, or less
    ]
    await send(...hostile.map((content, slot) => envelope(ENVELOPE.note, slot, content)))
    expect(b.notes).to.have.lengthOf(hostile.length)
    for (const note of b.notes) {
      const bytes = Buffer.from(note, 'latin1')
      thrown(() => decodeValue(bytes, 0, bytes.length), 'ERR_FRAME')
    }
  })
})
