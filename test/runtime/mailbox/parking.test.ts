import { expect } from 'chai'
import fc from 'fast-check'
import { Parking, type Parkable, type ParkedRequest } from '../../../runtime/mailbox/parking.js'

function request(body: Buffer, overrides: Partial<Parkable> = {}): Parkable {
  const a = Math.min(3, body.length)
  const b = Math.min(a + 2, body.length)
  return {
    client: 7, seq: 9, code: 5, slot: 0, generation: 0, isAsk: true, bytes: Buffer.concat([Buffer.alloc(4), body]), start: 4, aEnd: 4 + a, bEnd: 4 + b, cEnd: 4 + body.length,
    deadline: 0, hasDeadline: false, ...overrides,
  }
}

function bodyOf(parked: ParkedRequest): string {
  return parked.bytes.toString('latin1', parked.start, parked.cEnd)
}

describe('a parking area', () => {
  it('gives a request back as it came', () => {
    const parking = new Parking(new SharedArrayBuffer(1024))
    const parked = parking.park(request(Buffer.from('key--value'), { client: 3, seq: 12, code: 40, slot: 4095, generation: 200, isAsk: false, deadline: -5, hasDeadline: true }))!
    expect(parked).to.include({ client: 3, seq: 12, code: 40, slot: 4095, generation: 200, isAsk: false, deadline: -5, hasDeadline: true, wasRunning: false, own: 0 })
    expect(bodyOf(parked)).to.equal('key--value')
    expect([parked.aEnd - parked.start, parked.bEnd - parked.aEnd]).to.deep.equal([3, 2])
  })

  it('refuses what does not fit, and takes it once there is room', () => {
    const parking = new Parking(new SharedArrayBuffer(256))
    const first = parking.park(request(Buffer.alloc(64)))!
    const second = parking.park(request(Buffer.alloc(64)))!
    expect(parking.park(request(Buffer.alloc(64)))).to.equal(undefined)
    expect(parking.park(request(Buffer.alloc(1024)))).to.equal(undefined)
    parking.leave(first)
    parking.leave(second)
    expect(parking.park(request(Buffer.alloc(200)))).not.to.equal(undefined)
  })

  it('is found by the next incarnation in the order of arrival, with what was running marked', () => {
    const buffer = new SharedArrayBuffer(4096)
    const parking = new Parking(buffer)
    const parked = ['a', 'b', 'c', 'd', 'e'].map((text) => parking.park(request(Buffer.from(text)))!)
    parking.leave(parked[0]!)
    parking.leave(parked[1]!)
    parking.park(request(Buffer.from('f')))
    parking.begin(parked[2]!)
    parked[3]!.own = 77
    const found = new Parking(buffer).takeUp()
    expect(found.map(bodyOf)).to.deep.equal(['c', 'd', 'e', 'f'])
    expect(found.map(({ wasRunning }) => wasRunning)).to.deep.equal([true, false, false, false])
    expect(found[1]!.own).to.equal(77)
  })

  it('knows what is overdue, also when deadlines wrap', () => {
    const parking = new Parking(new SharedArrayBuffer(1024))
    const parked = parking.park(request(Buffer.alloc(0), { deadline: -2147483648, hasDeadline: true }))!
    expect(parked.isOverdue(2147483647)).to.equal(false)
    expect(parked.isOverdue(-2147483647)).to.equal(true)
    expect(parking.park(request(Buffer.alloc(0)))!.isOverdue(1)).to.equal(false)
  })

  it('holds what a list would hold, whatever comes and goes, and after each restart', () => {
    const steps = fc.array(fc.oneof(
      { weight: 5, arbitrary: fc.record({ op: fc.constant('park' as const), size: fc.nat(300) }) },
      { weight: 4, arbitrary: fc.record({ op: fc.constant('leave' as const), index: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ op: fc.constant('restart' as const) }) },
    ), { maxLength: 120 })
    fc.assert(fc.property(steps, (list) => {
      const buffer = new SharedArrayBuffer(2048)
      let parking = new Parking(buffer)
      let held: { text: string; parked: ParkedRequest }[] = []
      for (const [index, step] of list.entries()) {
        if (step.op === 'park') {
          const text = `${index}`.padEnd(step.size, 'x')
          const parked = parking.park(request(Buffer.from(text)))
          if (parked !== undefined) held.push({ text, parked })
          else expect(held.length, 'an empty area takes anything that fits').to.be.greaterThan(0)
        } else if (step.op === 'leave' && held.length > 0) {
          const [gone] = held.splice(step.index % held.length, 1)
          parking.leave(gone!.parked)
        } else if (step.op === 'restart') {
          parking = new Parking(buffer)
          const found = parking.takeUp()
          expect(found.map(bodyOf)).to.deep.equal(held.map(({ text }) => text))
          held = held.map(({ text }, place) => ({ text, parked: found[place]! }))
        }
        expect(held.map(({ parked }) => bodyOf(parked))).to.deep.equal(held.map(({ text }) => text))
        expect(parking.count).to.equal(held.length)
      }
    }), { numRuns: 300 })
  })
})
