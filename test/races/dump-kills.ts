/**
 * Processes killed while they dump to one file, again and again: each time a whole dump stands there, the previous one or a new one.
 *
 *     node dist/test/races/dump-kills.js --kills 50 --seed 1
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startNode } from 'scatterhoard'
import { randomOf, runScript, Violations, type Outcome } from './script.js'

export interface DumpKills extends Record<string, number> {
  kills: number
  seed: number
}

const ENTRIES = 40_000
/** A process is killed within so many milliseconds after its first dump. */
const WITHIN_MS = 400

export async function dumpKills({ kills, seed }: DumpKills): Promise<Outcome> {
  const random = randomOf(seed)
  const violations = new Violations()
  const folder = await mkdtemp(join(tmpdir(), 'scatterhoard-'))
  const path = join(folder, 'cache.dump')
  let unfinished = 0
  try {
    await using node = await startNode({ shardThreads: 1 })
    const cache = await node.startCache<string>('loaded', { shards: 1, memory: '64mb' })
    for (let kill = 0; kill < kills; kill++) {
      const child = spawn(process.execPath, [fileURLToPath(new URL('./dumping-process.js', import.meta.url)), path], { stdio: ['ignore', 'pipe', 'inherit'] })
      const exited = once(child, 'exit')
      await once(child.stdout, 'data')
      await sleep(random(WITHIN_MS))
      child.kill('SIGKILL')
      await exited
      await cache.clear()
      try {
        const { entries, lost } = await cache.load(path)
        violations.check(entries === ENTRIES && lost === 0, () => `after kill ${kill} ${entries} entries were loaded, and ${String(lost)} lost`)
        for (let n = 0; n < ENTRIES; n += 97) violations.check(cache.getSync(n) === String(n).padEnd(100, `${n * 7919} `), () => `entry ${n} is another one after kill ${kill}`)
      } catch (error) {
        violations.add(`after kill ${kill} the dump cannot be loaded: ${String(error)}`)
      }
      for (const name of await readdir(folder)) {
        if (!name.endsWith('.tmp')) continue
        unfinished++
        await rm(join(folder, name))
      }
    }
    return { figures: { kills, 'dumps that were not finished': unfinished }, violations: violations.list }
  } finally {
    await rm(folder, { recursive: true })
  }
}

await runScript(import.meta.url, { kills: 50, seed: 1 }, dumpKills)
