import { expect } from 'chai'
import fc from 'fast-check'
import { closeFrame, FRAME_HEAD_BYTES, FRAME_TYPE, FrameReader, makeFrame, MAX_FRAME_BYTES, MAX_HANDSHAKE_FRAME_BYTES, type FrameType } from '../../../bridge/sessions/frame.js'
import { checksum, macSeal, type Seal } from '../../../bridge/sessions/seal.js'
import { thrown } from '../../actors/expectations.js'

const MAC = macSeal(Buffer.alloc(32, 1))
const SEALS: [string, Seal][] = [['a checksum', checksum], ['a code', MAC]]

interface Read {
  reader: FrameReader
  frames: string[]
}

function reading(seal: Seal = checksum, messages = false): Read {
  const frames: string[] = []
  const reader = new FrameReader({ messages, onFrame: (type, bytes, start, end) => frames.push(`${type}:${bytes.toString('latin1', start, end)}`) })
  reader.seal = seal
  reader.limitBytes = MAX_FRAME_BYTES
  return { reader, frames }
}

function frames(bodies: readonly string[], seal: Seal = checksum): Buffer[] {
  return bodies.map((body, counter) => makeFrame(FRAME_TYPE.data, Buffer.from(body, 'latin1'), counter, seal))
}

/** A frame whose bytes were changed and whose checksum is right all the same. */
function forged(change: (frame: Buffer) => void, body = 'body'): Buffer {
  const frame = makeFrame(FRAME_TYPE.data, Buffer.from(body), 0, checksum)
  change(frame)
  checksum.put(frame, 0, frame.length - checksum.bytes)
  return frame
}

describe('frames', () => {
  for (const [name, seal] of SEALS) {
    describe(`with ${name}`, () => {
      it('come as they went, however the bytes are cut', () => {
        fc.assert(fc.property(fc.array(fc.string({ maxLength: 600 }).map((text) => Buffer.from(text).toString('latin1')), { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 30 }), (bodies, cuts) => {
          const { reader, frames: read } = reading(seal)
          let rest = Buffer.concat(frames(bodies, seal))
          for (const cut of cuts) {
            reader.push(Buffer.from(rest.subarray(0, cut)))
            rest = rest.subarray(cut)
          }
          reader.push(rest)
          expect(read).to.deep.equal(bodies.map((body) => `4:${body}`))
        }))
      })

      it('come as they went when they are split at every byte', () => {
        const bytes = Buffer.concat(frames(['', 'one', 'x'.repeat(5000)], seal))
        for (let cut = 0; cut <= bytes.length; cut += cut < 200 ? 1 : 37) {
          const { reader, frames: read } = reading(seal)
          reader.push(Buffer.from(bytes.subarray(0, cut)))
          reader.push(Buffer.from(bytes.subarray(cut)))
          expect(read).to.have.lengthOf(3)
        }
        const { reader, frames: read } = reading(seal)
        for (const byte of bytes) reader.push(Buffer.of(byte))
        expect(read).to.have.lengthOf(3)
      })

      it('come by the thousand in one packet', () => {
        const { reader, frames: read } = reading(seal)
        reader.push(Buffer.concat(frames(Array.from({ length: 5000 }, (_, index) => String(index)), seal)))
        expect(read).to.have.lengthOf(5000)
        expect(read.at(-1)).to.equal('4:4999')
      })

      it('with any bit changed end the connection', () => {
        const bytes = makeFrame(FRAME_TYPE.data, Buffer.from('a body'), 0, seal)
        const after = makeFrame(FRAME_TYPE.data, Buffer.alloc(5000), 1, seal)
        for (let bit = 0; bit < bytes.length * 8; bit++) {
          const changed = Buffer.concat([bytes, after])
          changed[bit >> 3]! ^= 1 << (bit & 7)
          const { reader, frames: read } = reading(seal)
          // A length that has grown waits for the bytes that it speaks of; then they are wrong.
          thrown(() => {
            reader.push(changed)
            reader.push(Buffer.alloc(MAX_FRAME_BYTES))
          }, 'ERR_FRAME')
          expect(read).to.deep.equal([])
        }
      })

      it('may be as long as the limit, and not longer', () => {
        const most = MAX_FRAME_BYTES - FRAME_HEAD_BYTES - seal.bytes
        const { reader, frames: read } = reading(seal)
        reader.push(makeFrame(FRAME_TYPE.data, Buffer.alloc(most), 0, seal))
        expect(read).to.have.lengthOf(1)
        thrown(() => reader.push(makeFrame(FRAME_TYPE.data, Buffer.alloc(most + 1), 1, seal)), 'ERR_FRAME')
      })
    })
  }

  const LENGTHS: [string, number][] = [['0', 0], ['1', 1], ['one less than there has to be', FRAME_HEAD_BYTES + 3], ['2^32 − 1, or −1', 0xffff_ffff], ['2^31', 0x8000_0000], ['one more than the limit', MAX_FRAME_BYTES + 1]]
  for (const [name, length] of LENGTHS) {
    it(`of the length ${name} end the connection as soon as it is known`, () => {
      const { reader } = reading()
      const head = Buffer.alloc(FRAME_HEAD_BYTES)
      head.writeUInt32LE(length)
      head.set([1, FRAME_TYPE.data], 4)
      thrown(() => reader.push(head), 'ERR_FRAME')
    })
  }

  it('that are declared long and never sent take no memory', () => {
    const readers = Array.from({ length: 200 }, () => reading().reader)
    const head = Buffer.alloc(FRAME_HEAD_BYTES)
    head.writeUInt32LE(MAX_FRAME_BYTES)
    head.set([1, FRAME_TYPE.data], 4)
    const before = process.memoryUsage().arrayBuffers
    for (const reader of readers) reader.push(head)
    expect(process.memoryUsage().arrayBuffers - before).to.be.lessThan(200 * 1024)
  })

  const HEADS: [string, (frame: Buffer) => void][] = [
    ['an unknown version', (frame) => frame.writeUInt8(2, 4)], ['version 0', (frame) => frame.writeUInt8(0, 4)],
    ['type 0', (frame) => frame.writeUInt8(0, 5)], ['an unknown type', (frame) => frame.writeUInt8(5, 5)],
    ['unknown flags', (frame) => frame.writeUInt8(2, 6)], ['the flag of a code where there is none', (frame) => frame.writeUInt8(1, 6)], ['something where nothing is', (frame) => frame.writeUInt8(1, 7)],
    ['a later counter', (frame) => frame.writeUInt32LE(1, 8)], ['a counter beyond 2^53', (frame) => frame.fill(0xff, 8, 16)],
    ['bytes missing at its end', (frame) => frame.writeUInt32LE(frame.length - 1)],
  ]
  for (const [name, change] of HEADS) {
    it(`with ${name} end the connection, also with a right checksum`, () => {
      const { reader, frames: read } = reading()
      thrown(() => reader.push(Buffer.concat([forged(change), Buffer.alloc(100)])), 'ERR_FRAME')
      expect(read).to.deep.equal([])
    })
  }

  it('with a checksum are refused where a code is due, and the other way round', () => {
    thrown(() => reading(MAC).reader.push(makeFrame(FRAME_TYPE.data, Buffer.alloc(20), 0, checksum)), 'ERR_FRAME')
    thrown(() => reading(checksum).reader.push(makeFrame(FRAME_TYPE.data, Buffer.alloc(20), 0, MAC)), 'ERR_FRAME')
    thrown(() => reading(MAC).reader.push(makeFrame(FRAME_TYPE.data, Buffer.alloc(20), 0, macSeal(Buffer.alloc(32, 2)))), 'ERR_FRAME')
  })

  it('of a stream that come twice, or miss one, end the connection', () => {
    const [first, second, third] = frames(['1', '2', '3'])
    for (const order of [[first!, first!], [first!, third!], [second!]]) thrown(() => reading().reader.push(Buffer.concat(order)), 'ERR_FRAME')
  })

  it('before authentication are short', () => {
    const reader = new FrameReader({ messages: false, onFrame: () => undefined })
    thrown(() => reader.push(makeFrame(FRAME_TYPE.hello, Buffer.alloc(MAX_HANDSHAKE_FRAME_BYTES), 0, checksum)), 'ERR_FRAME')
  })

  it('change their seal and their limit between two frames of one packet', () => {
    const types: FrameType[] = []
    const reader = new FrameReader({
      messages: false,
      onFrame: (type) => {
        types.push(type)
        reader.seal = MAC
        reader.limitBytes = MAX_FRAME_BYTES
      },
    })
    reader.push(Buffer.concat([makeFrame(FRAME_TYPE.proof, Buffer.alloc(9), 0, checksum), makeFrame(FRAME_TYPE.data, Buffer.alloc(9000), 1, MAC)]))
    expect(types).to.deep.equal([FRAME_TYPE.proof, FRAME_TYPE.data])
  })

  it('are not given out any more when the reader was closed by one of them', () => {
    let count = 0
    const reader: FrameReader = new FrameReader({
      messages: false,
      onFrame: () => {
        count++
        reader.close()
      },
    })
    reader.push(Buffer.concat(frames(['1', '2', '3'])))
    reader.push(frames(['4'])[0]!)
    expect(count).to.equal(1)
  })

  it('have counters beyond 2^32', () => {
    const frame = Buffer.alloc(100)
    closeFrame(frame, 20, FRAME_TYPE.data, 2 ** 40 + 5, checksum)
    expect(frame.readUInt32LE(8) + frame.readUInt32LE(12) * 2 ** 32).to.equal(2 ** 40 + 5)
  })

  describe('in messages', () => {
    it('are dropped and counted when they are damaged, forged, cut short or no frames at all', () => {
      const { reader, frames: read } = reading(MAC, true)
      const [first, second] = frames(['1', '2'], MAC)
      reader.push(first!)
      const damaged = Buffer.from(second!)
      damaged[17]! ^= 1
      const strangers = [damaged, second!.subarray(0, -1), Buffer.concat([second!.subarray(0, 10)]), Buffer.from('GET / HTTP/1.1'), Buffer.alloc(40), makeFrame(FRAME_TYPE.data, Buffer.from('2'), 1, checksum), makeFrame(FRAME_TYPE.data, Buffer.from('2'), 1, macSeal(Buffer.alloc(32)))]
      for (const message of strangers) reader.push(Buffer.from(message))
      expect(reader.dropped).to.equal(strangers.length)
      reader.push(second!)
      expect(read).to.deep.equal(['4:1', '4:2'])
    })

    it('are dropped when they come a second time', () => {
      const { reader, frames: read } = reading(checksum, true)
      const [first, second] = frames(['1', '2'])
      for (const message of [first!, first!, second!, first!, second!]) reader.push(message)
      expect(read).to.deep.equal(['4:1', '4:2'])
      expect(reader.dropped).to.equal(3)
    })

    it('end the connection when some were lost', () => {
      const { reader } = reading(checksum, true)
      const [first, , third] = frames(['1', '2', '3'])
      reader.push(first!)
      expect(thrown(() => reader.push(third!), 'ERR_FRAME')['lost']).to.equal(1)
    })

    it('may be several in one', () => {
      const { reader, frames: read } = reading(checksum, true)
      reader.push(Buffer.concat(frames(['1', '2', '3'])))
      expect(read).to.deep.equal(['4:1', '4:2', '4:3'])
    })
  })
})
