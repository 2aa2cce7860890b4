/**
 * A process of its own for `idle.ts`: starts a cache with two shards, says how long that took up to the first write's reply, and
 * stops it; or, given seconds, first says what share of a core it uses when nothing happens, new and after it was busy.
 */
const begun = performance.now()
const { startNode } = await import('scatterhoard')
const { setTimeout: sleep } = await import('node:timers/promises')

export interface IdleAnswer {
  startMs: number
  shareNew: number
  shareAfter: number
}

const seconds = Number(process.argv[2])
const node = await startNode({ shardThreads: 2 })
const cache = await node.startCache('idle', { shards: 2, memory: '32mb' })
await cache.put('first', 1)
const answer: IdleAnswer = { startMs: performance.now() - begun, shareNew: 0, shareAfter: 0 }
if (seconds > 0) {
  // The thread in reserve boots soon after the start, and V8 tidies up.
  await sleep(2500)
  answer.shareNew = await share()
  for (let n = 0; n < 100; n++) await Promise.all(Array.from({ length: 1000 }, (_, index) => cache.put(`key:${index}`, n, { expire: 60_000 })))
  await sleep(500)
  answer.shareAfter = await share()
}
process.send!(answer)
await node.stop()
process.disconnect()

/** CPU time of the whole process as a share of the time that passes. */
async function share(): Promise<number> {
  const start = performance.now()
  const before = process.cpuUsage()
  await sleep(seconds * 1000)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000 / (performance.now() - start)
}
