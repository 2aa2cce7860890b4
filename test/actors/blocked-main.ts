/** A process whose main thread is stuck in a loop for a while; an attached thread reports what it could do meanwhile. */
import { startNode } from 'scatterhoard'
import { Worker } from 'node:worker_threads'

const blockedMs = Number(process.argv[2])
const node = await startNode({ name: 'stuck', shardThreads: 1, functions: [new URL('./functions.js', import.meta.url)] })
const cache = await node.startCache('stuck', { shards: 2, memory: '4mb', expiration: { interval: 200 } })
const { descriptor, transfer } = cache.attachment()
const blocked = new Int32Array(new SharedArrayBuffer(4))
const worker = new Worker(new URL('./blocked-worker.js', import.meta.url), { workerData: { descriptor, blocked, blockedMs }, transferList: transfer })
const report = new Promise((resolve) => worker.once('message', resolve))
while (Atomics.load(blocked, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 1))
// Stuck until the other thread is through.
const end = performance.now() + blockedMs * 3
while (Atomics.load(blocked, 0) === 1 && performance.now() < end);
console.log(JSON.stringify({ ...await report as object, inTime: performance.now() < end }))
await node.stop()
