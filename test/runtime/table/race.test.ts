import { expect } from 'chai'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { createRace, readRace, STOP_WORD, WRITES_WORD } from '../../races/race.js'
import { createTransfers, openTable, readTransfers, TRANSFERS_DONE_WORD, TRANSFERS_STOP_WORD } from '../../races/transfers.js'
import { TableWriter } from '../../../runtime/table/writer.js'

const WRITER = `
  import { workerData } from 'node:worker_threads'
  const { module, write, race } = workerData
  ;(await import(module))[write](race)
`

function startWriter(race: ReturnType<typeof createRace>): Worker {
  return startThread('race', 'writeRace', race)
}

function startThread(file: string, write: string, race: unknown): Worker {
  const module = new URL(`../../races/${file}.js`, import.meta.url).href
  const writer = new Worker(new URL(`data:text/javascript,${encodeURIComponent(WRITER)}`), { workerData: { race, module, write } })
  started.push(writer)
  return writer
}

/** Blocks until the writer has written: the race has begun. */
function untilWritten(words: Int32Array, more: number, writesWord = WRITES_WORD, stopWord = STOP_WORD): void {
  const before = Atomics.load(words, writesWord)
  for (let waits = 0; Atomics.load(words, writesWord) < before + more; waits++) {
    if (waits > 20_000) throw new Error('the writer does not write')
    Atomics.wait(words, stopWord, 0, 1)
  }
}

const started: Worker[] = []

/** A writer whose test failed would go on for ever. */
async function endWriters(): Promise<void> {
  for (const writer of started.splice(0)) await writer.terminate()
}

describe('readers beside a writer', () => {
  afterEach(endWriters)

  it('never see a torn, foreign or outdated value', async () => {
    const race = createRace()
    const words = new Int32Array(race.acknowledged)
    const writer = startWriter(race)
    await once(writer, 'online')
    untilWritten(words, 1)
    const end = performance.now() + 3000
    const result = readRace(race, () => performance.now() > end, 1)
    Atomics.store(words, STOP_WORD, 1)
    const [code] = await once(writer, 'exit') as [number]
    expect(code).to.equal(0)
    expect(result.writes).to.be.greaterThan(1000)
    expect(result.found).to.be.greaterThan(1000)
    expect(result.scanned).to.be.greaterThan(100)
  })

  it('never see one when the writer is terminated at any moment, and the next one goes on', async () => {
    const race = createRace()
    const words = new Int32Array(race.acknowledged)
    for (let round = 0; round < 15; round++) {
      // Numbers of writes begin again with each writer.
      words.fill(0)
      const writer = startWriter(race)
      await once(writer, 'online')
      untilWritten(words, 50 + round * 37)
      await writer.terminate()
      readRace(race, (reads) => reads >= 2000, round)
      const next = TableWriter.open(race.table)
      next.verify()
      next.clear()
    }
  })
})

describe('a reader beside transfers', () => {
  afterEach(endWriters)

  it('adds up the same sum at every moment', async () => {
    const transfers = createTransfers()
    const words = new Int32Array(transfers.words)
    const writer = startThread('transfers', 'writeTransfers', transfers)
    await once(writer, 'online')
    untilWritten(words, 1, TRANSFERS_DONE_WORD, TRANSFERS_STOP_WORD)
    const end = performance.now() + 3000
    const { snapshots } = readTransfers(transfers, () => performance.now() > end)
    Atomics.store(words, TRANSFERS_STOP_WORD, 1)
    const [code] = await once(writer, 'exit') as [number]
    expect(code).to.equal(0)
    expect(words[TRANSFERS_DONE_WORD]).to.be.greaterThan(1000)
    expect(snapshots).to.be.greaterThan(100)
  })

  it('does so when the writer is terminated at any moment, before and after the next one ends what it left', async () => {
    const transfers = createTransfers()
    const words = new Int32Array(transfers.words)
    for (let round = 0; round < 15; round++) {
      words.fill(0)
      const writer = startThread('transfers', 'writeTransfers', transfers)
      await once(writer, 'online')
      untilWritten(words, 50 + round * 37, TRANSFERS_DONE_WORD, TRANSFERS_STOP_WORD)
      await writer.terminate()
      readTransfers(transfers, (snapshots) => snapshots >= 100)
      for (const table of transfers.tables) openTable(table, new Int32Array(transfers.transactions)).verify()
      readTransfers(transfers, (snapshots) => snapshots >= 100)
    }
  })
})
