/**
 * The system thread killed again and again under the load of a cache: all threads of the node but the application's die
 * with it, and come back on the vault. Nothing acknowledged may be missing, no ask unanswered, no read fail.
 *
 *     node dist/test/races/cache-system-kills.js --kills 100 --threads 2 --seed 1
 */
import { startNode } from 'scatterhoard'
import { setTimeout as sleep } from 'node:timers/promises'
import { Load } from './load.js'
import { startLoadThread } from './load-thread.js'
import { MemoryWatch } from './memory-watch.js'
import { median, percentiles, randomOf, runScript, Violations, type Outcome } from './script.js'
import { checkLeftovers, findShards, looksWhole, SHARDS, startCacheUnderFire } from './under-fire.js'

/** More deaths than these within ten seconds are not forgiven. */
const PAUSE_MS = 100

export interface SystemKills extends Record<string, number> {
  kills: number
  threads: number
  seed: number
}

export async function cacheSystemKills({ kills, threads, seed }: SystemKills): Promise<Outcome> {
  const random = randomOf(seed)
  const violations = new Violations()
  await using node = await startNode({ shardThreads: threads })
  const cache = await startCacheUnderFire(node)
  const shards = await findShards(cache)
  const outage = new SharedArrayBuffer(4)
  const down = new Int32Array(outage)
  const thread = await startLoadThread(cache, seed + 1, outage)
  const load = new Load(cache, 'main', seed + 2, outage)
  load.start()
  const memory = new MemoryWatch()

  const took: number[] = []
  let verified = 0
  for (let kill = 0; kill < kills; kill++) {
    await sleep(random(PAUSE_MS + 1))
    const start = performance.now()
    Atomics.store(down, 0, 1)
    await node.kill('system')
    const { id } = shards[kill % SHARDS]!
    if (looksWhole(node, id, violations)) verified++
    const probes = shards.map(({ probe }) => cache.put(probe, kill, { timeout: 30_000 }).then(() => took.push(performance.now() - start)))
    await Promise.all(probes).catch((error: unknown) => violations.add(`a write after kill ${kill} failed with ${String(error)}`))
    Atomics.store(down, 0, 0)
    memory.sample(kill / kills)
  }

  const own = await load.stop()
  const others = await thread.stop()
  for (const { id } of shards) looksWhole(node, id, violations)
  await checkLeftovers(node, cache, violations)
  memory.check(violations)
  // One that dies while it starts is not counted.
  violations.check(node.systemRestarts > 0 && node.systemRestarts <= kills, () => `${node.systemRestarts} restarts of the system thread after ${kills} deaths`)
  const crashed = own.crashed + others.crashed
  violations.check(crashed <= kills * SHARDS * 2, () => `${crashed} asks failed as crashed in ${kills} deaths`)
  violations.check(own.readsInOutages > 0 && others.readsInOutages > 0, () => 'nothing was read while the system was down')
  return {
    figures: {
      kills, asks: own.asks + others.asks, acknowledged: own.acknowledged + others.acknowledged, crashed, timedOut: own.timedOut + others.timedOut,
      reads: own.reads + others.reads, readsInOutages: own.readsInOutages + others.readsInOutages, 'tables verified between': verified,
      'until a shard writes again': percentiles(took), 'median ms': Math.round(median(took)), ...memory.figures(),
    },
    violations: [...violations.list, ...own.violations, ...others.violations],
  }
}

await runScript(import.meta.url, { kills: 100, threads: 2, seed: 1 }, cacheSystemKills)
