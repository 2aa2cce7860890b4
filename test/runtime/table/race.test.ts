import { expect } from 'chai'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { createRace, readRace, STOP_WORD, WRITES_WORD } from '../../races/race.js'
import { TableWriter } from '../../../runtime/table/writer.js'

const WRITER = `
  import { workerData } from 'node:worker_threads'
  const { writeRace } = await import(workerData.module)
  writeRace(workerData.race)
`

function startWriter(race: ReturnType<typeof createRace>): Worker {
  const module = new URL('../../races/race.js', import.meta.url).href
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(WRITER)}`), { workerData: { race, module } })
}

/** Blocks until the writer has written: the race has begun. */
function untilWritten(words: Int32Array, more: number): void {
  const before = Atomics.load(words, WRITES_WORD)
  for (let waits = 0; Atomics.load(words, WRITES_WORD) < before + more; waits++) {
    if (waits > 20_000) throw new Error('the writer does not write')
    Atomics.wait(words, STOP_WORD, 0, 1)
  }
}

describe('readers beside a writer', () => {
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
