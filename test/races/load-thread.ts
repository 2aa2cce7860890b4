/** A worker thread of the application with an attached handle and a load of its own; its report is its last message. */
import { attachCache, type CacheDescriptor } from 'scatterhoard'
import { once } from 'node:events'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import type { Cache } from 'scatterhoard'
import { Load, type LoadReport } from './load.js'

interface Given {
  descriptor: CacheDescriptor
  seed: number
  outage: SharedArrayBuffer
}

export interface LoadThread {
  stop(): Promise<LoadReport>
}

/** Starts the thread; resolves when its load runs. */
export async function startLoadThread(cache: Cache<unknown>, seed: number, outage: SharedArrayBuffer): Promise<LoadThread> {
  const { descriptor, transfer } = cache.attachment()
  const workerData: { load: Given } = { load: { descriptor, seed, outage } }
  const worker = new Worker(new URL(import.meta.url), { workerData, transferList: transfer })
  await once(worker, 'message')
  return {
    async stop() {
      const exited = once(worker, 'exit')
      const reported = once(worker, 'message') as Promise<[LoadReport]>
      worker.postMessage('stop')
      const [report] = await reported
      await exited
      return report
    },
  }
}

const { load: given } = (workerData ?? {}) as { load?: Given }
if (parentPort !== null && given !== undefined) {
  const load = new Load(await attachCache(given.descriptor), 'thread', given.seed, given.outage)
  load.start()
  parentPort.postMessage('running')
  parentPort.once('message', () => void load.stop().then((report) => parentPort!.postMessage(report)))
}
