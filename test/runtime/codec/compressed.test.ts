import { expect } from 'chai'
import fc from 'fast-check'
import { deflateRawSync } from 'node:zlib'
import { MAX_COMPRESSED_VALUE_BYTES } from '../../../runtime/codec/compressed.js'
import { Scratch } from '../../../runtime/codec/scratch.js'
import { TAG } from '../../../runtime/codec/tags.js'
import { compressValue, decodeValue, encodeValue } from '../../../runtime/codec/value.js'
import { errorCode } from '../../../runtime/errors.js'

function encoded(value: unknown): Buffer {
  const scratch = new Scratch()
  encodeValue(value, scratch)
  return Buffer.from(scratch.bytes.subarray(0, scratch.end))
}

/** What `compressValue` makes of a value that stands behind some other bytes. */
function compressed(value: unknown): Buffer {
  const scratch = new Scratch(8)
  scratch.ensure(5)
  scratch.bytes.fill(0xee, 0, 5)
  scratch.end = 5
  encodeValue(value, scratch)
  compressValue(scratch, 5)
  expect([...scratch.bytes.subarray(0, 5)]).to.deep.equal([0xee, 0xee, 0xee, 0xee, 0xee])
  return Buffer.from(scratch.bytes.subarray(5, scratch.end))
}

/** Bytes that claim to be `inside`, compressed, of a length. */
function claim(inside: Uint8Array, length: number, behind = Buffer.alloc(0)): Buffer {
  const header = Buffer.from([TAG.compressed, 0, 0, 0, 0])
  header.writeUInt32LE(length, 1)
  return Buffer.concat([header, deflateRawSync(inside), behind])
}

function codeOf(bytes: Buffer): string | undefined {
  try {
    decodeValue(bytes, 0, bytes.length)
    return undefined
  } catch (error) {
    return errorCode(error)
  }
}

describe('codec/compressed', () => {
  it('is shorter and comes back equal, for every kind of whole value', () => {
    const shared = { a: 'x'.repeat(50) }
    const graph: Record<string, unknown> = { first: shared, second: shared }
    graph['self'] = graph
    for (const value of ['a'.repeat(200), '€'.repeat(200), Array.from({ length: 50 }, (_, index) => ({ index, name: 'n' })), new Map([['k', Buffer.alloc(500)]]), new Date(0), graph]) {
      const bytes = compressed(value)
      const plain = encoded(value)
      if (plain.length > 100) expect(bytes[0]).to.equal(TAG.compressed)
      expect(bytes.length).to.be.at.most(plain.length)
      expect(decodeValue(bytes, 0, bytes.length)).to.deep.equal(value)
    }
  })

  it('stays as it was where compressing makes it no shorter', () => {
    fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string({ maxLength: 12 }), fc.double(), fc.bigInt()), (value) => {
      const plain = encoded(value)
      const bytes = compressed(value)
      expect(bytes.length < plain.length || bytes.equals(plain)).to.equal(true)
      expect(decodeValue(bytes, 0, bytes.length)).to.deep.equal(value)
    }))
  })

  it('is ERR_FRAME with any byte cut off or changed, or still a value', () => {
    const bytes = compressed(Array.from({ length: 40 }, (_, index) => ({ index, name: `name ${index % 3}` })))
    for (let end = 0; end < bytes.length; end++) expect(codeOf(bytes.subarray(0, end)), `cut at ${end}`).to.equal('ERR_FRAME')
    for (let at = 0; at < bytes.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = Buffer.from(bytes)
        changed[at]! ^= 1 << bit
        expect(codeOf(changed), `bit ${bit} of byte ${at}`).to.be.oneOf([undefined, 'ERR_FRAME'])
      }
    }
  })

  it('refuses a length that is not its own, bytes behind its end, and what was compressed twice', () => {
    const inside = encoded('b'.repeat(1000))
    expect(codeOf(claim(inside, 1001))).to.equal(undefined)
    expect(codeOf(claim(inside, 1000))).to.equal('ERR_FRAME')
    expect(codeOf(claim(inside, 1002))).to.equal('ERR_FRAME')
    expect(codeOf(claim(inside, 0))).to.equal('ERR_FRAME')
    expect(codeOf(claim(inside, 1001, Buffer.from([0])))).to.equal('ERR_FRAME')
    const once = claim(inside, 1001)
    expect(codeOf(claim(once, once.length))).to.equal('ERR_FRAME')
    expect(codeOf(claim(Buffer.alloc(0), 0))).to.equal('ERR_FRAME')
  })

  it('takes no memory for a bomb: beyond the longest value, beyond what so few bytes can hold, beyond what it announces', () => {
    const zeros = Buffer.alloc(64 << 20)
    const before = process.memoryUsage()
    for (const length of [0xffff_ffff, MAX_COMPRESSED_VALUE_BYTES + 1, 0x8000_0000]) expect(codeOf(claim(zeros, length))).to.equal('ERR_FRAME')
    expect(codeOf(claim(Buffer.alloc(1000), 1_000_000))).to.equal('ERR_FRAME')
    expect(codeOf(claim(zeros, 4096))).to.equal('ERR_FRAME')
    const after = process.memoryUsage()
    expect(after.arrayBuffers + after.external - before.arrayBuffers - before.external).to.be.lessThan(16 << 20)
  })

  it('refuses a value that is too long to be read again', () => {
    const scratch = new Scratch()
    scratch.end = MAX_COMPRESSED_VALUE_BYTES + 1
    expect(() => compressValue(scratch, 0)).to.throw().with.property('code', 'ERR_TOO_LARGE')
  })
})
