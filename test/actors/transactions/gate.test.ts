import { expect } from 'chai'
import fc from 'fast-check'
import { Gate, type Claim } from '../../../actors/transactions/gate.js'
import { generationOf, holderOf, Locks, LOCKS_BYTES, slotOf } from '../../../actors/transactions/locks.js'
import type { ParkedRequest } from '../../../runtime/mailbox/parking.js'

function named(name: string): ParkedRequest {
  return { name } as unknown as ParkedRequest
}

function nameOf(parked: ParkedRequest): string {
  return (parked as unknown as { name: string }).name
}

const key = (hash: number): Claim => ({ kind: 'key', hash })
const keys = (holder: number, ...hashes: number[]): Claim => ({ kind: 'keys', hashes, holder })

describe('the locks of a shard', () => {
  it('are held by slot and generation until they are released, also by the next incarnation', () => {
    const buffer = new SharedArrayBuffer(LOCKS_BYTES)
    const locks = new Locks(buffer)
    locks.take([1, -2, 3], holderOf(5, 200))
    locks.take([4], holderOf(6, 1))
    locks.takeExclusive(holderOf(7, 3))
    const next = new Locks(buffer)
    expect(next.holder(-2)).to.equal(holderOf(5, 200))
    expect(next.holders()).to.have.members([holderOf(5, 200), holderOf(6, 1), holderOf(7, 3)])
    expect([slotOf(next.exclusive), generationOf(next.exclusive)]).to.deep.equal([7, 3])
    next.release(holderOf(5, 200))
    next.release(holderOf(7, 3))
    expect([next.holder(1), next.holder(4), next.exclusive, next.count]).to.deep.equal([0, holderOf(6, 1), 0, 1])
    next.take([9], holderOf(8, 1))
    expect(new Locks(buffer).holders()).to.have.members([holderOf(6, 1), holderOf(8, 1)])
  })

  it('are as many as were taken, whatever is taken and released', () => {
    const step = fc.record({ holder: fc.integer({ min: 1, max: 5 }), hashes: fc.array(fc.integer({ min: -10, max: 10 }), { maxLength: 4 }), release: fc.boolean() })
    fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const buffer = new SharedArrayBuffer(LOCKS_BYTES)
      const locks = new Locks(buffer)
      const model = new Map<number, number>()
      for (const { holder, hashes, release } of steps) {
        if (release) {
          locks.release(holder)
          for (const [hash, held] of model) if (held === holder) model.delete(hash)
        } else {
          locks.take(hashes.filter((hash) => !model.has(hash)), holder)
          for (const hash of hashes) if (!model.has(hash)) model.set(hash, holder)
        }
      }
      for (const some of [locks, new Locks(buffer)]) {
        expect(some.count).to.equal(model.size)
        for (let hash = -10; hash <= 10; hash++) expect(some.holder(hash)).to.equal(model.get(hash) ?? 0)
      }
    }), { numRuns: 50 })
  })
})

describe('the gate of a shard', () => {
  const by = (client: number, name: string, overdue = false): ParkedRequest => ({ name, client, isOverdue: () => overdue }) as unknown as ParkedRequest
  const read = (client: number, hash?: number): Claim => ({ kind: 'read', hash, client })

  let locks: Locks
  let gate: Gate

  beforeEach(() => {
    locks = new Locks(new SharedArrayBuffer(LOCKS_BYTES))
    gate = new Gate(locks)
  })

  /** What is carried out now. */
  function advance(most = 100): string[] {
    const ran: string[] = []
    gate.advance(most, (parked) => ran.push(nameOf(parked)))
    return ran
  }

  it('lets everybody pass while nothing is locked', () => {
    for (const claim of [key(1), keys(1, 1, 2), { kind: 'shard' }, { kind: 'exclusive', holder: 1 }] as const) expect(gate.mustWait(claim)).to.equal(false)
    expect(gate.isBusy).to.equal(false)
  })

  it('holds up reads of a client behind what it writes itself, and no others', () => {
    locks.take([1], 7)
    expect(gate.mustWait(read(1, 1))).to.equal(false)
    gate.add(by(1, 'put'), key(1))
    gate.add(by(2, 'clear'), { kind: 'shard' })
    gate.add(by(3, 'lock'), keys(9, 1))
    const waits = [read(1, 1), read(1, 2), read(1), read(2, 1), read(2, 5), read(2), read(3, 1), read(3), read(4, 1)].map((claim) => gate.mustWait(claim))
    expect(waits).to.deep.equal([true, false, true, true, true, true, false, false, false])
    gate.add(by(1, 'get'), read(1, 1))
    gate.add(by(1, 'put again'), key(1))
    gate.add(by(1, 'get again'), read(1, 1))
    expect(advance()).to.deep.equal([])
    locks.release(7)
    gate.moved()
    expect(advance()).to.deep.equal(['put', 'clear', 'lock', 'get', 'put again', 'get again'])
    expect(gate.isBusy).to.equal(false)
  })

  it('takes out what nobody waits for any longer', () => {
    locks.take([1], 7)
    for (const parked of [by(1, 'late', true), by(1, 'waits'), by(1, 'late too', true)]) gate.add(parked, key(1))
    expect(gate.withdrawOverdue(0).map(nameOf)).to.deep.equal(['late', 'late too'])
    expect([gate.waiting, gate.mustWait(read(1, 1))]).to.deep.equal([1, true])
  })

  it('holds up writers of a locked key and nobody else', () => {
    locks.take([1], 7)
    expect(gate.mustWait(key(1))).to.equal(true)
    expect(gate.mustWait(key(2))).to.equal(false)
    expect(gate.mustWait(keys(8, 2, 1))).to.equal(true)
    expect(gate.mustWait(keys(8, 2, 3))).to.equal(false)
    expect(gate.mustWait({ kind: 'shard' })).to.equal(true)
  })

  it('does not hold a transaction up by its own locks', () => {
    locks.take([1], 7)
    expect(gate.mustWait(keys(7, 1))).to.equal(false)
  })

  it('lets those who wait for one key go in the order in which they came', () => {
    locks.take([1], 7)
    gate.add(named('a'), key(1))
    gate.add(named('b'), keys(8, 1, 2))
    gate.add(named('c'), key(1))
    expect(gate.mustWait(key(2)), 'behind b').to.equal(true)
    expect(advance()).to.deep.equal([])
    locks.release(7)
    gate.moved()
    expect(advance()).to.deep.equal(['a', 'b', 'c'])
    expect(gate.isBusy).to.equal(false)
  })

  it('stops at a request that locks what those behind it want', () => {
    locks.take([1], 7)
    gate.add(named('a'), keys(8, 1))
    gate.add(named('b'), key(1))
    gate.add(named('c'), key(2))
    locks.release(7)
    gate.moved()
    const ran: string[] = []
    gate.advance(100, (parked) => {
      ran.push(nameOf(parked))
      if (nameOf(parked) === 'a') locks.take([1], 8)
    })
    expect(ran).to.deep.equal(['a', 'c'])
    locks.release(8)
    gate.moved()
    expect(advance()).to.deep.equal(['b'])
  })

  it('lets a write of the whole shard wait for all locks, and everybody who comes later for it', () => {
    locks.take([1], 7)
    gate.add(named('clear'), { kind: 'shard' })
    expect(gate.mustWait(key(5))).to.equal(true)
    gate.add(named('put'), key(5))
    expect(advance()).to.deep.equal([])
    locks.release(7)
    gate.moved()
    expect(advance()).to.deep.equal(['clear', 'put'])
  })

  it('excludes transactions and no plain writes', () => {
    locks.takeExclusive(7)
    expect(gate.mustWait(key(1))).to.equal(false)
    expect(gate.mustWait(keys(8, 1))).to.equal(true)
    expect(gate.mustWait({ kind: 'exclusive', holder: 8 })).to.equal(true)
    expect(gate.mustWait({ kind: 'exclusive', holder: 7 })).to.equal(false)
  })

  it('lets go of what a transaction that ended waited for', () => {
    locks.take([1], 7)
    gate.add(named('a'), keys(8, 1, 2))
    gate.add(named('b'), key(2))
    expect(gate.withdraw(8).map(nameOf)).to.deep.equal(['a'])
    expect(advance()).to.deep.equal(['b'])
  })

  it('goes on in portions', () => {
    locks.take([1], 7)
    for (const name of ['a', 'b', 'c']) gate.add(named(name), key(1))
    locks.release(7)
    gate.moved()
    expect(advance(2)).to.deep.equal(['a', 'b'])
    expect(gate.mustWait(key(1)), 'c still waits').to.equal(true)
    expect(advance(2)).to.deep.equal(['c'])
    expect(gate.isBusy).to.equal(false)
  })
})
