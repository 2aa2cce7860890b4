/** A thread of an application that fetches one key many times at once. Reports how many calls got the same value, and when they are sent. */
import { attachCache, type CacheDescriptor } from 'scatterhoard'
import { parentPort, workerData } from 'node:worker_threads'
import { loaders } from './loaders.js'

const { descriptor, key, calls } = workerData as { descriptor: CacheDescriptor; key: string; calls: number }
const cache = await attachCache<string>(descriptor)
const values = Promise.all(Array.from({ length: calls }, () => cache.fetch(key, loaders.behind, { args: [key], timeout: 20_000 })))
parentPort!.postMessage('sent')
parentPort!.postMessage(await values)
