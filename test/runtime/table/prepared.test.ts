import { expect } from 'chai'
import { errorCode } from '../../../runtime/errors.js'
import { Scratch } from '../../../runtime/codec/scratch.js'
import { ScanBatch } from '../../../runtime/table/reader.js'
import { headOf, MOVES_WORD, tableGeometry, versionOf } from '../../../runtime/table/layout.js'
import { SLOT_STATE } from '../../../runtime/table/transactions.js'
import { dyingAt } from './dying-writer.js'
import { BYTES_TAG, FLAT_TAG, TableUnderTest, valueOf } from './fixture.js'

const { running, committed, aborted } = SLOT_STATE
const SLOT = 5
const OLD = valueOf(1, 40)
const NEW = valueOf(2, 70)
const KEYS = ['a', 'b', 'c']

/** Three entries, and a transaction that runs. */
function started(hashBits = 32): TableUnderTest {
  const under = new TableUnderTest(65_536, 'fifo', hashBits)
  KEYS.forEach((key, index) => under.put(key, OLD, index + 1))
  under.setSlot(SLOT, running)
  return under
}

/** What readers see: by `get`, and by a scan. */
function seen(under: TableUnderTest, key: string): Buffer | undefined {
  const value = under.get(key)
  expect(scanned(under, key), `get and scan of ${key} differ`).to.deep.equal(value)
  expect([under.has(key), under.locate(key)]).to.deep.equal([value !== undefined, value !== undefined])
  return value
}

function scanned(under: TableUnderTest, key: string): Buffer | undefined {
  const batch = new ScanBatch()
  let found: Buffer | undefined
  let cursor = 0
  do {
    cursor = under.reader.scan(cursor, 10, batch, true)
    for (let index = 0; index < batch.count; index++) {
      if (batch.scratch.bytes.toString('utf8', batch.keyStarts[index], batch.keyEnds[index]) !== key) continue
      expect(found, `${key} is scanned twice`).to.equal(undefined)
      found = Buffer.from(batch.scratch.bytes.subarray(batch.valueStarts[index], batch.valueEnds[index]))
    }
  } while (cursor !== 0)
  return found
}

/** Does something, and something else after the first atomic load from a buffer in the middle of it. */
function afterLoading<T>(buffer: SharedArrayBuffer, act: () => T, then: () => void): T {
  const { load } = Atomics
  const restore = (): void => void (Atomics.load = load)
  Atomics.load = ((array: Int32Array, index: number) => {
    const word = load(array, index)
    if (array.buffer === buffer) {
      restore()
      then()
    }
    return word
  }) as typeof load
  try {
    return act()
  } finally {
    restore()
  }
}

describe('what a transaction has prepared', () => {
  const changes: Record<string, { key: string; prepare: (under: TableUnderTest) => void; before: Buffer | undefined; after: Buffer | undefined }> = {
    'a value over another': { key: 'b', prepare: (under) => under.put('b', NEW), before: OLD, after: NEW },
    'a value of a new key': { key: 'new', prepare: (under) => under.put('new', NEW), before: undefined, after: NEW },
    'a large value': { key: 'b', prepare: (under) => under.put('b', valueOf(3, 9000)), before: OLD, after: valueOf(3, 9000) },
    'a text': { key: 'b', prepare: (under) => under.put('b', valueOf(3, 90, FLAT_TAG)), before: OLD, after: valueOf(3, 90, FLAT_TAG) },
    'a removal': { key: 'b', prepare: (under) => under.remove('b'), before: OLD, after: undefined },
    'a removal of a new key': { key: 'new', prepare: (under) => { under.put('new', NEW); under.remove('new') }, before: undefined, after: undefined },
    'a value in place of an earlier one': { key: 'b', prepare: (under) => { under.put('b', valueOf(3, 9000)); under.put('b', NEW) }, before: OLD, after: NEW },
    'a value in place of a removal': { key: 'b', prepare: (under) => { under.remove('b'); under.put('b', NEW) }, before: OLD, after: NEW },
    'a removal in place of a value': { key: 'b', prepare: (under) => { under.put('b', NEW); under.remove('b') }, before: OLD, after: undefined },
    'an expiry': { key: 'b', prepare: (under) => under.writer.setTimes(under.find('b'), 9, 5000, 10), before: OLD, after: OLD },
  }
  for (const [name, { key, prepare, before, after }] of Object.entries(changes)) {
    describe(name, () => {
      it('counts from the moment of the commit, and finishing it makes no difference', () => {
        const under = started()
        under.within(SLOT, () => prepare(under))
        under.writer.verify()
        expect(seen(under, key)).to.deep.equal(before)
        under.setSlot(SLOT, committed)
        expect(seen(under, key)).to.deep.equal(after)
        under.writer.finish(SLOT)
        expect(seen(under, key)).to.deep.equal(after)
        under.writer.verify()
        expect(under.writer.preparedSlots()).to.deep.equal([])
        under.setSlot(SLOT, running, 2)
        expect(seen(under, key)).to.deep.equal(after)
      })

      it('never counts if it is undone', () => {
        const under = started()
        const { bytesUsed } = under.reader
        const order = under.keysInOrder()
        under.within(SLOT, () => prepare(under))
        under.setSlot(SLOT, aborted)
        expect(seen(under, key)).to.deep.equal(before)
        under.writer.undo(SLOT)
        expect(seen(under, key)).to.deep.equal(before)
        under.writer.verify()
        expect(under.reader.bytesUsed).to.equal(bytesUsed)
        expect(under.keysInOrder()).to.deep.equal(order)
        expect(under.writer.preparedSlots()).to.deep.equal([])
      })

      it('is found again by the next writer, and finished or undone by that one', () => {
        for (const [state, value] of [[committed, after], [aborted, before]] as const) {
          const under = started()
          under.within(SLOT, () => prepare(under))
          const slots = under.writer.preparedSlots()
          under.setSlot(SLOT, state)
          under.reopen()
          expect(under.writer.preparedSlots()).to.deep.equal(slots)
          under.writer.verify()
          expect(seen(under, key)).to.deep.equal(value)
          if (state === committed) under.writer.finish(SLOT)
          else under.writer.undo(SLOT)
          under.writer.verify()
          expect(seen(under, key)).to.deep.equal(value)
        }
      })
    })
  }

  it('is what its own transaction finds, and nobody else', () => {
    const under = started()
    under.setSlot(6, running)
    under.within(SLOT, () => {
      expect(under.put('b', NEW)).to.equal(false)
      expect(under.put('new', NEW)).to.equal(true)
      under.remove('c')
      expect([under.find('c'), under.find('b')]).to.deep.equal([0, under.prepared(SLOT, 'b')])
      expect(under.put('c', NEW)).to.equal(true)
      under.remove('c')
    })
    for (const slot of [0, 6]) {
      under.within(slot, () => {
        expect(under.find('new')).to.equal(0)
        expect(under.find('c')).to.not.equal(0)
        expect(under.writer.valueLength(under.find('b'))).to.equal(OLD.length)
      })
      expect(under.prepared(slot, 'new')).to.equal(0)
    }
    expect(under.prepared(SLOT, 'c')).to.not.equal(0)
  })

  it('is neither an entry nor in the order before it is finished', () => {
    const under = started()
    under.within(SLOT, () => {
      under.put('new', NEW)
      under.put('b', NEW)
      under.remove('a')
    })
    under.setSlot(SLOT, committed)
    expect([under.reader.entries, under.keysInOrder()]).to.deep.equal([3, KEYS])
    under.writer.finish(SLOT)
    expect([under.reader.entries, under.keysInOrder()]).to.deep.equal([3, ['b', 'c', 'new']])
  })

  it('has the times that it was given, and they count with it', () => {
    const under = started()
    const clock = { now: () => 100 }
    under.within(SLOT, () => {
      under.put('a', NEW, 50, 90, 40)
      under.put('b', NEW, 51, 120, 70)
    })
    expect([under.has('a', clock), under.has('b', clock)]).to.deep.equal([true, true])
    under.setSlot(SLOT, committed)
    expect([under.has('a', clock), under.has('b', clock)]).to.deep.equal([false, true])
    const { expiresAt, duration, modifiedAt, valueLength } = under.reader
    expect({ expiresAt, duration, modifiedAt, valueLength }).to.deep.equal({ expiresAt: 120, duration: 70, modifiedAt: 51, valueLength: NEW.length })
  })

  it('counts as not committed for a reader without the transactions', () => {
    const under = started()
    under.within(SLOT, () => under.put('b', NEW))
    under.setSlot(SLOT, committed)
    const blind = new TableUnderTest(65_536, 'fifo', 32, new SharedArrayBuffer(0))
    new Uint8Array(blind.table).set(new Uint8Array(under.table))
    expect(seen(blind, 'b')).to.deep.equal(OLD)
  })

  for (const [what, look] of Object.entries({ get: (under: TableUnderTest) => under.get('b'), scan: (under: TableUnderTest) => scanned(under, 'b') })) {
    it(`is not missed by a ${what} that asked for the slot just before the commit, wherever the writer is since then`, () => {
      let deaths = 0
      for (let store = 0; store === deaths; store++) {
        const under = started()
        under.within(SLOT, () => under.put('b', NEW))
        let value: Buffer | undefined
        dyingAt(store, true, under.table, (arm) => {
          under.reopen()
          value = afterLoading(under.transactions, () => look(under), () => {
            under.setSlot(SLOT, committed)
            arm()
            try {
              under.writer.finish(SLOT)
            } catch {
              // It has died, and the reader goes on.
              deaths++
            }
          })
        })
        expect(value?.equals(OLD) === true || value?.equals(NEW) === true, `${what} beside a writer at store ${store}: ${value?.toString('hex')}`).to.equal(true)
      }
      expect(deaths).to.be.greaterThan(5)
    })
  }

  it('is scanned with all of its transaction in the bucket, or with nothing of it, if that is committed meanwhile', () => {
    // One hash for all keys, and so one bucket.
    const under = started(0)
    under.within(SLOT, () => {
      under.put('a', NEW)
      under.put('b', NEW)
      under.remove('c')
    })
    const batch = new ScanBatch()
    afterLoading(under.transactions, () => under.reader.scan(0, 10, batch, true), () => under.setSlot(SLOT, committed))
    const { scratch: { bytes }, keyStarts, keyEnds, valueStarts, valueEnds } = batch
    const found = Array.from({ length: batch.count }, (_, index) => [bytes.toString('utf8', keyStarts[index], keyEnds[index]), Buffer.from(bytes.subarray(valueStarts[index], valueEnds[index]))])
    expect(Object.fromEntries(found)).to.deep.equal({ a: NEW, b: NEW })
  })

  it('moves the version of its key with every change, so that no reader relies on a block that is gone', () => {
    const under = started()
    const words = new Int32Array(under.table)
    const version = versionOf(headOf(under.hashOf('b'), tableGeometry(under.table).bucketScale))
    const moves = (change: () => void): boolean => {
      const before = words[version]
      change()
      return words[version] !== before
    }
    for (const value of [OLD, NEW]) expect(moves(() => under.within(SLOT, () => under.put('b', value)))).to.equal(true)
    expect(moves(() => under.writer.undo(SLOT))).to.equal(true)
    expect(moves(() => under.writer.undo(SLOT))).to.equal(false)
    for (const change of [() => under.put('b', NEW), () => under.remove('b')]) {
      under.within(SLOT, change)
      under.setSlot(SLOT, committed)
      expect(moves(() => under.writer.finish(SLOT))).to.equal(true)
      expect(moves(() => under.writer.finish(SLOT))).to.equal(false)
    }
  })

  it('is told apart from another transaction’s of the same keys, one after the other in one slot', () => {
    const under = started()
    for (let generation = 1; generation < 20; generation++) {
      const value = valueOf(generation, 30 + generation * 40)
      under.setSlot(SLOT, running, generation)
      const before = seen(under, 'b')
      under.within(SLOT, () => under.put('b', value))
      expect(seen(under, 'b')).to.deep.equal(before)
      under.setSlot(SLOT, generation % 3 === 0 ? aborted : committed, generation)
      if (generation % 3 === 0) under.writer.undo(SLOT)
      else under.writer.finish(SLOT)
      expect(seen(under, 'b')).to.deep.equal(generation % 3 === 0 ? before : value)
      under.writer.verify()
    }
  })

  it('leaves an entry that can be overwritten, given times, moved and removed like any other', () => {
    for (const length of [40, 9000]) {
      const under = started()
      const value = valueOf(7, length)
      under.within(SLOT, () => under.put('b', value))
      under.setSlot(SLOT, committed)
      under.writer.finish(SLOT)
      under.writer.setTimes(under.find('b'), 3, 500, 20)
      expect(seen(under, 'b')).to.deep.equal(value)
      under.writer.setTimes(under.find('b'), 3, 0, 0)
      expect(seen(under, 'b')).to.deep.equal(value)
      const copy = new Scratch()
      under.writer.copyKey(under.find('b'), copy)
      under.writer.copyValue(under.find('b'), copy)
      expect(copy.bytes.subarray(0, copy.end)).to.deep.equal(Buffer.concat([Buffer.from('b'), value]))
      under.reopen()
      under.writer.verify()
      expect(under.put('b', OLD)).to.equal(false)
      expect(seen(under, 'b')).to.deep.equal(OLD)
      expect(under.remove('b')).to.equal(true)
      expect(seen(under, 'b')).to.equal(undefined)
      under.writer.verify()
    }
  })

  it('moves with its page, and is found there', () => {
    const under = started()
    for (let index = 0; index < 500; index++) {
      under.within(index % 5 === 0 ? SLOT : 0, () => under.put(`k${index}`, valueOf(index, 60, index % 2 === 0 ? FLAT_TAG : BYTES_TAG)))
    }
    for (let index = 0; index < 500; index++) if (index % 5 !== 0) under.remove(`k${index}`)
    const moves = new Int32Array(under.table)
    const before = moves[MOVES_WORD]!
    for (let index = 0; under.reader.bytesUsed < under.reader.capacityBytes; index++) under.put(`x${index}`, valueOf(index, 400))
    for (let index = 0; index < 60; index++) under.put(`y${index}`, valueOf(index, 230))
    expect(moves[MOVES_WORD]! - before).to.be.greaterThan(20)
    under.writer.verify()
    under.setSlot(SLOT, committed)
    for (let index = 0; index < 500; index += 5) expect(under.get(`k${index}`)).to.deep.equal(valueOf(index, 60, index % 2 === 0 ? FLAT_TAG : BYTES_TAG))
    under.writer.finish(SLOT)
    under.writer.verify()
    for (let index = 0; index < 500; index += 5) expect(under.get(`k${index}`)).to.deep.equal(valueOf(index, 60, index % 2 === 0 ? FLAT_TAG : BYTES_TAG))
  })

  it('stays when the table is cleared, and when what has expired is swept', () => {
    const under = started()
    under.within(SLOT, () => {
      under.put('a', NEW, 1, 10, 5)
      under.put('new', NEW)
    })
    under.writer.sweep(0, 1000, 1e6)
    expect(under.writer.clear()).to.equal(3)
    under.writer.verify()
    expect(KEYS.map((key) => seen(under, key))).to.deep.equal([undefined, undefined, undefined])
    under.setSlot(SLOT, committed)
    under.writer.finish(SLOT)
    expect([seen(under, 'a'), seen(under, 'new'), under.reader.entries]).to.deep.equal([NEW, NEW, 2])
    under.writer.verify()
  })

  it('is refused by a table that is full of what must not be evicted, with nothing changed', () => {
    const under = started()
    under.writer.isLocked = () => true
    let prepared = 0
    const fill = (): void => {
      for (;;) under.within(SLOT, () => under.put(`n${prepared++}`, valueOf(prepared, 1000)))
    }
    expect(fill).to.throw().satisfies((error: unknown) => errorCode(error) === 'ERR_FULL')
    expect(() => under.within(SLOT, () => under.put('a', valueOf(1, 16_000)))).to.throw().satisfies((error: unknown) => errorCode(error) === 'ERR_FULL')
    under.writer.verify()
    expect(seen(under, 'a')).to.deep.equal(OLD)
    expect(under.prepared(SLOT, 'a')).to.equal(0)
    under.writer.undo(SLOT)
    under.writer.verify()
    expect(KEYS.map((key) => seen(under, key))).to.deep.equal([OLD, OLD, OLD])
  })
})

describe('locked entries', () => {
  it('are neither evicted nor swept, whatever comes instead', () => {
    const under = started()
    const locked = new Set([under.hashOf('a'), under.hashOf('c')])
    const asked: number[] = []
    under.put('a', OLD, 1, 10, 5)
    under.put('b', OLD, 1, 10, 5)
    under.writer.isLocked = (hash) => {
      asked.push(hash)
      return locked.has(hash)
    }
    under.writer.sweep(0, 1000, 1e6)
    expect(KEYS.filter((key) => under.find(key) !== 0)).to.deep.equal(['a', 'c'])
    for (let index = 0; index < 3000; index++) under.put(`x${index}`, valueOf(index, 100))
    expect(KEYS.filter((key) => under.find(key) !== 0)).to.deep.equal(['a', 'c'])
    expect(asked.every((hash) => hash === (hash | 0)), 'asked with a signed hash').to.equal(true)
    locked.clear()
    for (let index = 0; index < 3000; index++) under.put(`y${index}`, valueOf(index, 100))
    expect(KEYS.filter((key) => under.find(key) !== 0)).to.deep.equal([])
    under.writer.verify()
  })
})
