import { expect } from 'chai'
import { MOVES_WORD, tableGeometry, versionOfGroup } from '../../../runtime/table/layout.js'
import { dyingAt } from './dying-writer.js'
import { BYTES_TAG, FLAT_TAG, TableUnderTest, valueOf } from './fixture.js'

interface Scenario {
  name: string
  /** Brings the table to where the change begins. */
  before: (under: TableUnderTest) => void
  change: (under: TableUnderTest) => void
  /** Key whose value may be the old or the new one, and nothing else. */
  changed?: string
  /** Whether entries may be gone besides: evicted for room, or cleared. */
  mayLose?: boolean
  /** Whether blocks have to move for it. */
  moves?: boolean
}

function fill(under: TableUnderTest, entries: number, length: (index: number) => number): void {
  for (let index = 0; index < entries; index++) under.put(`k${index}`, valueOf(index, length(index), index % 2 === 0 ? FLAT_TAG : BYTES_TAG), index + 1)
}

const scenarios: Scenario[] = [
  { name: 'inserts', before: (under) => fill(under, 20, () => 60), change: (under) => under.put('new', valueOf(99, 60), 100), changed: 'new' },
  { name: 'overwrites', before: (under) => fill(under, 20, () => 60), change: (under) => under.put('k7', valueOf(99, 61), 100), changed: 'k7' },
  { name: 'overwrites the oldest with a larger one', before: (under) => fill(under, 20, () => 60), change: (under) => under.put('k0', valueOf(99, 300), 100), changed: 'k0' },
  { name: 'overwrites a large value', before: (under) => { fill(under, 20, () => 60); under.put('k7', valueOf(98, 9000), 99) }, change: (under) => under.put('k7', valueOf(99, 7000), 100), changed: 'k7' },
  { name: 'removes', before: (under) => fill(under, 20, () => 60), change: (under) => under.remove('k7'), changed: 'k7' },
  { name: 'removes a large value', before: (under) => { fill(under, 20, () => 60); under.put('k7', valueOf(98, 9000), 99) }, change: (under) => under.remove('k7'), changed: 'k7' },
  { name: 'sets an expiry', before: (under) => fill(under, 20, () => 60), change: (under) => under.writer.setTimes(under.find('k7'), 100, 5000, 10) },
  { name: 'sets the expiry of a large value', before: (under) => { fill(under, 20, () => 60); under.put('k7', valueOf(98, 9000), 99) }, change: (under) => under.writer.setTimes(under.find('k7'), 100, 5000, 10) },
  { name: 'evicts', before: (under) => fill(under, 900, () => 60), change: (under) => under.put('new', valueOf(99, 2000), 1000), changed: 'new', mayLose: true },
  {
    name: 'moves blocks together',
    before: (under) => {
      fill(under, 500, () => 60)
      for (let index = 0; index < 500; index++) if (index % 5 !== 0) under.remove(`k${index}`)
      for (let index = 500; under.reader.bytesUsed < under.reader.capacityBytes; index++) under.put(`k${index}`, valueOf(index, 400), index + 1)
    },
    change: (under) => under.put('new', valueOf(99, 230), 1e6), changed: 'new', mayLose: true, moves: true,
  },
  {
    name: 'moves segments together',
    before: (under) => {
      for (let index = 0; index < 60; index++) under.put(`k${index}`, valueOf(index, 500 + 120), index + 1)
      for (let index = 0; index < 60; index++) if (index % 3 !== 0) under.remove(`k${index}`)
      for (let index = 60; under.reader.bytesUsed < under.reader.capacityBytes; index++) under.put(`k${index}`, valueOf(index, 330), index + 1)
    },
    change: (under) => under.put('new', valueOf(99, 230), 1e6), changed: 'new', mayLose: true, moves: true,
  },
  { name: 'clears', before: (under) => fill(under, 40, () => 60), change: (under) => under.writer.clear(), mayLose: true },
  { name: 'sweeps', before: (under) => { fill(under, 20, () => 60); under.put('gone', valueOf(5, 60), 50, 60, 10) }, change: (under) => under.writer.sweep(0, 70, 1e6), changed: 'gone' },
]

describe('a writer that dies at any store leaves a table that is whole', () => {
  for (const { name, before, change, changed, mayLose = false, moves = false } of scenarios) {
    it(`while it ${name}`, () => {
      const prepared = new TableUnderTest(65_536)
      before(prepared)
      const order = prepared.keysInOrder()
      const old = new Map(order.map((key) => [key, prepared.get(key)!]))
      const snapshot = new Uint8Array(prepared.table).slice()
      const goal = new TableUnderTest(65_536)
      new Uint8Array(goal.table).set(snapshot)
      goal.reopen()
      change(goal)
      const aim = changed === undefined ? undefined : goal.get(changed)

      let stores = Infinity
      for (let at = 0; at < stores; at++) {
        const under = new TableUnderTest(65_536)
        new Uint8Array(under.table).set(snapshot)
        const outcome = dyingAt(at, at % 2 === 1, under.table, (arm) => {
          under.reopen()
          arm()
          change(under)
        })
        if (!outcome.killed) stores = outcome.stores
        const versions = versionsOf(under.table)
        const context = `killed at store ${at}`
        const seenBefore = changed === undefined ? undefined : under.get(changed)
        check(under, context)

        under.reopen()
        under.writer.verify()
        versionsOf(under.table).forEach((version, group) => expect(version, context).to.not.equal(versions[group]))
        check(under, context)
        if (changed !== undefined) expect(under.get(changed)?.equals(seenBefore ?? Buffer.alloc(0)) ?? seenBefore === undefined, `${context}: taken back`).to.equal(true)
        const kept = under.keysInOrder()
        if (name !== 'clears') expect(kept.filter((key) => old.has(key)), `${context}: order`).to.deep.equal(order.filter((key) => kept.includes(key)))
        under.put('after', valueOf(1, 200), 1e7)
        under.writer.verify()
      }
      expect(stores).to.be.greaterThan(3)
      if (moves) expect(movesOf(goal.table)).to.be.greaterThan(movesOf(prepared.table))

      function check(under: TableUnderTest, context: string): void {
        for (const [key, value] of old) {
          const found = under.get(key)
          if (key === changed) expect(found === undefined ? aim === undefined : found.equals(value) || found.equals(aim ?? value), `${context}: ${key}`).to.equal(true)
          else if (found === undefined) expect(mayLose, `${context}: ${key} is lost`).to.equal(true)
          else expect(found.equals(value), `${context}: ${key}`).to.equal(true)
        }
      }
    }).timeout(60_000)
  }
})

function versionsOf(table: SharedArrayBuffer): Int32Array {
  const words = new Int32Array(table)
  return Int32Array.from({ length: tableGeometry(table).groups }, (_, group) => words[versionOfGroup(group)]!)
}

function movesOf(table: SharedArrayBuffer): number {
  return new Int32Array(table)[MOVES_WORD]!
}
