/**
 * A worker thread with a handle attached to the cache, that reads or only counts. It tells after every batch how many it has
 * done, so that another thread can count them over a window of its own.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { VALUE_BYTES, WALK_MASK, walkKeys } from '../data.js'
import { BATCH } from '../measure.js'
import { attachSubject } from '../subject.js'
import { GATE_BATCHES, GATE_OPEN, countBehind, type Work } from './gate.js'
import type { GatedThreadData } from './gated-thread.js'

const port = parentPort!
const { given, gate } = workerData as GatedThreadData<unknown> // what GatedThread.start passes
const words = new Int32Array(gate)
const cache = await attachSubject<string>(given)

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

port.on('message', (work: Work | 'end') => {
  if (work === 'end') process.exit() // what the handle held is given back; to stop it would stop the cache for everyone
  void (async () => {
    if (work === 'read') await read()
    else countBehind(words)
    port.postMessage('idle')
  })()
})
port.postMessage('idle')
