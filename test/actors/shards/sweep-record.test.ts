import { expect } from 'chai'
import { SweepRecord, sweepRecordBytes } from '../../../actors/shards/sweep-record.js'

const T = 1_700_000_000_000

describe('the record of sweeps', () => {
  let record: SweepRecord
  beforeEach(() => (record = new SweepRecord(new SharedArrayBuffer(sweepRecordBytes(2)))))

  it('shows a run when every shard is through with it, and until then the one before', () => {
    expect(record.last()).to.equal(undefined)
    record.begin(T)
    record.note(1, record.run, T + 2.5, 3)
    expect(record.last()).to.equal(undefined)
    record.note(0, record.run, T + 1, 4)
    const first = { started: T, duration: 2, count: 7 }
    expect(record.last()).to.deep.equal(first)
    record.begin(T + 1000)
    expect(record.last()).to.deep.equal(first)
    record.note(0, record.run, T + 1001, 5)
    expect(record.last()).to.deep.equal(first)
    record.note(1, record.run, T + 1000, 0)
    expect(record.last()).to.deep.equal({ started: T + 1000, duration: 1, count: 5 })
  })

  it('shows what is known of a run that a shard never finished, once the next has begun', () => {
    record.begin(T)
    record.note(0, record.run, T + 1, 4)
    record.begin(T + 1000)
    expect(record.last()).to.deep.equal({ started: T, duration: 1, count: 4 })
    record.note(0, record.run, T + 1002, 2)
    record.note(1, record.run, T + 1001, 1)
    expect(record.last()).to.deep.equal({ started: T + 1000, duration: 2, count: 3 })
  })
})
