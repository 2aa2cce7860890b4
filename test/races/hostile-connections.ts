/**
 * Thousands of connections by strangers to the port of a node, as many at once as it lets them hold: it stays about as large as it was, and a
 * peer that calls it meanwhile is answered as before. Node, strangers and peer are three processes.
 *
 *     node dist/test/races/hostile-connections.js --connections 10000 --atOnce 1000 --factor 2
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { startNode } from 'scatterhoard'
import { tcp } from 'scatterhoard/bridge'
import { keysOf } from '../actors/cluster/nodes.js'
import type { CrowdReport } from './hostile-crowd.js'
import { inMb } from './memory-watch.js'
import { median, percentiles, runScript, Violations, type Outcome } from './script.js'
import { callHonestly, Target } from './target.js'

export interface HostileConnections extends Record<string, number> {
  connections: number
  /** How many the strangers try to hold. */
  atOnce: number
  /** How long the peer calls before them. */
  quietSeconds: number
  /** How much longer the median call may take than before; a machine that does other things says nothing about it. */
  factor: number
}

const SECRET = 'a secret that no stranger knows'
const MAX_GROWTH_BYTES = 64 << 20
const SAMPLE_MS = 50

export async function hostileConnections({ connections, atOnce, quietSeconds, factor }: HostileConnections): Promise<Outcome> {
  const violations = new Violations()
  const target = await Target.start({ secret: SECRET, caches: { kept: ['target', 'honest'] }, peers: {} }, violations)
  const honest = await startNode({ name: 'honest', shardThreads: 1, pool: { threads: 1 }, bridge: tcp({ peers: { target: target.address }, secret: SECRET }) })
  const cache = await honest.startCache('kept', { nodes: ['target', 'honest'], shards: 1, memory: '8mb' })
  const keys = keysOf(cache, 'target', 20)

  const until = performance.now() + quietSeconds * 1000
  const before = await callHonestly(cache, keys, () => performance.now() < until, violations)
  const { rss, cpuMs } = await target.report()

  const crowd = fork(fileURLToPath(new URL('./hostile-crowd.js', import.meta.url)), [String(target.port), String(connections), String(atOnce)])
  const told = once(crowd, 'message') as Promise<[CrowdReport]>
  const attack = { over: false }
  let largest = rss
  const calling = callHonestly(cache, keys, () => !attack.over, violations)
  const sampling = (async () => {
    while (!attack.over) {
      largest = Math.max(largest, (await target.report()).rss)
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS))
    }
  })()
  const ended = once(crowd, 'exit').then(() => [undefined] as const)
  const [report] = await Promise.race([told, ended])
  attack.over = true
  const spentMs = (await target.report()).cpuMs - cpuMs
  await sampling
  const meanwhile = await calling
  await ended

  violations.check(report?.ended === connections, () => `of ${connections} connections ${report?.ended} ended`)
  violations.check(largest - rss <= MAX_GROWTH_BYTES, () => `the node grew from ${inMb(rss)} to ${inMb(largest)}`)
  violations.check(meanwhile.length > 0 && median(meanwhile) <= median(before) * factor, () => `a peer's calls took ${percentiles(meanwhile)}; before, ${percentiles(before)}`)
  await honest.stop()
  await target.stop()
  return {
    figures: {
      'connections a second': Math.round(connections / (report?.seconds ?? NaN)), 'processor time of the node for each, at most': `${(spentMs / connections).toFixed(3)} ms`, 'resident before, at most': `${inMb(rss)}, ${inMb(largest)}`,
      'calls before': `${before.length}: ${percentiles(before)}`, 'calls meanwhile': `${meanwhile.length}: ${percentiles(meanwhile)}`,
    },
    violations: violations.list,
  }
}

await runScript(import.meta.url, { connections: 10_000, atOnce: 1000, quietSeconds: 5, factor: 2 }, hostileConnections)
