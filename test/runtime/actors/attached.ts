/** A worker thread of an application: attaches to a node and does what it is told to. */
import { parentPort, workerData } from 'node:worker_threads'
import { AttachedNode } from '../../../runtime/attached-node.js'
import type { NodeAttachment } from '../../../runtime/node.js'
import { counters } from './counter.js'

const { attachment, name, done } = workerData as { attachment: NodeAttachment; name: string; done: SharedArrayBuffer }
const node = new AttachedNode(attachment)
const actor = (await node.whereis(name, counters.blocking))!

parentPort!.on('message', (order: string) => void carryOut(order).then((result) => parentPort!.postMessage(result), (error: unknown) => parentPort!.postMessage(`failed: ${(error as { code?: string }).code}`)))
parentPort!.postMessage('ready')

async function carryOut(order: string): Promise<unknown> {
  switch (order) {
    case 'add': return actor.ask(['add', 1])
    case 'incarnation': return actor.ask(['incarnation'], { timeout: 20_000 })
    case 'whereis': return (await node.whereis(name))?.id
    // Without the main thread: says by shared memory that it is done.
    case 'add a thousand': {
      for (let n = 0; n < 1000; n++) await actor.ask(['add', 1])
      Atomics.store(new Int32Array(done), 0, 1)
      Atomics.notify(new Int32Array(done), 0)
      return 'done'
    }
    // Behind a message that holds the actor, so that they are queued when this thread dies.
    case 'hold and tell': {
      void actor.ask(['hold']).catch(() => undefined)
      let queued = 0
      for (let n = 0; n < 100; n++) if (actor.tell(['add', 1])) queued++
      return queued
    }
    case 'close':
      node.close()
      return actor.ask(['get'])
    default: return undefined
  }
}
