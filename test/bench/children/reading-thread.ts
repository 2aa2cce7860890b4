/**
 * A worker thread with a handle attached to the cache. On a message it reads, or only counts, until the gate closes, and
 * tells after every batch how many batches it has done, so that another thread can count them over a window of its own.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { VALUE_BYTES, WALK_MASK, walkKeys } from '../data.js'
import { BATCH } from '../measure.js'
import { attachSubject } from '../subject.js'
import { GATE_BATCHES, GATE_OPEN, countOneBatch, type ReadingThreadData, type Work } from './reading-gate.js'

const port = parentPort!
const { descriptor, gate } = workerData as ReadingThreadData // what figures/threads.ts passes
const words = new Int32Array(gate)
const cache = await attachSubject<string>(descriptor)

async function read(): Promise<void> {
  let batches = 0
  let sum = 0
  while (Atomics.load(words, GATE_OPEN) === 1) {
    const from = (batches * BATCH) & WALK_MASK
    for (let i = from; i < from + BATCH; i++) sum += (await cache.get(walkKeys[i]!))?.length ?? 0
    batches++
    Atomics.add(words, GATE_BATCHES, 1)
  }
  if (sum !== batches * BATCH * VALUE_BYTES) throw new Error('reads of the attached thread missed')
}

function count(): void {
  while (Atomics.load(words, GATE_OPEN) === 1) {
    countOneBatch()
    Atomics.add(words, GATE_BATCHES, 1)
  }
}

port.on('message', (work: Work | 'end') => {
  if (work === 'end') {
    void cache.stop().finally(() => port.close())
    return
  }
  void (async () => {
    if (work === 'read') await read()
    else count()
    port.postMessage('idle')
  })()
})
port.postMessage('idle')
