/** The other thread of `blocked-main.ts`: kills shards, reads, writes and waits for the janitor while the main thread is stuck. */
import { attachCache, type CacheDescriptor } from 'scatterhoard'
import { setTimeout } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'

const { descriptor, blocked, blockedMs } = workerData as { descriptor: CacheDescriptor; blocked: Int32Array; blockedMs: number }
const cache = await attachCache<number>(descriptor)
await cache.put('before', 1)
Atomics.store(blocked, 0, 1)
const end = performance.now() + blockedMs
const report = { crashes: 0, codes: [] as string[], lost: 0, written: 0, swept: false }
await cache.put('expiring', 1, { expire: 100 })
await cache.put('kept', 1)
while (performance.now() < end) {
  await cache.getAndUpdate('x', 'bad.exit', { args: [1] }).catch((error: unknown) => {
    report.crashes++
    if (!report.codes.includes((error as { code: string }).code)) report.codes.push((error as { code: string }).code)
  })
  for (let index = 0; index < 100; index++) {
    await cache.put(index, index)
    report.written++
    if (await cache.get(index) !== index || cache.getSync('kept') !== 1) report.lost++
  }
  if (await cache.inspect(['entry', 'expiring']) === undefined) report.swept = true
  await setTimeout(blockedMs / 8)
}
parentPort!.postMessage(report)
Atomics.store(blocked, 0, 2)
