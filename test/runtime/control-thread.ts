/** The other end of a control link, on a thread of its own. */
import { workerData, type MessagePort } from 'node:worker_threads'
import { serveControl } from '../../runtime/control.js'

await serveControl({ double: (n: number) => n * 2 }, (workerData as { port: MessagePort }).port)
