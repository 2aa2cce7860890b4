/**
 * Two reader threads against one writer thread, for as many reads as one likes:
 *
 *   node dist/test/races/readers.js --reads 100000000
 *
 * Ends with code 1 at the first value that is torn, foreign or older than it may be.
 */
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { createRace, readRace, STOP_WORD, writeRace, type Race, type RaceResult } from './race.js'

interface Part { race: Race; role: 'read' | 'write'; reads: number; seed: number }

if (isMainThread) await main()
else play(workerData as Part)

function play({ race, role, reads, seed }: Part): void {
  if (role === 'write') writeRace(race)
  else parentPort!.postMessage(readRace(race, (done) => done >= reads, seed))
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { reads: { type: 'string', default: '10000000' }, threads: { type: 'string', default: '2' } } })
  const threads = Number(values.threads)
  const reads = Math.ceil(Number(values.reads) / threads)
  const race = createRace()
  const start = performance.now()
  const writer = run({ race, role: 'write', reads: 0, seed: 0 })
  const readers = Array.from({ length: threads }, (_, index) => run({ race, role: 'read', reads, seed: index + 1 }))
  try {
    const results = await Promise.race([Promise.all(readers), writer.then(() => { throw new Error('the writer has ended') })])
    for (const result of results) console.log(result)
    console.log(`nothing wrong in ${Math.round((performance.now() - start) / 1000)} s`)
  } finally {
    Atomics.store(new Int32Array(race.acknowledged), STOP_WORD, 1)
  }
  await writer
}

function run(part: Part): Promise<RaceResult | undefined> {
  return new Promise((resolve, reject) => {
    let result: RaceResult | undefined
    new Worker(new URL(import.meta.url), { workerData: part })
      .on('message', (message: RaceResult) => { result = message })
      .on('error', reject)
      .on('exit', () => resolve(result))
  })
}
