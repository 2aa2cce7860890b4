import { expect } from 'chai'
import fc from 'fast-check'
import { GOODBYE } from '../../../bridge/sessions/envelope.js'
import { MAX_FRAME_BYTES } from '../../../bridge/sessions/frame.js'
import { rejected, thrown } from '../../actors/expectations.js'
import { settle } from '../fake-timers.js'
import { sessionPair, TERMS } from './sessions.js'

describe('a session', () => {
  for (const code of [false, true]) {
    describe(code ? 'with a code for each frame' : 'with checksums', () => {
      it('answers requests, in both directions, each with its own reply', async () => {
        const { a, b } = await sessionPair({ code })
        const asked: Promise<string>[] = Array.from({ length: 10 }, (_, index) => [a.ask(`a${index}`)!, b.ask(`b${index}`)!]).flat()
        expect(await Promise.all(asked)).to.deep.equal(Array.from({ length: 10 }, (_, index) => [`re: a${index}`, `re: b${index}`]).flat())
        expect([a.session.outstanding, b.session.outstanding, a.session.inbound, b.session.inbound]).to.deep.equal([0, 0, 0, 0])
      })

      it('carries messages of every length, up to the one that was agreed on', async () => {
        const { a, b } = await sessionPair({ code })
        for (const length of [0, 1, 47, 48, 49, 1000, ...[-30, -29, -28, -27, -20, -12, -8, -1, 0, 1, 100].map((more) => MAX_FRAME_BYTES + more), 200_000, TERMS.messageBytes]) {
          b.answer = (bytes) => bytes
          const body = Buffer.alloc(length, 'xyz').toString('latin1')
          expect(await a.ask(body) === body, String(length)).to.equal(true)
        }
      })
    })
  }

  it('keeps messages whole and in order, whatever their lengths and kinds', async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 150_000 })), { maxLength: 20 }), async (messages) => {
      const { a, b } = await sessionPair({ terms: [TERMS, { requests: 64, bytes: 1 << 26, messageBytes: 1 << 20 }] })
      const bodies = messages.map(([isNote, length], index) => ({ isNote, body: `${index}:`.padEnd(length, 'x') }))
      const asked = bodies.map(({ isNote, body }) => isNote ? a.note(body) : a.ask(body))
      const replies = await Promise.all(asked.filter((promise): promise is Promise<string> => promise instanceof Promise))
      await settle()
      expect(b.notes).to.deep.equal(bodies.filter(({ isNote }) => isNote).map(({ body }) => body))
      expect(replies).to.deep.equal(bodies.filter(({ isNote }) => !isNote).map(({ body }) => `re: ${body}`))
    }), { numRuns: 30 })
  })

  it('puts what is sent in one turn into one frame', async () => {
    const { a, pipes } = await sessionPair()
    const before = pipes[0].written.length
    await Promise.all(Array.from({ length: 16 }, (_, index) => a.ask(String(index))!))
    expect(pipes[0].written.length - before).to.equal(1)
    expect(pipes[1].written.length).to.be.lessThan(5)
  })

  it('says how much time a request has left', async () => {
    const { a, b } = await sessionPair()
    await a.ask('x', 750.2)
    await a.ask('x', Infinity)
    expect(b.requests.map(({ timeMs }) => timeMs)).to.deep.equal([751, 0xffff_ffff])
  })

  it('gives a request up at its deadline, unknown if it was sent, and drops the late reply', async () => {
    const { a, b, timers } = await sessionPair()
    b.answer = () => undefined
    const asked = a.ask('x', 500)!
    await settle()
    timers.jump(501)
    a.session.sweep()
    expect((await rejected(asked, 'ERR_TIMEOUT')).outcome).to.equal('unknown')
    expect(a.session.outstanding).to.equal(1)
    b.session.reply(b.requests[0]!.id, Buffer.from('late'), 0, 4)
    await settle()
    expect(a.session.outstanding).to.equal(0)
    expect(a.ends).to.deep.equal([])
  })

  it('gives a request up that still waits to be sent with outcome unknown, because it will be sent', async () => {
    const { a, b, pipes, timers } = await sessionPair()
    pipes[0].writable = false
    const stuck = a.ask('stuck', 500)!
    await settle()
    const unsent = a.ask('unsent', 500)!
    await settle()
    timers.jump(501)
    a.session.sweep()
    expect((await rejected(stuck, 'ERR_TIMEOUT')).outcome).to.equal('unknown')
    expect((await rejected(unsent, 'ERR_TIMEOUT')).outcome).to.equal('unknown')
    pipes[0].drain()
    await settle()
    expect(b.requests.map(({ bytes }) => bytes.toString())).to.include('unsent')
  })

  it('tells the peer of a request that nobody answered, so that its credit comes back', async () => {
    const { a, b, timers } = await sessionPair()
    b.answer = () => undefined
    const asked = a.ask('x', 500)!
    await settle()
    timers.jump(2000)
    b.session.tick()
    await settle()
    expect((await rejected(asked, 'ERR_TIMEOUT')).outcome).to.equal('unknown')
    expect([a.session.outstanding, b.session.inbound]).to.deep.equal([0, 0])
    expect(b.session.reply(b.requests[0]!.id, Buffer.alloc(0), 0, 0)).to.equal(false)
  })

  it('sends no more requests than its credit, and more when replies come', async () => {
    const { a, b } = await sessionPair()
    b.answer = () => undefined
    for (let index = 0; index < TERMS.requests; index++) expect(a.ask('x')).to.not.equal(undefined)
    expect(a.ask('x')).to.equal(undefined)
    await settle()
    expect(b.requests).to.have.lengthOf(TERMS.requests)
    const credits = a.credits
    b.session.reply(b.requests[3]!.id, Buffer.from('3'), 0, 1)
    await settle()
    expect(a.credits).to.equal(credits + 1)
    expect(a.ask('x')).to.not.equal(undefined)
    expect(a.ask('x')).to.equal(undefined)
  })

  it('sends no more bytes than its credit, but one message of any length', async () => {
    const { a, b } = await sessionPair()
    b.answer = () => undefined
    expect(a.ask('x'.repeat(TERMS.bytes - 10))).to.not.equal(undefined)
    expect(a.ask('x'.repeat(11))).to.equal(undefined)
    expect(a.ask('x'.repeat(10))).to.not.equal(undefined)
    await settle()
    for (const { id } of b.requests) b.session.reply(id, Buffer.alloc(0), 0, 0)
    await settle()
    expect(a.ask('x'.repeat(TERMS.messageBytes))).to.not.equal(undefined)
    expect(a.ask('x')).to.equal(undefined)
    await settle()
    expect(b.ends).to.deep.equal([])
  })

  it('counts notes against the credit until they were taken', async () => {
    const { a, b } = await sessionPair()
    for (let index = 0; index < TERMS.requests; index++) expect(a.note(`${index}`)).to.equal(true)
    expect(a.note('more')).to.equal(false)
    await settle()
    expect(b.notes).to.have.lengthOf(TERMS.requests)
    for (let index = 0; index < 200; index++) {
      expect(a.note('more')).to.equal(true)
      if (index % 16 === 15) await settle()
    }
  })

  it('refuses what is longer than the peer takes: a request at once, a reply with a word of it', async () => {
    const { a, b } = await sessionPair({ terms: [{ ...TERMS, messageBytes: 1000 }, TERMS] })
    thrown(() => a.ask('x'.repeat(TERMS.messageBytes + 1)), 'ERR_TOO_LARGE')
    thrown(() => a.note('x'.repeat(TERMS.messageBytes + 1)), 'ERR_TOO_LARGE')
    b.answer = () => Buffer.alloc(1001)
    expect((await rejected(a.ask('x'), 'ERR_TOO_LARGE')).outcome).to.equal('unknown')
    b.answer = () => Buffer.alloc(1000)
    expect(await a.ask('x')).to.have.lengthOf(1000)
  })

  it('sends replies and goodbyes before requests that wait', async () => {
    const { a, b, pipes } = await sessionPair()
    const asked = b.ask('first')!
    pipes[0].writable = false
    await settle()
    // What a sends from here on waits: a large request, and then the answer to a request of b's.
    a.session.request(Buffer.alloc(90_000), 0, 90_000, 1000, () => undefined)
    await settle()
    const second = b.ask('second')!
    await settle()
    let requestsBefore = -1
    void second.then(() => (requestsBefore = b.requests.length))
    pipes[0].drain()
    expect(await asked).to.equal('re: first')
    expect(await second).to.equal('re: second')
    expect(requestsBefore).to.equal(0)
  })

  it('settles everything when it ends: none if it was not sent, else unknown; and nothing twice', async () => {
    const { a, b, pipes } = await sessionPair()
    b.answer = () => undefined
    const sent = a.ask('sent')!
    await settle()
    pipes[0].writable = false
    void a.ask('stuck')
    await settle()
    const unsent = a.ask('unsent')!
    pipes[0].destroy(new Error('cable'))
    await settle()
    expect((await rejected(sent, 'ERR_NODE_DOWN')).outcome).to.equal('unknown')
    expect((await rejected(unsent, 'ERR_NODE_DOWN')).outcome).to.equal('none')
    expect(a.ends.map(({ reason }) => reason)).to.deep.equal(['lost'])
    expect(b.ends.map(({ reason }) => reason)).to.deep.equal(['lost'])
    expect(a.ask('more')).to.equal(undefined)
    expect(a.note('more')).to.equal(false)
    expect(b.session.reply(b.requests[0]!.id, Buffer.alloc(0), 0, 0)).to.equal(false)
  })

  it('says goodbye after everything that was put before', async () => {
    const { a, b } = await sessionPair()
    const asked = a.ask('x')!
    a.note('last')
    a.session.end(GOODBYE.stopping)
    await rejected(asked, 'ERR_NODE_DOWN')
    await settle()
    expect(b.notes).to.deep.equal(['last'])
    expect(b.ends).to.deep.equal([{ reason: 'goodbye', goodbye: GOODBYE.stopping }])
    expect(a.ends).to.deep.equal([])
  })

  it('gives a sign of life in every tick without another frame, and ends after five ticks without one of the peer\'s', async () => {
    const { a, b, pipes } = await sessionPair()
    for (let tick = 0; tick < 20; tick++) {
      a.session.tick()
      b.session.tick()
      await settle()
    }
    expect([a.ends, b.ends]).to.deep.equal([[], []])
    const written = pipes[0].written.length
    await a.ask('x')
    a.session.tick()
    expect(pipes[0].written.length - written, 'no sign beside a request').to.equal(1)
    await settle()
    pipes[1].change = () => []
    for (let tick = 1; tick < 5; tick++) {
      expect(a.ends).to.deep.equal([])
      a.session.tick()
      b.session.tick()
      await settle()
    }
    expect(a.ends.map(({ reason }) => reason)).to.deep.equal(['silent'])
  })

  it('ends when the peer takes nothing for five ticks, although it gives signs of life', async () => {
    const { a, b, pipes } = await sessionPair()
    pipes[0].writable = false
    void a.ask('x')
    await settle()
    for (let tick = 0; tick < 5; tick++) {
      b.note('alive')
      await settle()
      a.session.tick()
    }
    expect(a.ends.map(({ reason }) => reason)).to.deep.equal(['silent'])
  })

  it('takes a slow peer for a slow one: while anything goes out, nobody is dead', async () => {
    const { a, b, pipes } = await sessionPair()
    pipes[0].writable = false
    for (let tick = 0; tick < 20; tick++) {
      expect(a.note(String(tick))).to.equal(true)
      await settle()
      pipes[0].drain()
      await settle()
      pipes[0].writable = false
      a.note('next')
      await settle()
      a.session.tick()
      b.session.tick()
      await settle()
    }
    expect(a.ends).to.deep.equal([])
  })

  it('holds requests back while the peer takes no replies, and lets them run in order afterwards', async () => {
    const { a, b, pipes, timers } = await sessionPair({ terms: [{ ...TERMS, messageBytes: 1 << 20 }, TERMS] })
    const size = 1 << 20
    b.answer = () => Buffer.alloc(size)
    pipes[1].writable = false
    const asked = Array.from({ length: 12 }, (_, index) => a.ask(String(index), index === 9 ? 100 : 1000)!)
    await settle()
    const ran = b.requests.length
    expect(ran).to.be.within(4, 7)
    timers.jump(200)
    pipes[1].drain()
    await settle(30)
    expect(b.requests.map(({ bytes }) => bytes.toString())).to.deep.equal(['0', '1', '2', '3', '4', '5', '6', '7', '8', '10', '11'])
    expect((await rejected(asked[9], 'ERR_TIMEOUT')).outcome).to.equal('none')
    expect(await asked[11]).to.have.lengthOf(size)
  })

  it('begins only some of the requests that come together before replies to them are there', async () => {
    const terms = { ...TERMS, requests: 512 }
    const { a, b, pipes } = await sessionPair({ terms: [terms, terms] })
    b.answer = () => undefined
    const answered: number[] = []
    b.onRequest = ({ id }) => queueMicrotask(() => {
      answered.push(id)
      b.session.reply(id, Buffer.alloc(20_000), 0, 20_000)
    })
    pipes[1].writable = false
    const asked = Array.from({ length: 400 }, (_, index) => a.ask(String(index))!)
    await settle(30)
    expect(b.requests).to.have.lengthOf(256)
    expect(answered).to.have.lengthOf(256)
    for (let times = 0; times < 200 && b.requests.length < 400; times++) {
      pipes[1].drain()
      await settle()
    }
    expect(b.requests.map(({ bytes }) => Number(bytes))).to.deep.equal(asked.map((_, index) => index))
    pipes[1].drain()
    for (const reply of asked) expect(await reply).to.have.lengthOf(20_000)
  })

  it('drops replies when far too much of them waits for a peer that takes none, and says so', async () => {
    const terms = { ...TERMS, requests: 256 }
    const { a, b, pipes } = await sessionPair({ terms: [terms, terms] })
    b.answer = () => undefined
    const asked = Array.from({ length: 100 }, (_, index) => a.ask(String(index), 60_000)!)
    await settle(30)
    expect(b.requests).to.have.lengthOf(100)
    pipes[1].writable = false
    const reply = Buffer.alloc(1 << 20)
    for (const { id } of b.requests) b.session.reply(id, reply, 0, reply.length)
    for (let times = 0; times < 200 && a.session.outstanding > 0; times++) {
      pipes[1].drain()
      await settle()
    }
    const ends = await Promise.all(asked.map((each) => each.then((text) => text.length, (error: unknown) => error)))
    const whole = ends.filter((end) => end === 1 << 20).length
    expect(whole).to.be.within(64, 68)
    for (const end of ends.slice(whole)) expect(end).to.include({ code: 'ERR_MAILBOX_FULL', outcome: 'unknown', node: 'b' })
    b.answer = (bytes) => bytes
    expect(await a.ask('next')).to.equal('next')
  })

  it('survives receivers that throw: the request is refused, the session goes on', async () => {
    const { a, b } = await sessionPair()
    const warnings: Error[] = []
    const warned = (warning: Error): unknown => warnings.push(warning)
    process.on('warning', warned)
    b.answer = () => {
      throw new Error('boom')
    }
    await rejected(a.ask('x'), 'ERR_NODE_DOWN')
    b.answer = (bytes) => bytes
    a.session.request(Buffer.from('y'), 0, 1, 1000, () => {
      throw new Error('bang')
    })
    await settle()
    expect(await a.ask('z')).to.equal('z')
    process.off('warning', warned)
    expect(warnings.map(({ message }) => message)).to.deep.equal(['boom', 'bang'])
  })
})
