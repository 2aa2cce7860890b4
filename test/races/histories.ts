/**
 * Histories of registers, counters and lists that two threads work on while shards are killed: each key's has to be linearizable.
 *
 *     node dist/test/races/histories.js --histories 200 --seed 1
 */
import { startNode } from 'scatterhoard'
import { setTimeout as sleep } from 'node:timers/promises'
import { recordOperations, startHistoryThread, type Recorded } from './history-thread.js'
import { counter, isLinearizable, list, register, type Model } from './linearizability.js'
import { randomOf, runScript, Violations, type Outcome } from './script.js'
import { findShards, SHARDS, startCacheUnderFire } from './under-fire.js'

export interface Histories extends Record<string, number> {
  histories: number
  seed: number
}

const MODELS: Record<string, Model> = { r: register, c: counter, l: list }

export async function histories({ histories: rounds, seed }: Histories): Promise<Outcome> {
  const random = randomOf(seed)
  const violations = new Violations()
  await using node = await startNode({ shardThreads: SHARDS })
  const cache = await startCacheUnderFire(node)
  const shards = await findShards(cache)
  const thread = await startHistoryThread(cache)
  let operations = 0
  let unknown = 0
  let kills = 0
  for (let round = 0; round < rounds; round++) {
    const keys = ['r', 'c', 'l'].map((kind) => `${kind}:${round}`)
    const run = { keys, lines: 3, calls: 12 }
    const both = Promise.all([
      recordOperations(cache, { ...run, client: 'm', seed: seed * 1000 + round }),
      thread.record({ ...run, client: 't', seed: seed * 1000 - round }),
    ])
    const over = new AbortController()
    void both.finally(() => over.abort())
    for (;;) {
      await sleep(random(4))
      if (over.signal.aborted) break
      const { id, probe } = shards[random(SHARDS)]!
      await node.kill(id)
      kills++
      // One that is killed again before it stands would hold everything up, and try nothing.
      await cache.put(probe, kills, { timeout: 30_000 })
    }
    const recorded = (await both).flat()
    operations += recorded.length
    unknown += recorded.filter((operation) => operation.return === Infinity).length
    for (const key of keys) {
      const history = recorded.filter((operation) => operation.key === key)
      violations.check(isLinearizable(MODELS[key[0]!]!, history), () => `the history of ${key} could not have happened one after the other:\n${words(history)}`)
    }
  }
  await thread.end()
  return { figures: { histories: rounds * 3, operations, unknown, kills }, violations: violations.list }
}

function words(history: readonly Recorded[]): string {
  return [...history].sort((a, b) => a.call - b.call).map((operation) => JSON.stringify(operation)).join('\n')
}

await runScript(import.meta.url, { histories: 200, seed: 1 }, histories)
