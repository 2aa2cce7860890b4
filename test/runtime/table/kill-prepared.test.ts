import { expect } from 'chai'
import { MOVES_WORD } from '../../../runtime/table/layout.js'
import { SLOT_STATE, type SlotState } from '../../../runtime/table/transactions.js'
import { dyingAt } from './dying-writer.js'
import { BYTES_TAG, FLAT_TAG, TableUnderTest, valueOf } from './fixture.js'

const { running, committed, aborted } = SLOT_STATE
const SLOT = 9
const TABLE_BYTES = 65_536

interface Scenario {
  name: string
  /** The state of the slot all the time: by it, readers see all that was prepared before the change, or nothing that is prepared. */
  state: SlotState
  /** Brings the table to where the change begins. */
  before: (under: TableUnderTest) => void
  change: (under: TableUnderTest) => void
  /** Whether other entries may be gone: evicted for room. */
  mayLose?: boolean
  moves?: boolean
}

function fill(under: TableUnderTest, entries = 12, length = (index: number): number => 40 + index): void {
  for (let index = 0; index < entries; index++) under.put(`k${index}`, valueOf(index, length(index), index % 2 === 0 ? FLAT_TAG : BYTES_TAG), index + 1)
}

function prepareSome(under: TableUnderTest): void {
  fill(under)
  under.put('k5', valueOf(77, 9000), 50)
  under.within(SLOT, () => {
    under.put('k3', valueOf(101, 60), 60)
    under.put('k4', valueOf(102, 9000), 61)
    under.put('k5', valueOf(103, 50, FLAT_TAG), 62)
    under.remove('k6')
    under.put('new', valueOf(104, 80), 63)
    under.put('newer', valueOf(105, 5000), 64)
  })
}

/** A table whose pages are full, and nearly empty in one class, in which a transaction has something. */
function prepareScattered(under: TableUnderTest): void {
  for (let index = 0; index < 400; index++) under.within(index % 50 === 0 ? SLOT : 0, () => under.put(`k${index}`, valueOf(index, 60), index + 1))
  for (let index = 0; index < 400; index++) if (index % 5 !== 0) under.remove(`k${index}`)
  for (let index = 400; under.reader.bytesUsed < under.reader.capacityBytes; index++) under.put(`k${index}`, valueOf(index, 400), index + 1)
}

const PREPARES: Record<string, (under: TableUnderTest) => void> = {
  'a value over another': (under) => under.put('k7', valueOf(99, 70), 100),
  'a value of a new key': (under) => under.put('other', valueOf(99, 70), 100),
  'a large value over a small one': (under) => under.put('k7', valueOf(99, 9000), 100),
  'a small value over a large one': (under) => under.put('k5', valueOf(99, 70), 100),
  'a removal': (under) => under.remove('k7'),
  'an expiry of a large value': (under) => under.writer.setTimes(under.find('k4'), 100, 5000, 10),
  'a value in place of one it prepared': (under) => under.put('k3', valueOf(99, 300), 100),
  'a value in place of a large one it prepared': (under) => under.put('k4', valueOf(99, 30), 100),
  'a value in place of a removal': (under) => under.put('k6', valueOf(99, 70), 100),
  'a removal in place of a value': (under) => under.remove('k4'),
  'the removal of a new key': (under) => under.remove('newer'),
}

const scenarios: Scenario[] = [
  ...Object.entries(PREPARES).map(([what, prepare]): Scenario => ({
    name: `prepares ${what}`, state: running, before: prepareSome, change: (under) => under.within(SLOT, () => prepare(under)),
  })),
  { name: 'finishes what is committed', state: committed, before: prepareSome, change: (under) => under.writer.finish(SLOT) },
  { name: 'undoes what is aborted', state: aborted, before: prepareSome, change: (under) => under.writer.undo(SLOT) },
  { name: 'evicts for what it prepares', state: running, before: (under) => fill(under, 900, () => 60), change: (under) => under.within(SLOT, () => under.put('new', valueOf(99, 2000), 1000)), mayLose: true },
  { name: 'moves what is prepared', state: running, before: prepareScattered, change: (under) => under.put('other', valueOf(99, 230), 1e6), mayLose: true, moves: true },
  { name: 'moves what is committed', state: committed, before: prepareScattered, change: (under) => under.put('other', valueOf(99, 230), 1e6), mayLose: true, moves: true },
]

/** Every n-th store is one at which a second writer dies, another one each time. */
const SECOND_DEATH_STRIDE = 61

describe('a writer that dies at any store leaves transactions whole', () => {
  for (const { name, state, before, change, mayLose = false, moves = false } of scenarios) {
    it(`while it ${name}, and the next one while it finishes or undoes that`, () => {
      const start = new TableUnderTest(TABLE_BYTES)
      start.setSlot(SLOT, state)
      before(start)
      const snapshot = new Uint8Array(start.table).slice()
      const keys = [...new Set([...start.keysInOrder(), 'new', 'newer', ...Array.from({ length: 400 }, (_, index) => `k${index}`)])]
      const expected = new Map(keys.map((key) => [key, start.get(key)]))
      const order = start.keysInOrder().filter((key) => start.prepared(SLOT, key) === 0)
      let present = 0
      for (const value of expected.values()) if (value !== undefined) present++
      const again = (): TableUnderTest => {
        const under = new TableUnderTest(TABLE_BYTES)
        new Uint8Array(under.table).set(snapshot)
        under.setSlot(SLOT, state)
        return under
      }
      const goal = again()
      goal.reopen()
      change(goal)
      if (moves) expect(movesOf(goal.table)).to.be.greaterThan(movesOf(start.table))
      const kept = mayLose ? keys.filter((key) => goal.get(key) !== undefined) : keys

      let stores = Infinity
      for (let at = 0; at < stores; at++) {
        const under = again()
        const outcome = dyingAt(at, at % 2 === 1, under.table, (arm) => {
          under.reopen()
          arm()
          change(under)
        })
        if (!outcome.killed) stores = outcome.stores
        check(under, `killed at store ${at}`)
        const left = new Uint8Array(under.table).slice()

        resolve(under)
        under.writer.verify()
        expect(under.writer.preparedSlots()).to.deep.equal([])
        check(under, `killed at store ${at}, and resolved`)
        const found = under.keysInOrder()
        if (!mayLose && !found.includes('other')) expect(under.writer.entries).to.equal(present)
        expect(found.filter((key) => order.includes(key)), `order, killed at store ${at}`).to.deep.equal(order.filter((key) => found.includes(key)))

        for (let second = at % SECOND_DEATH_STRIDE, ends = Infinity; second < ends && at % (moves || mayLose ? 7 : 1) === 0; second += SECOND_DEATH_STRIDE) {
          new Uint8Array(under.table).set(left)
          under.setSlot(SLOT, state)
          const next = dyingAt(second, second % 2 === 1, under.table, (arm) => {
            arm()
            resolve(under)
          })
          if (!next.killed) ends = next.stores
          check(under, `killed at store ${at}, and at store ${second} after it`)
          resolve(under)
          under.writer.verify()
          check(under, `killed at store ${at}, and at store ${second} after it, and resolved`)
        }
      }
      expect(stores).to.be.greaterThan(3)

      /** What the next shard does. */
      function resolve(under: TableUnderTest): void {
        under.reopen()
        if (state === running) under.setSlot(SLOT, aborted)
        for (const slot of under.writer.preparedSlots()) {
          if (state === committed) under.writer.finish(slot)
          else under.writer.undo(slot)
        }
      }

      function check(under: TableUnderTest, context: string): void {
        for (const key of kept) {
          const value = expected.get(key)
          expect(under.get(key)?.equals(value ?? Buffer.alloc(0)) ?? value === undefined, `${context}: ${key}`).to.equal(true)
        }
        for (const key of ['other', 'new']) {
          const value = under.get(key)
          if (value !== undefined && !(expected.get(key)?.equals(value) ?? false)) expect(moves, `${context}: ${key}`).to.equal(true)
        }
      }
    }).timeout(120_000)
  }
})

function movesOf(table: SharedArrayBuffer): number {
  return new Int32Array(table)[MOVES_WORD]!
}
