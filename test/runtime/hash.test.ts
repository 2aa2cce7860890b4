import { expect } from 'chai'
import xxhash from 'xxhash-wasm'
import { hash32, mix32 } from '../../runtime/hash.js'

describe('hash', () => {
  it('is frozen: these hashes choose owners, and may never change', () => {
    const golden: [string, number, number][] = [
      ['', 0, 0x02cc5d05], ['', 0x9e3779b1, 0x36b78ae7], ['a', 0, 0x550d7456], ['abc', 0, 0x32d153ff],
      ['user:12345', 0, 0x086593eb], ['user:12345', 42, 0x763fbaf6], ['x'.repeat(200), 7, 0xa1f53c0f],
    ]
    for (const [text, seed, hash] of golden) {
      const bytes = Buffer.from(text)
      expect(hash32(bytes, 0, bytes.length, seed) >>> 0, JSON.stringify([text, seed])).to.equal(hash)
    }
    expect([0, 1, -1, 0x12345678].map((h) => mix32(h) >>> 0)).to.deep.equal([0, 0x514e28b7, 0x81f16f39, 0xe37cd1bc])
  })

  it('is XXH32 at every length, offset and kind of seed', async () => {
    const reference = await xxhash()
    const bytes = Buffer.from(Array.from({ length: 300 }, (_, index) => (index * 167) & 0xff))
    for (let length = 0; length <= 250; length++) {
      for (const [start, seed] of [[0, 0], [3, 0xffff_ffff], [17, -5]] as const) {
        const expected = reference.h32Raw(bytes.subarray(start, start + length), seed) | 0
        expect(hash32(bytes, start, start + length, seed)).to.equal(expected)
      }
    }
  })

  it('reads shared memory as it reads private memory', () => {
    const shared = Buffer.from(new SharedArrayBuffer(200))
    shared.fill('abc')
    for (const length of [0, 5, 40, 200]) expect(hash32(shared, 0, length, 1)).to.equal(hash32(Buffer.from(shared), 0, length, 1))
  })
})
