import { expect } from 'chai'
import fc from 'fast-check'
import { errorCode } from '../../../runtime/errors.js'
import { BUSY, MISSING, ScanBatch } from '../../../runtime/table/reader.js'
import { Snapshot } from '../../../runtime/table/snapshot.js'
import { SLOT_STATE, type SlotState } from '../../../runtime/table/transactions.js'
import { BYTES_TAG, FLAT_TAG, TableUnderTest, valueOf } from './fixture.js'

/** How many times as many runs as usual. */
const RUNS = Number(process.env['TABLE_RUNS'] ?? 1)
const SLOTS = 3

interface Known { value: Buffer; modified: number; expires: number; duration: number }

interface Transaction {
  state: SlotState
  /** What it has written, null where it removed. */
  readonly written: Map<string, Known | null>
  readonly hashes: Set<number>
}

type Write =
  | { do: 'put'; key: number; length: number; flat: boolean; expires: number }
  | { do: 'times'; key: number; expires: number }
  | { do: 'remove'; key: number }

type Step =
  | (Write & { slot: number })
  | { do: 'commit' | 'abort' | 'resolve'; slot: number }
  | { do: 'sweep'; now: number }
  | { do: 'reopen' | 'clear' | 'check' }

const keyOf = (key: number): string => `key:${key}`.padEnd(4 + key % 40, 'x')

function stepOf(maxLength: number, keys: number): fc.Arbitrary<Step> {
  const key = fc.nat(keys)
  const slot = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: SLOTS }))
  const length = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 300 }) },
    { weight: 3, arbitrary: fc.integer({ min: 1, max: Math.max(2, maxLength >> 5) }) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: maxLength >> 1 }) })
  const expires = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1000 }), fc.constant(8.64e15))
  const one = <D extends string>(name: D): fc.Arbitrary<D> => fc.constant(name)
  return fc.oneof(
    { weight: 100, arbitrary: fc.record({ do: one('put'), slot, key, length, flat: fc.boolean(), expires }) },
    { weight: 20, arbitrary: fc.record({ do: one('times'), slot, key, expires }) },
    { weight: 25, arbitrary: fc.record({ do: one('remove'), slot, key }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('commit' as const, 'commit' as const, 'abort' as const), slot: fc.integer({ min: 1, max: SLOTS }) }) },
    { weight: 8, arbitrary: fc.record({ do: one('resolve'), slot: fc.integer({ min: 1, max: SLOTS }) }) },
    { weight: 4, arbitrary: fc.record({ do: one('sweep'), now: fc.nat(1000) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('reopen' as const, 'check' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: one('clear') }) })
}

/** A table beside what it should hold: entries in their order, and what transactions have written. */
class Run {
  readonly under: TableUnderTest
  readonly #policy: 'fifo' | 'none'
  #entries = new Map<string, Known>()
  readonly #transactions = new Map<number, Transaction>()
  readonly #keys = new Set<string>()
  #generation = 0
  #modified = 1e12

  constructor(bytes: number, policy: 'fifo' | 'none', hashBits: number) {
    this.under = new TableUnderTest(bytes, policy, hashBits)
    this.#policy = policy
    this.#listen()
  }

  take(step: Step, index: number): void {
    const { under } = this
    switch (step.do) {
      case 'put': case 'times': case 'remove': return this.#write(step, index)
      case 'commit': case 'abort': return this.#end(step.slot, step.do === 'commit' ? SLOT_STATE.committed : SLOT_STATE.aborted)
      case 'resolve': return this.#resolve(step.slot)
      case 'sweep':
        for (let cursor = 0; ;) {
          cursor = under.writer.sweep(cursor, step.now, 100)
          if (cursor === 0) break
        }
        for (const [key, { expires }] of this.#entries) if (expires !== 0 && expires <= step.now && !this.#isLocked(key)) this.#entries.delete(key)
        return
      case 'clear':
        expect(under.writer.clear()).to.equal(this.#entries.size)
        this.#entries.clear()
        return
      case 'reopen':
        under.reopen(this.#policy)
        this.#listen()
        return
      case 'check': return this.check()
    }
  }

  check(): void {
    const { under } = this
    under.writer.verify()
    expect(under.keysInOrder()).to.deep.equal([...this.#entries.keys()])
    expect(under.reader.entries).to.equal(this.#entries.size)
    expect(under.writer.preparedSlots().every((slot) => this.#transactions.has(slot))).to.equal(true)
    const scanned = this.#scan()
    const snapshot = new Snapshot()
    for (const key of this.#keys) {
      const known = this.#visible(key)
      expect(known === undefined ? under.get(key) === undefined : known.value.equals(under.get(key) ?? Buffer.alloc(0)), `value of ${key}`).to.equal(true)
      expect(under.locate(key)).to.equal(known !== undefined)
      if (known !== undefined) {
        const { expiresAt, duration, modifiedAt, valueLength } = under.reader
        expect([modifiedAt, expiresAt, duration, valueLength]).to.deep.equal([known.modified, known.expires, known.duration, known.value.length])
      }
      expect(scanned.get(key)).to.deep.equal(known)
      scanned.delete(key)
      const bytes = Buffer.from(key)
      snapshot.add(under.reader, under.hashOf(key), bytes, 0, bytes.length)
    }
    expect([...scanned.keys()]).to.deep.equal([])
    const values = snapshot.read({ now: () => 500 })
    if (values === BUSY) throw new Error('busy, with nobody who writes')
    ;[...this.#keys].forEach((key, index) => {
      const known = this.#visible(key)
      const value = values[index]
      if (known === undefined || (known.expires !== 0 && known.expires <= 500)) expect(value).to.equal(MISSING)
      else expect(known.value.equals(typeof value === 'string' ? Buffer.from(`s${value}`, 'latin1') : value as Buffer), `value of ${key} in a snapshot`).to.equal(true)
    })
  }

  #write(step: Write & { slot: number }, index: number): void {
    const { under } = this
    const key = keyOf(step.key)
    if (!this.#lock(step.slot, key)) return
    this.#keys.add(key)
    const before = this.#found(step.slot, key)
    let after: Known | null | undefined
    try {
      under.within(step.slot, () => {
        const block = under.find(key)
        expect(block !== 0, `${key} is found in ${step.slot}`).to.equal(before !== undefined)
        if (step.do === 'put') {
          const value = valueOf(index, step.length, step.flat ? FLAT_TAG : BYTES_TAG)
          expect(under.put(key, value, ++this.#modified, step.expires, index + 1)).to.equal(before === undefined)
          after = { value, modified: this.#modified, expires: step.expires, duration: step.expires === 0 ? 0 : index + 1 }
        } else if (block !== 0 && step.do === 'times') {
          expect(under.keyAt(under.writer.setTimes(block, ++this.#modified, step.expires, index))).to.equal(key)
          after = { value: before!.value, modified: this.#modified, expires: step.expires, duration: step.expires === 0 ? 0 : index }
        } else if (block !== 0) {
          under.writer.remove(block)
          after = null
        }
      })
    } catch (error) {
      if (errorCode(error) !== 'ERR_FULL') throw error
      if (this.#policy === 'fifo') expect([...this.#entries.keys()].filter((other) => other !== key && !this.#isLocked(other))).to.deep.equal([])
      return
    }
    if (after === undefined) return
    if (step.slot !== 0) this.#transactions.get(step.slot)!.written.set(key, after)
    else if (after === null) this.#entries.delete(key)
    else this.#entries.set(key, after)
  }

  /** Locks a key for a transaction, which begins if it has not; false if the key is another's, or the transaction has ended. */
  #lock(slot: number, key: string): boolean {
    const hash = this.under.hashOf(key)
    for (const [other, { hashes }] of this.#transactions) if (other !== slot && hashes.has(hash)) return false
    if (slot === 0) return true
    const known = this.#transactions.get(slot)
    if (known === undefined) {
      this.#transactions.set(slot, { state: SLOT_STATE.running, written: new Map(), hashes: new Set([hash]) })
      this.under.setSlot(slot, SLOT_STATE.running, ++this.#generation)
      return true
    }
    if (known.state !== SLOT_STATE.running) return false
    known.hashes.add(hash)
    return true
  }

  #isLocked(key: string): boolean {
    const hash = this.under.hashOf(key)
    return [...this.#transactions.values()].some(({ hashes }) => hashes.has(hash))
  }

  #end(slot: number, state: SlotState): void {
    const transaction = this.#transactions.get(slot)
    if (transaction?.state !== SLOT_STATE.running) return
    transaction.state = state
    this.under.setSlot(slot, state, this.#generation)
  }

  #resolve(slot: number): void {
    const transaction = this.#transactions.get(slot)
    if (transaction === undefined || transaction.state === SLOT_STATE.running) return
    const { under } = this
    if (transaction.state === SLOT_STATE.aborted) {
      under.writer.undo(slot)
    } else {
      under.writer.finish(slot)
      for (const [key, known] of transaction.written) {
        if (known === null) this.#entries.delete(key)
        else this.#entries.set(key, known)
      }
      // New ones follow in an order that is the writer's own affair.
      const order = under.keysInOrder()
      const added = [...transaction.written.keys()].filter((key) => this.#entries.has(key))
      const old = [...this.#entries.keys()].filter((key) => !added.includes(key))
      expect(order.filter((key) => !added.includes(key))).to.deep.equal(old)
      this.#entries = new Map(order.map((key) => [key, this.#entries.get(key)!]))
    }
    under.setSlot(slot, SLOT_STATE.free, this.#generation)
    this.#transactions.delete(slot)
    expect(under.writer.preparedSlots()).to.not.include(slot)
  }

  /** What a transaction finds, or whoever is in none. */
  #found(slot: number, key: string): Known | undefined {
    const written = this.#transactions.get(slot)?.written.get(key)
    return written === undefined ? this.#entries.get(key) : written ?? undefined
  }

  /** What readers see. */
  #visible(key: string): Known | undefined {
    for (const { state, written } of this.#transactions.values()) {
      if (state === SLOT_STATE.committed && written.has(key)) return written.get(key) ?? undefined
    }
    return this.#entries.get(key)
  }

  #scan(): Map<string, Known> {
    const batch = new ScanBatch()
    const found = new Map<string, Known>()
    let cursor = 0
    do {
      cursor = this.under.reader.scan(cursor, 7, batch, true)
      for (let index = 0; index < batch.count; index++) {
        const key = batch.scratch.bytes.toString('utf8', batch.keyStarts[index], batch.keyEnds[index])
        expect(found.has(key), `${key} is scanned twice`).to.equal(false)
        found.set(key, {
          value: Buffer.from(batch.scratch.bytes.subarray(batch.valueStarts[index], batch.valueEnds[index])),
          modified: batch.modified[index]!, expires: batch.expires[index]!, duration: batch.durations[index]!,
        })
      }
    } while (cursor !== 0)
    return found
  }

  #listen(): void {
    const { under } = this
    under.writer.isLocked = (hash) => [...this.#transactions.values()].some(({ hashes }) => hashes.has(hash))
    under.writer.onEvict = (block) => {
      const key = under.keyAt(block)
      expect(this.#isLocked(key), `${key} was evicted although it is locked`).to.equal(false)
      expect(this.#entries.delete(key), `${key} was evicted`).to.equal(true)
    }
  }
}

describe('a table with transactions does what a Map with pending writes does', () => {
  const variants = [
    { name: 'of 64 KB, evicting the oldest', bytes: 65_536, policy: 'fifo', keys: 100, hashBits: 32, runs: 60 },
    { name: 'of 64 KB, refusing when it is full', bytes: 65_536, policy: 'none', keys: 100, hashBits: 32, runs: 40 },
    { name: 'of 1 MB', bytes: 1 << 20, policy: 'fifo', keys: 200, hashBits: 32, runs: 20 },
    { name: 'with nearly all hashes the same', bytes: 65_536, policy: 'fifo', keys: 30, hashBits: 3, runs: 60 },
  ] as const
  for (const { name, bytes, policy, keys, hashBits, runs } of variants) {
    it(name, () => {
      fc.assert(fc.property(fc.array(stepOf(bytes >> 2, keys), { minLength: 1, maxLength: 400, size: 'max' }), (steps) => {
        const run = new Run(bytes, policy, hashBits)
        steps.forEach((step, index) => {
          run.take(step, index)
          if (index % 40 === 0) run.under.writer.verify()
        })
        run.check()
      }), { numRuns: runs * RUNS, endOnFailure: RUNS > 1 })
    }).timeout(120_000 * RUNS)
  }
})
