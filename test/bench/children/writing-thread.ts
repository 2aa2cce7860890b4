/** A worker thread that overwrites random keys of a shard's table as fast as it can, or only counts. */
import { parentPort, workerData } from 'node:worker_threads'
import { WALK_MASK, walk } from '../data.js'
import { BATCH } from '../measure.js'
import { shardTableWriter } from '../shard-table.js'
import { GATE_BATCHES, GATE_OPEN, countBehind, type Work } from './gate.js'
import type { GatedThreadData } from './gated-thread.js'

const port = parentPort!
const { given: table, gate } = workerData as GatedThreadData<SharedArrayBuffer> // what GatedThread.start passes
const words = new Int32Array(gate)
const write = shardTableWriter(table)

/** Begins in the middle of the walk, so as not to keep to the reader's heels. */
let step = (WALK_MASK + 1) / 2

function writeBatches(): void {
  while (Atomics.load(words, GATE_OPEN) === 1) {
    for (let i = 0; i < BATCH; i++, step++) write(walk[step & WALK_MASK]!, step)
    Atomics.add(words, GATE_BATCHES, 1)
  }
}

port.on('message', (work: Work | 'end') => {
  if (work === 'end') {
    port.close()
    return
  }
  if (work === 'write') writeBatches()
  else countBehind(words)
  port.postMessage('idle')
})
port.postMessage('idle')
