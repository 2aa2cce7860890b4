/**
 * A worker thread of the application. It attaches the cache that the main thread started, loads its share of the
 * packages through it, and then reads all of them, those that other threads loaded too, until it is told to stop.
 */
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { attachCache, type CacheDescriptor } from 'scatterhoard'
import { loadPackage, type PackageInfo } from './packages.js'

export interface ReaderData {
  descriptor: CacheDescriptor
  nodeModules: string
  /** The keys of all packages, and those that this thread loads. */
  keys: string[]
  share: string[]
}

export interface LoadReport {
  /** What was put and acknowledged. */
  loaded: [key: string, info: PackageInfo][]
  misses: number
  ms: number
}

export interface ReadReport {
  reads: number
  misses: number
  failures: number
  ms: number
}

/** Between so many reads a thread lets its event loop turn. */
const READS_A_TURN = 5000

const port = parentPort!
const { descriptor, nodeModules, keys, share } = workerData as ReaderData
const cache = await attachCache<PackageInfo>(descriptor)

port.postMessage(await load())
await once(port, 'message')
const stop = new AbortController()
port.once('message', () => stop.abort())
port.postMessage(await readUntil(stop.signal))

async function load(): Promise<LoadReport> {
  const loaded: LoadReport['loaded'] = []
  let misses = 0
  const startedAt = performance.now()
  for (const key of share) loaded.push([key, await readThrough(key, () => misses++)])
  return { loaded, misses, ms: performance.now() - startedAt }
}

/** A cache in front of a slow source, by hand: look, and on a miss load and keep. */
async function readThrough(key: string, onMiss: () => void): Promise<PackageInfo> {
  const cached = await cache.get(key)
  if (cached !== undefined) return cached
  onMiss()
  const info = await loadPackage(nodeModules, key)
  await cache.put(key, info)
  return info
}

async function readUntil(signal: AbortSignal): Promise<ReadReport> {
  const report = { reads: 0, misses: 0, failures: 0, ms: 0 }
  const startedAt = performance.now()
  while (!signal.aborted) {
    for (let n = 0; n < READS_A_TURN; n++) {
      try {
        const info = await cache.get(keys[report.reads++ % keys.length]!)
        if (info === undefined) report.misses++
      } catch {
        report.failures++
      }
    }
    await setImmediate()
  }
  report.ms = performance.now() - startedAt
  return report
}
