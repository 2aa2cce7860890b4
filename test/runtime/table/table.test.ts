import { expect } from 'chai'
import { errorCode } from '../../../runtime/errors.js'
import { createTable, formatTable, geometryOf, headOfBucket, MAX_TABLE_BYTES, MIN_TABLE_BYTES, setTableState, TABLE_STATE, tableSeed } from '../../../runtime/table/layout.js'
import { BUSY, ScanBatch, TableReader } from '../../../runtime/table/reader.js'
import { sizeClassesOf } from '../../../runtime/table/size-classes.js'
import { TableWriter } from '../../../runtime/table/writer.js'
import { decoder, FLAT_TAG, TableUnderTest, valueOf } from './fixture.js'

function codeOf(act: () => unknown): string | undefined {
  try {
    act()
  } catch (error) {
    return errorCode(error) ?? String(error)
  }
  return undefined
}

describe('a table', () => {
  it('is refused with a size that is not one', () => {
    for (const bytes of [0, -1, NaN, Infinity, 65_535, 100_000.5, MAX_TABLE_BYTES + 1, '65536' as unknown as number]) {
      expect(codeOf(() => createTable({ bytes, seed: 0 })), String(bytes)).to.equal('ERR_INVALID_OPTION')
    }
  })

  it('is never larger than it was asked to be, at any size', () => {
    for (const bytes of [MIN_TABLE_BYTES, 65_537, 99_999, 1 << 20, 5_000_001, 123_456_789, MAX_TABLE_BYTES - 1, MAX_TABLE_BYTES]) {
      const geometry = geometryOf(bytes)
      expect(geometry.bytes).to.be.at.most(bytes)
      expect(geometry.lastBlock).to.be.below(2 ** 31)
      expect(geometry.firstBlock).to.be.at.least((headOfBucket(geometry.buckets - 1) + 1) * 4)
      expect(geometry.firstBlock / geometry.bytes).to.be.below(0.06)
    }
  })

  it('of 2 GB works at its far end', () => {
    const under = new TableUnderTest(MAX_TABLE_BYTES)
    under.put('k', valueOf(1, 100))
    expect(under.get('k')!.length).to.equal(100)
    expect(under.reader.capacityBytes).to.equal(MAX_TABLE_BYTES)
    expect(under.reader.bytesUsed).to.be.below(MAX_TABLE_BYTES / 10)
  })

  it('has blocks that waste little: an eighth, up to an eighth of a page of 64 KB', () => {
    for (const pageBytes of [1024, 4096, 65_536]) {
      const { sizes, slots, ofUnits, maxBlockBytes } = sizeClassesOf(pageBytes)
      for (let size = 32; size <= maxBlockBytes; size++) {
        const sizeClass = ofUnits[(size + 7) >> 3]!
        expect(sizes[sizeClass]).to.be.at.least(size)
        expect(sizes[sizeClass - 1]).to.be.below(size)
        if (size > 64 && size <= pageBytes / 8) expect(pageBytes / slots[sizeClass]! - size, `${size} of ${pageBytes}`).to.be.at.most(Math.max(24, size / (pageBytes < 65_536 ? 4 : 7)))
      }
    }
  })

  it('keeps its seed, and tells its state to readers', () => {
    const under = new TableUnderTest(65_536)
    expect(tableSeed(under.table)).to.equal(7)
    expect(under.reader.state).to.equal(TABLE_STATE.running)
    setTableState(under.table, TABLE_STATE.stopped)
    expect(under.reader.state).to.equal(TABLE_STATE.stopped)
  })

  it('refuses a buffer that is no table', () => {
    for (const bytes of [0, 100, 65_536]) {
      expect(codeOf(() => TableWriter.open(new SharedArrayBuffer(bytes)))).to.equal('ERR_INVALID_OPTION')
      expect(codeOf(() => new TableReader(new SharedArrayBuffer(bytes), decoder))).to.equal('ERR_INVALID_OPTION')
    }
  })

  it('throws over an index that is damaged, and is empty and sound once formatted', () => {
    for (const damage of [8, 12, 1 << 30, -8]) {
      const under = new TableUnderTest(65_536)
      for (let index = 0; index < 50; index++) under.put(`k${index}`, valueOf(index, 60))
      new Int32Array(under.table)[headOfBucket(17)] = damage
      expect(() => under.reopen()).to.throw('damaged')
      formatTable(under.table)
      under.reopen()
      under.writer.verify()
      expect(under.writer.entries).to.equal(0)
      expect(under.get('k1')).to.equal(undefined)
      expect(under.put('k1', valueOf(1, 60))).to.equal(true)
    }
  })

  it('answers BUSY, in bounded time, while a chain is nothing but garbage', () => {
    const under = new TableUnderTest(65_536)
    const words = new Int32Array(under.table)
    under.put('k', valueOf(1, 10))
    for (let bucket = 0; bucket < 372; bucket++) words[headOfBucket(bucket)] = 0x7ffffff0
    const key = Buffer.from('k')
    expect(under.reader.get(1, key, 0, 1, null)).to.equal(BUSY)
    expect(under.reader.has(1, key, 0, 1, null)).to.equal(BUSY)
    expect(under.reader.locate(1, key, 0, 1, null)).to.equal(-1)
    const batch = new ScanBatch()
    let cursor = 0
    let calls = 0
    do {
      cursor = under.reader.scan(cursor, 10, batch, true)
      calls++
    } while (cursor !== 0 && calls < 10)
    expect(cursor).to.be.below(0)
  })

  it('hides expired entries from readers with a clock, and shows them to those without', () => {
    const under = new TableUnderTest(65_536)
    under.put('k', valueOf(1, 10), 1, 1000, 500)
    const at = (ms: number): { now: () => number } => ({ now: () => ms })
    expect(under.get('k', at(999.9))!.length).to.equal(10)
    expect(under.get('k', at(1000))).to.equal(undefined)
    expect(under.has('k', at(1000))).to.equal(false)
    expect(under.locate('k', at(1000))).to.equal(false)
    expect(under.get('k')!.length).to.equal(10)
    expect(under.writer.isExpired(under.find('k'), 999)).to.equal(false)
    expect(under.writer.isExpired(under.find('k'), 1000)).to.equal(true)
    const expired: string[] = []
    expect(under.writer.sweep(0, 1000, 1e9, (block) => expired.push(under.keyAt(block)))).to.equal(0)
    expect(expired).to.deep.equal(['k'])
    expect(under.writer.swept).to.equal(1)
  })

  it('picks the entry of one key out of its bucket, with its times, whatever else is in there', () => {
    const under = new TableUnderTest(65_536, 'fifo', 3)
    const batch = new ScanBatch()
    for (let n = 0; n < 60; n++) under.put(`k${n}`, valueOf(n, n === 7 ? 9000 : 20), n, n + 1000, n)
    for (let round = 0; round < 2; round++) {
      batch.reset()
      for (let n = 59; n >= 0; n--) {
        expect(under.pick(`k${n}`, batch)).to.equal(1)
        expect(under.pick(`x${n}`, batch)).to.equal(0)
      }
      expect(batch.count).to.equal(60)
      for (let index = 0; index < 60; index++) {
        const n = 59 - index
        const { bytes } = batch.scratch
        expect(bytes.toString('latin1', batch.keyStarts[index], batch.keyEnds[index])).to.equal(`k${n}`)
        expect(bytes.subarray(batch.valueStarts[index], batch.valueEnds[index]).equals(valueOf(n, n === 7 ? 9000 : 20))).to.equal(true)
        expect([batch.modified[index], batch.expires[index], batch.durations[index]]).to.deep.equal([n, n + 1000, n])
      }
    }
  })

  it('scans a huge empty table a bounded number of buckets at a time', () => {
    const under = new TableUnderTest(64 << 20)
    under.put('k', valueOf(1, 10))
    const batch = new ScanBatch()
    let calls = 0
    let found = 0
    let cursor = 0
    do {
      cursor = under.reader.scan(cursor, 1000, batch, false)
      found += batch.count
      calls++
    } while (cursor !== 0)
    expect(found).to.equal(1)
    expect(calls).to.be.within(5, 10)
  })

  it('does not read the clock for entries without expiry', () => {
    const under = new TableUnderTest(65_536)
    under.put('k', valueOf(1, 10))
    expect(under.get('k', { now: () => { throw new Error('read') } })!.length).to.equal(10)
  })

  for (const bytes of [65_536, 1 << 20, 40 << 20]) {
    it(`of ${bytes >> 10} KB takes a value of a quarter of it, whatever is there, and not a byte more`, () => {
      const under = new TableUnderTest(bytes)
      for (let index = 0; index < 500; index++) under.put(`k${index}`, valueOf(index, 40 + index * 7))
      for (let turn = 0; turn < 3; turn++) {
        for (const key of ['a', 'b', 'c']) {
          const value = valueOf(turn, bytes / 4, FLAT_TAG)
          under.put(key, value)
          expect(under.get(key)!.equals(value)).to.equal(true)
        }
      }
      under.writer.verify()
      const before = under.writer.entries
      expect(codeOf(() => under.put('a', valueOf(1, bytes / 4 + 1)))).to.equal('ERR_TOO_LARGE')
      expect(under.writer.entries).to.equal(before)
      expect(under.get('a')!.length).to.equal(bytes / 4)
      under.writer.verify()
    })
  }

  it('takes keys up to its blocks, with values of any size, and changes nothing for a longer one', () => {
    const under = new TableUnderTest(65_536)
    const longest = under.writer.maxKeyBytes
    expect(longest).to.be.greaterThan(400)
    const key = 'q'.repeat(longest)
    under.put(key, valueOf(1, 10_000))
    under.writer.setTimes(under.find(key), 5, 10_000, 100)
    expect(under.get(key)!.length).to.equal(10_000)
    const before = under.keysInOrder()
    for (const length of [1, 10_000]) expect(codeOf(() => under.put(`${key}q`, valueOf(1, length)))).to.equal('ERR_TOO_LARGE')
    expect(under.keysInOrder()).to.deep.equal(before)
    under.writer.verify()
  })

  it('that refuses when it is full still overwrites what it holds, and changes nothing when it refuses', () => {
    const under = new TableUnderTest(65_536, 'none')
    let count = 0
    while (codeOf(() => under.put(`k${count}`, valueOf(count, 60 + count % 90))) === undefined) count++
    const keys = under.keysInOrder()
    expect(codeOf(() => under.put('big', valueOf(1, 10_000)))).to.equal('ERR_FULL')
    expect(under.keysInOrder()).to.deep.equal(keys)
    for (let round = 0; round < 5; round++) {
      for (let index = 0; index < count; index++) expect(under.put(`k${index}`, valueOf(round, 60 + index % 90))).to.equal(false)
    }
    under.writer.verify()
    expect(under.keysInOrder()).to.deep.equal(keys)
  })

  it('evicts what was inserted first, overwritten or not', () => {
    const under = new TableUnderTest(65_536)
    const evicted: string[] = []
    under.writer.onEvict = (block) => evicted.push(under.keyAt(block))
    for (let index = 0; evicted.length < 100; index++) {
      under.put(`k${index}`, valueOf(index, 100))
      if (index === 50) under.put('k0', valueOf(1, 100))
    }
    expect(evicted).to.deep.equal(evicted.map((_, index) => `k${index}`))
  })

  it('keeps its room over a million writes of changing sizes', () => {
    const under = new TableUnderTest(1 << 20)
    const value = valueOf(1, 4096)
    const key = Buffer.alloc(4)
    let least = Infinity
    for (let write = 0; write < 1e6; write++) {
      const number = Math.imul(write, 0x9e3779b1) >>> 18
      key.writeInt32LE(number)
      // Every hundred thousand writes other sizes prevail.
      const length = 20 + (Math.imul(write, 0x85ebca6b) >>> 23) * (1 + Math.floor(write / 1e5) % 4) % 900
      under.writer.put(Math.imul(number + 1, 0x27d4eb2f), key, 0, 4, value, 0, length, write, 0, 0)
      if (write % 1000 === 0 && write > 2e5) least = Math.min(least, contentOf(under))
    }
    under.writer.verify()
    expect(under.writer.bytesUsed).to.be.at.most(1 << 20)
    expect(least / (1 << 20), 'share of the table that holds entries').to.be.greaterThan(0.6)
  }).timeout(30_000)

  it('costs at most 48 bytes an entry beyond key and value, at 70% fill', () => {
    const count = 200_000
    const bytes = 43 << 20
    const under = new TableUnderTest(bytes)
    const value = Buffer.alloc(102)
    const key = Buffer.alloc(11)
    for (let index = 0; index < count; index++) {
      key.write(String(index).padStart(11, '0'))
      under.writer.put(Math.imul(index + 1, 0x27d4eb2f), key, 0, 11, value, 0, 102, 1, 0, 0)
    }
    expect(under.writer.entries).to.equal(count)
    expect(under.writer.bytesUsed / bytes).to.be.within(0.65, 0.75)
    // One byte of the key and two of the value are the codec's.
    expect(under.writer.bytesUsed / count - 110).to.be.at.most(48)
  })
})

/** Bytes of keys, values and headers of all entries. */
function contentOf(under: TableUnderTest): number {
  let bytes = 0
  for (let block = under.writer.oldest; block !== 0; block = under.writer.after(block)) bytes += 32 + under.writer.valueLength(block)
  return bytes
}
