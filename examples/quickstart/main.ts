/**
 * Quickstart: several threads share one cache, and it outlives the thread that writes it.
 *
 * Worker threads fill a cache with what the disk says about the installed packages, and read it without a pause, while the
 * main thread keeps writing it. In the middle the thread of a shard is killed, as a crash would. Its supervisor restarts it on
 * the same memory: no read fails, and every value that was acknowledged is still there.
 *
 *     npm start
 */
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { Worker } from 'node:worker_threads'
import { CacheError, formatTree, startNode, type Cache } from 'scatterhoard'
import { findPackages, type PackageInfo } from './packages.js'
import type { LoadReport, ReaderData, ReadReport } from './reader.js'

const THREADS = Math.min(Math.max(availableParallelism(), 2), 8)
const READING_MS = 1500

const nodeModules = fileURLToPath(new URL('../../../node_modules', import.meta.url))
const keys = await findPackages(nodeModules)
if (keys.length === 0) throw new Error(`no packages in ${nodeModules}; run npm install first`)

const node = await startNode({ name: 'quickstart' })
const cache = await node.startCache<PackageInfo>('packages', { memory: '128mb' })

console.log(`Loading ${keys.length} packages from disk, in ${THREADS} threads that share one cache ...`)
const readers = Array.from({ length: THREADS }, (_, index) => startReader(keys.filter((_key, at) => at % THREADS === index)))
const loads = await reports<LoadReport>()

/** The last value of each key that the cache has acknowledged. */
const acknowledged = new Map(loads.flatMap(({ loaded }) => loaded))

console.log('Reading them in all threads, and writing them in this one ...\n')
console.log(formatTree(await node.tree()))
tellReaders('read')
const writing = new AbortController()
const writes: WriteReport = { count: 0, repeated: 0, longestPauseMs: 0 }
const written = keepWriting(cache, acknowledged, writes, writing.signal)
await delay(READING_MS)

// The path in the tree of a shard that this thread writes to.
const shard = (await cache.inspect('mailboxes'))[0]!.actor
console.log(`\nKilling the thread of ${shard} ...\n`)
writes.longestPauseMs = 0
await node.kill(shard)

await delay(READING_MS)
writing.abort()
tellReaders('stop')
const reads = await reports<ReadReport>()
await written
const tree = formatTree(await node.tree())
console.log(tree)

let lost = 0
for (const [key, info] of acknowledged) if (!isDeepStrictEqual(await cache.get(key), info)) lost++
await node.stop()

const loadMs = mean(loads.map(({ ms, misses }) => ms / misses))
const readMs = mean(reads.map(({ ms, reads: count }) => ms / count))
const perSecond = sum(reads.map(({ ms, reads: count }) => count / ms * 1000))
const failures = sum(reads.map((report) => report.failures))
const readMisses = sum(reads.map((report) => report.misses))

console.log(`
                      reads     misses   one takes
from disk    ${cell(keys.length)} ${cell(sum(loads.map(({ misses }) => misses)))}   ${loadMs.toFixed(2)} ms
from cache   ${cell(sum(reads.map(({ reads: count }) => count)))} ${cell(readMisses)}   ${(readMs * 1000).toFixed(2)} µs

${cell(perSecond)} reads a second by ${THREADS} threads, beside ${format(writes.count)} writes

The crash of the shard cost
${cell(failures)} failed reads
${cell(lost)} lost entries of ${acknowledged.size}
${cell(writes.repeated)} writes of unknown outcome, repeated
${cell(writes.longestPauseMs)} ms until it wrote again`)

const held = lost === 0 && failures === 0 && readMisses === 0 && tree.includes('1 restart')
console.log(held ? '\nNothing was lost.' : '\nThis should not have happened.')
process.exitCode = held ? 0 : 1

function startReader(share: string[]): Worker {
  const { descriptor, transfer } = cache.attachment()
  const data: ReaderData = { descriptor, nodeModules, keys, share }
  return new Worker(new URL('./reader.js', import.meta.url), { workerData: data, transferList: transfer })
}

/** The next report of every reader. */
function reports<R>(): Promise<R[]> {
  return Promise.all(readers.map(async (reader) => (await once(reader, 'message') as [R])[0]))
}

function tellReaders(what: 'read' | 'stop'): void {
  for (const reader of readers) reader.postMessage(what)
}

interface WriteReport {
  count: number
  repeated: number
  /** The longest time between two acknowledgements. */
  longestPauseMs: number
}

/** Writes one value after another, and remembers what was acknowledged. */
async function keepWriting(to: Cache<PackageInfo>, values: Map<string, PackageInfo>, report: WriteReport, signal: AbortSignal): Promise<void> {
  let lastMs = performance.now()
  while (!signal.aborted) {
    for (const [key, info] of values) {
      const checked = { ...info, checkedAt: new Date() }
      try {
        await to.put(key, checked)
      } catch (error) {
        // The one message that a shard dies over is not run again silently: who sent it decides. A put may be repeated.
        if (!(error instanceof CacheError) || error.outcome !== 'unknown') throw error
        report.repeated++
        await to.put(key, checked)
      }
      values.set(key, checked)
      report.count++
      const nowMs = performance.now()
      report.longestPauseMs = Math.max(report.longestPauseMs, nowMs - lastMs)
      lastMs = nowMs
    }
  }
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function mean(numbers: number[]): number {
  return sum(numbers) / numbers.length
}

function format(number: number): string {
  return Math.round(number).toLocaleString('en')
}

function cell(number: number): string {
  return format(number).padStart(10)
}
