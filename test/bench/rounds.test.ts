/** The benchmark's own arithmetic: medians, ratios, the rotation of rounds, the table, and its arguments. */
import { expect } from 'chai'
import { choose, readArguments } from './arguments.js'
import { BATCH, median, medianLatency, rateAwaited, rateInFlight, rateSync } from './measure.js'
import { against, compare, medianOfRatios, meets, runRounds } from './rounds.js'
import { formatTable, formatValue } from './table.js'

const all = [
  { name: 'get-sync', group: 'get' },
  { name: 'get-awaited', group: 'get' },
  { name: 'put-latency', group: 'put' },
  { name: 'start', group: 'start' },
]

describe('bench: median', () => {
  it('is the middle value whatever the order, compared as numbers', () => {
    expect(median([100, 9, 20])).to.equal(20)
  })

  it('is the mean of the middle two of an even number', () => {
    expect(median([4, 1, 3, 2])).to.equal(2.5)
  })

  it('leaves its argument as it was', () => {
    const values = [3, 1, 2]
    median(values)
    expect(values).to.deep.equal([3, 1, 2])
  })
})

describe('bench: rounds', () => {
  it('runs each contestant once a round, in rotation, after one warm-up that does not count', async () => {
    const order: string[] = []
    let warm = 0
    const contestant = (name: string) => ({
      name,
      slice: () => {
        order.push(name)
        return warm++ < 3 ? 1000 : 1
      },
    })
    const results = await runRounds(['a', 'b', 'c'].map(contestant), { rounds: 5, sliceMs: 1 })
    expect(order.join('')).to.equal('abc' + 'abc' + 'bca' + 'cab' + 'abc' + 'bca')
    expect([...results.values()]).to.deep.equal([Array(5).fill(1), Array(5).fill(1), Array(5).fill(1)])
  })

  it('refuses two contestants of one name', async () => {
    const twin = { name: 'a', slice: () => 1 }
    const error: unknown = await runRounds([twin, twin], { rounds: 5, sliceMs: 1 }).catch((e: unknown) => e)
    expect(error).to.be.an('error').with.property('message').that.includes("'a'")
  })

  it('gives the ratio of the medians and the median of the ratios', () => {
    const results = new Map([
      ['ours', [10, 30, 20]],
      ['peer', [1, 10, 4]],
    ])
    const row = compare(results, { figure: 'f', unit: 'op/s', ours: 'ours', peer: 'peer', target: { atLeast: 5 } })
    expect(row).to.include({ ours: 20, theirs: 4, ratio: 5, pairedRatio: 5, met: true })
    expect(medianOfRatios([10, 30, 20], [1, 10, 4])).to.equal(5)
    expect(medianOfRatios([10, 30, 30], [1, 10, 4])).to.equal(7.5)
  })

  it('has neither ratio nor verdict for a peer that was left out', () => {
    const row = compare(new Map([['ours', [1]]]), { figure: 'f', unit: 'op/s', ours: 'ours', peer: 'gone', target: { atLeast: 2 } })
    expect(row).to.deep.equal({ figure: 'f', unit: 'op/s', ours: 1, peer: 'gone', target: { atLeast: 2 } })
  })

  it('counts a target as met at the bound, on either side', () => {
    expect(meets(2, { atLeast: 2 })).to.equal(true)
    expect(meets(1.99, { atLeast: 2 })).to.equal(false)
    expect(meets(2, { atMost: 2 })).to.equal(true)
    expect(meets(2.01, { atMost: 2 })).to.equal(false)
    expect(meets(NaN, { atMost: 2 })).to.equal(false)
  })
})

describe('bench: slices', () => {
  it('fail when reads missed', async () => {
    expect(() => rateSync(0.01, 3, () => 3 * BATCH - 3)).to.throw('some reads missed')
    const error: unknown = await rateAwaited(0.01, 3, async () => 0).catch((e: unknown) => e)
    expect(error).to.be.an('error').with.property('message').that.includes('some reads missed')
  })

  it('return a rate when all reads were right', async () => {
    expect(rateSync(0.01, 3, () => 3 * BATCH)).to.be.above(0)
    expect(await rateAwaited(0.01, 3, async () => 3 * BATCH)).to.be.above(0)
  })

  it('keep exactly the window in flight', async () => {
    let inFlight = 0
    let most = 0
    await rateInFlight(1, 16, async () => {
      most = Math.max(most, ++inFlight)
      await new Promise((resolve) => setImmediate(resolve))
      inFlight--
    })
    expect({ most, inFlight }).to.deep.equal({ most: 16, inFlight: 0 })
  })

  it('time single operations one after the other', async () => {
    let running = 0
    const latency = await medianLatency(1, async () => {
      expect(++running).to.equal(1)
      await new Promise((resolve) => setImmediate(resolve))
      running--
    })
    expect(latency).to.be.above(0)
  })
})

describe('bench: table', () => {
  it('prints figure, ours, peer, ratios, target and verdict in columns that line up', () => {
    const text = formatTable([
      { figure: 'get', unit: 'op/s', ours: 5_300_000, peer: 'lmdb get', theirs: 1_500_000, ratio: 3.533, pairedRatio: 3.5, target: { atLeast: 2.5 }, met: true },
      against('start', 'ms', 412.4, { atMost: 300 }, '2 shards'),
    ])
    expect(text.split('\n')).to.deep.equal([
      'figure      ours  peer        peer\'s  ratio  by round  target    met',
      '------  --------  --------  --------  -----  --------  --------  ---',
      'get     5.30 M/s  lmdb get  1.50 M/s   3.53      3.50  ≥ 2.5 ×   yes',
      'start     412 ms  –                –      –         –  ≤ 300 ms  NO',
      '  2 shards',
    ])
  })

  it('shows a dash where a peer or ours is absent', () => {
    expect(formatTable([{ figure: 'f', unit: 'ms', peer: 'gone' }]).split('\n')[2]).to.equal('f          –  gone       –      –         –  –       –')
  })

  it('shows values in units that people read', () => {
    expect([formatValue(11_200, 'op/s'), formatValue(240_000, 'op/s'), formatValue(0.0912, 'ms'), formatValue(14.02, 'ms'), formatValue(47.96, 'bytes'), formatValue(0, 'count'), formatValue(45.4876, 'percent')]).to.deep.equal(
      ['11.2 k/s', '240 k/s', '91.2 µs', '14.0 ms', '48.0 B', '0', '45.49 %'],
    )
  })
})

describe('bench: arguments', () => {
  it('run everything for five rounds by default', () => {
    expect(readArguments([], all)).to.deep.equal({ figures: all, rounds: 5, quick: false, json: 'bench.json', trace: undefined })
  })

  it('replay a trace only where one is named, with its number of entries', () => {
    const replay = { name: 'hit-ratio', group: 'hit-ratio', needsTrace: true }
    expect(readArguments([], [...all, replay]).figures).to.deep.equal(all)
    expect(readArguments(['--only', 'hit-ratio', '--trace', 'file', '--entries', '512'], [...all, replay])).to.deep.include({ figures: [replay], trace: { path: 'file', entries: 512 } })
    expect(() => readArguments(['--only', 'hit-ratio'], [...all, replay])).to.throw(RangeError, 'needs --trace FILE --entries N')
    for (const part of [['--trace', 'file'], ['--entries', '5'], ['--trace', '', '--entries', '5'], ['--trace', 'file', '--entries', '0'], ['--trace', 'file', '--entries', '1.5'], ['--trace', 'file', '--entries', 'many']]) {
      expect(() => readArguments(part, [...all, replay]), part.join(' ')).to.throw(RangeError, '--trace FILE and --entries N go together')
    }
  })

  it('choose by figure and by group, each once, in the order of the table', () => {
    expect(choose('put, get-awaited,get', all).map((figure) => figure.name)).to.deep.equal(['get-sync', 'get-awaited', 'put-latency'])
    expect(readArguments(['--only', 'start', '--only', 'put-latency'], all).figures.map((figure) => figure.name)).to.deep.equal(['put-latency', 'start'])
  })

  it('refuse an unknown name with the list of names', () => {
    expect(() => readArguments(['--only', 'get,pot'], all)).to.throw(RangeError, "--only does not know 'pot'; it takes any of: get, get-sync, get-awaited, put, put-latency, start")
    expect(() => readArguments(['--only', ''], all)).to.throw("does not know ''")
  })

  it('refuse fewer than five rounds, and what is no number', () => {
    for (const rounds of ['4', '5.5', 'many', '']) expect(() => readArguments(['--rounds', rounds], all), rounds).to.throw(RangeError, '--rounds')
    expect(readArguments(['--rounds', '7'], all).rounds).to.equal(7)
  })

  it('refuse options that do not exist', () => {
    expect(() => readArguments(['--fast'], all)).to.throw('--fast')
    expect(() => readArguments(['get'], all)).to.throw('get')
  })
})
