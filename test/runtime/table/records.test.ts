import { expect } from 'chai'
import fc from 'fast-check'
import { MAX_TIME_MS } from '../../../runtime/clock.js'
import { Scratch } from '../../../runtime/codec/scratch.js'
import { errorCode } from '../../../runtime/errors.js'
import { MAX_MODIFIED_MS } from '../../../runtime/table/layout.js'
import { appendRecord, MAX_RECORD_HEADER, RecordReader, unpackRecords } from '../../../runtime/table/records.js'
import { ScanBatch } from '../../../runtime/table/scan-batch.js'

interface Row { key: string; value: string; modified: number; expires: number; duration: number }

function pack(rows: readonly Row[]): Buffer {
  const into = new Scratch(16)
  for (const { key, value, modified, expires, duration } of rows) {
    const before = into.end
    const keyBytes = Buffer.from(`..${key}`, 'latin1')
    const valueBytes = Buffer.from(`${value}!`, 'latin1')
    appendRecord(into, keyBytes, 2, keyBytes.length, valueBytes, 0, value.length, modified, expires, duration)
    expect(into.end - before).to.be.at.most(MAX_RECORD_HEADER + key.length + value.length)
  }
  return Buffer.from(into.bytes.subarray(0, into.end))
}

function unpack(packed: Buffer): Row[] {
  const record = new RecordReader(packed)
  const rows: Row[] = []
  while (record.next()) {
    const { bytes, keyStart, keyEnd, valueStart, valueEnd, modified, expires, duration } = record
    rows.push({ key: bytes.toString('latin1', keyStart, keyEnd), value: bytes.toString('latin1', valueStart, valueEnd), modified, expires, duration })
  }
  return rows
}

const rowsOf = fc.array(fc.record({
  key: fc.string({ unit: 'binary-ascii', maxLength: 200 }), value: fc.string({ unit: 'binary-ascii', maxLength: 400 }), modified: fc.integer({ min: 0, max: MAX_MODIFIED_MS }),
  times: fc.constantFrom<[number, number]>([0, 0], [1, 0], [1_763_000_000_123, 5000], [MAX_TIME_MS, MAX_TIME_MS]),
}).map(({ times: [expires, duration], ...row }) => ({ ...row, expires, duration })), { maxLength: 5 })

describe('table/records', () => {
  it('give back what was packed, one by one and into a batch', () => {
    fc.assert(fc.property(rowsOf, (rows) => {
      const packed = pack(rows)
      expect(unpack(packed)).to.deep.equal(rows)
      const batch = new ScanBatch()
      unpackRecords(packed, batch)
      expect(batch.count).to.equal(rows.length)
      rows.forEach(({ key, value, ...times }, index) => {
        const text = (start: number, end: number): string => batch.scratch.bytes.toString('latin1', start, end)
        expect(text(batch.keyStarts[index]!, batch.keyEnds[index]!)).to.equal(key)
        expect(text(batch.valueStarts[index]!, batch.valueEnds[index]!)).to.equal(value)
        expect({ modified: batch.modified[index], expires: batch.expires[index], duration: batch.durations[index] }).to.deep.equal(times)
      })
    }))
  })

  it('that are cut anywhere are ERR_FRAME, behind the whole ones', () => {
    const rows: Row[] = [{ key: 'a', value: 'x'.repeat(300), modified: 5, expires: 9, duration: 4 }, { key: 'b', value: 'y', modified: 6, expires: 0, duration: 0 }]
    const packed = pack(rows)
    const first = pack(rows.slice(0, 1)).length
    for (let length = 1; length < packed.length; length++) {
      if (length === first) continue
      const record = new RecordReader(packed, 0, length)
      let code: string | undefined
      let whole = 0
      try {
        while (record.next()) whole++
      } catch (error) {
        code = errorCode(error)
      }
      expect([code, whole, record.at], String(length)).to.deep.equal(['ERR_FRAME', length > first ? 1 : 0, length > first ? first : 0])
    }
  })

  it('never read beyond their end, whatever the bytes are', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (garbage) => {
      const bytes = Buffer.from(garbage)
      const record = new RecordReader(bytes, 0, bytes.length >> 1)
      try {
        while (record.next()) expect(record.valueEnd).to.be.at.most(bytes.length >> 1)
      } catch (error) {
        expect(errorCode(error)).to.equal('ERR_FRAME')
      }
    }))
  })

  it('refuse times that no table has, other flags, and overlong counts', () => {
    const good = pack([{ key: 'k', value: 'v', modified: 1, expires: 5, duration: 5 }])
    const changes: ((bytes: Buffer) => unknown)[] = [
      (bytes) => bytes.writeUInt8(2, 0), (bytes) => bytes.writeDoubleLE(NaN, 7), (bytes) => bytes.writeDoubleLE(0, 7), (bytes) => bytes.writeDoubleLE(-5, 7), (bytes) => bytes.writeDoubleLE(1.5, 7),
      (bytes) => bytes.writeDoubleLE(Infinity, 7), (bytes) => bytes.writeDoubleLE(8.7e15, 7), (bytes) => bytes.writeDoubleLE(-1, 15), (bytes) => bytes.set([0x81, 0], 23),
    ]
    for (const [index, change] of changes.entries()) {
      const bytes = Buffer.from(good)
      change(bytes)
      expect(() => unpack(bytes), String(index)).to.throw().with.property('code', 'ERR_FRAME')
    }
  })
})
