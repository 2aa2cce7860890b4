import { expect } from 'chai'
import { BUSY, MISSING, TableReader } from '../../../runtime/table/reader.js'
import { Snapshot } from '../../../runtime/table/snapshot.js'
import { SLOT_STATE, TRANSACTIONS_BYTES } from '../../../runtime/table/transactions.js'
import { dyingAt } from './dying-writer.js'
import { decoder, TableUnderTest, valueOf } from './fixture.js'

const SLOT = 3
const OLD = valueOf(1, 40)
const NEW = valueOf(2, 40)

/** Two tables of one cache, and a snapshot of keys of both, which does something after each value that it has decoded. */
class Tables {
  readonly a: TableUnderTest
  readonly b: TableUnderTest
  /** Called with how many values were decoded. */
  onDecoded: (count: number) => void = () => undefined
  /** Called at the beginning of each round that looks whether what was read still holds. */
  onRound: () => void = () => undefined
  decoded = 0
  readonly snapshot = new Snapshot()
  readonly #readers = new Map<TableUnderTest, TableReader>()

  constructor() {
    const transactions = new SharedArrayBuffer(TRANSACTIONS_BYTES)
    this.a = new TableUnderTest(65_536, 'fifo', 32, transactions)
    this.b = new TableUnderTest(65_536, 'fifo', 32, transactions)
    const hooked = {
      ...decoder,
      decodeValue: (bytes: Buffer, start: number, end: number): unknown => {
        const value = decoder.decodeValue(bytes, start, end)
        this.onDecoded(++this.decoded)
        return value
      },
    }
    for (const under of [this.a, this.b]) this.#readers.set(under, new TableReader(under.table, hooked, transactions))
  }

  add(under: TableUnderTest, key: string): void {
    const bytes = Buffer.from(key)
    this.snapshot.add(this.#readers.get(under)!, under.hashOf(key), bytes, 0, bytes.length)
    bytes.fill(0)
  }

  read(nowMs = 1000): ReturnType<Snapshot['read']> {
    return this.snapshot.read({
      now: () => {
        this.onRound()
        return nowMs
      },
    })
  }

  /** Commits and finishes a transaction that writes both keys, in this order or partly earlier. */
  transact(value: Buffer, upTo: 'prepared' | 'committed' | 'half finished' | 'finished'): void {
    this.a.setSlot(SLOT, SLOT_STATE.running)
    this.a.within(SLOT, () => this.a.put('x', value))
    this.b.within(SLOT, () => this.b.put('y', value))
    if (upTo === 'prepared') return
    this.a.setSlot(SLOT, SLOT_STATE.committed)
    if (upTo === 'committed') return
    this.a.writer.finish(SLOT)
    if (upTo !== 'half finished') this.b.writer.finish(SLOT)
  }
}

function withBoth(): Tables {
  const tables = new Tables()
  tables.a.put('x', OLD)
  tables.b.put('y', OLD)
  tables.add(tables.a, 'x')
  tables.add(tables.b, 'y')
  return tables
}

describe('a snapshot', () => {
  it('has values of any number of keys and tables in the order in which they were added, and says what is missing', () => {
    const tables = new Tables()
    const expected: unknown[] = []
    for (let index = 0; index < 3000; index++) {
      const under = index % 2 === 0 ? tables.a : tables.b
      const key = `key:${index % 700}`
      if (index < 300) under.put(key, valueOf(index, index % 3 === 0 ? 1 + index : 30))
      tables.add(under, key)
      expected.push(index % 700 < 300 ? valueOf(index % 700, index % 700 % 3 === 0 ? 1 + index % 700 : 30) : MISSING)
    }
    expect(tables.read()).to.deep.equal(expected)
    expect(new Snapshot().read(null)).to.deep.equal([])
  })

  it('judges expiry by one time, after all values were read', () => {
    const tables = new Tables()
    tables.a.put('x', OLD, 1, 100, 50)
    tables.a.put('z', OLD, 1, 101, 50)
    for (const key of ['x', 'z']) tables.add(tables.a, key)
    expect(tables.read(100)).to.deep.equal([MISSING, OLD])
    expect(tables.snapshot.read(null)).to.deep.equal([OLD, OLD])
    // Put after x had expired: x and w never were there together.
    tables.add(tables.a, 'w')
    tables.onDecoded = () => { if (tables.a.find('w') === 0) tables.a.put('w', NEW) }
    expect(tables.read(100)).to.deep.equal([MISSING, OLD, NEW])
  })

  for (const upTo of ['prepared', 'committed', 'half finished', 'finished'] as const) {
    it(`never holds a part of a transaction that is ${upTo} between two of its reads`, () => {
      const tables = withBoth()
      tables.onDecoded = (count) => { if (count === 1) tables.transact(NEW, upTo) }
      expect(tables.read()).to.deep.equal(upTo === 'prepared' ? [OLD, OLD] : [NEW, NEW])
    })

    it(`never holds a part of a transaction that is ${upTo} after its reads`, () => {
      const tables = withBoth()
      let rounds = 0
      tables.onRound = () => { if (rounds++ === 0) tables.transact(NEW, upTo) }
      expect(tables.read()).to.deep.equal(upTo === 'prepared' ? [OLD, OLD] : [NEW, NEW])
      expect(tables.decoded).to.equal(4)
    })
  }

  it('holds what was removed, or not yet there, only together with what was there then', () => {
    const tables = withBoth()
    tables.add(tables.a, 'z')
    tables.onDecoded = (count) => {
      if (count !== 1) return
      tables.a.remove('x')
      tables.a.put('z', NEW)
      tables.b.put('y', NEW)
    }
    expect(tables.read()).to.deep.equal([MISSING, NEW, NEW])
  })

  it('does not take a value for valid whose successor is published, and its version not yet moved', () => {
    const tables = withBoth()
    tables.onDecoded = (count) => {
      if (count !== 1) return
      // A writer that is held up right after it has published x; whoever reads the new x may write y, which is read next.
      for (let store = 0; ; store++) {
        const before = new Uint8Array(tables.a.table).slice()
        dyingAt(store, true, tables.a.table, (arm) => {
          tables.a.reopen()
          arm()
          tables.a.put('x', NEW)
        })
        if (tables.a.get('x')!.equals(NEW)) break
        new Uint8Array(tables.a.table).set(before)
      }
      tables.b.put('y', NEW)
    }
    expect(tables.read()).to.deep.equal([NEW, NEW])
  })

  it('reads anew only what has changed', () => {
    const tables = withBoth()
    let rounds = 0
    tables.onRound = () => { if (rounds++ < 5) tables.a.put('x', valueOf(rounds, 40)) }
    expect(tables.read()).to.deep.equal([valueOf(5, 40), OLD])
    expect(tables.decoded).to.equal(2 + 5)
  })

  it('gives up, in bounded time, beside a writer that never pauses', () => {
    const tables = withBoth()
    let rounds = 0
    tables.onRound = () => tables.a.put('x', valueOf(rounds++, 40))
    expect(tables.read()).to.equal(BUSY)
    expect(rounds).to.be.lessThan(100)
    tables.onRound = () => undefined
    expect(tables.read()).to.deep.equal([valueOf(rounds - 1, 40), OLD])
  })
})
