/**
 * How fast a million entries of 100 bytes are dumped and loaded, and what memory that takes beyond the tables.
 *
 *     node dist/test/races/dump-speed.js --entries 1000000 --dumpRate 300000 --loadRate 200000 --extraMb 64
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startNode, type Cache } from 'scatterhoard'
import { randomOf, runScript, Violations, type Outcome } from './script.js'

export interface DumpSpeed extends Record<string, number> {
  entries: number
  /** Least entries a second; 0: not judged. */
  dumpRate: number
  loadRate: number
  /** Most megabytes over the tables; 0: not judged. */
  extraMb: number
}

/** 100 characters of which a third is not to be compressed. */
function text(random: (below: number) => number): string {
  return `${random(2 ** 30).toString(36)}-${random(2 ** 30).toString(36)}-${random(2 ** 30).toString(36)} `.padEnd(100, 'the same words again and again in every value, as texts have them')
}

export async function dumpSpeed({ entries, dumpRate, loadRate, extraMb }: DumpSpeed): Promise<Outcome> {
  const violations = new Violations()
  const folder = await mkdtemp(join(tmpdir(), 'scatterhoard-'))
  const path = join(folder, 'cache.dump')
  try {
    await using node = await startNode({ shardThreads: 1 })
    const cache = await filled(node.startCache<string>('from', { memory: entries * 220 + (1 << 20) }), entries)
    const dumped = await measured(() => cache.dump(path))
    const copy = await node.startCache<string>('to', { memory: entries * 220 + (1 << 20) })
    // Its tables are committed before: what is measured is what a load takes besides.
    await filled(Promise.resolve(copy), entries)
    await copy.clear()
    const loaded = await measured(() => copy.load(path))
    violations.check(loaded.result.entries === entries && dumped.result.entries === entries, () => `of ${entries} entries ${dumped.result.entries} were dumped and ${loaded.result.entries} loaded`)
    for (let n = 0; n < entries; n += 997) violations.check(copy.getSync(`k${n}`) === cache.getSync(`k${n}`), () => `entry ${n} is another one`)
    const rates = { dump: entries / dumped.ms * 1000, load: entries / loaded.ms * 1000 }
    violations.check(rates.dump >= dumpRate, () => `only ${Math.round(rates.dump)} entries a second were dumped`)
    violations.check(rates.load >= loadRate, () => `only ${Math.round(rates.load)} entries a second were loaded`)
    for (const { extra } of [dumped, loaded]) violations.check(extraMb === 0 || extra <= extraMb, () => `${extra.toFixed(0)} MB of memory were taken`)
    return {
      figures: {
        'dumped entries a second': Math.round(rates.dump), 'loaded entries a second': Math.round(rates.load), 'file MB': Math.round(dumped.result.bytes / 1e6),
        'MB more while dumping': Math.round(dumped.extra), 'MB more while loading': Math.round(loaded.extra),
      },
      violations: violations.list,
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function filled(starting: Promise<Cache<string>>, entries: number): Promise<Cache<string>> {
  const cache = await starting
  const random = randomOf(7)
  for (let n = 0; n < entries; n++) {
    const put = cache.put(`k${n}`, text(random), { timeout: 60_000 })
    if (n % 4096 === 0) await put
  }
  await cache.size({ timeout: 60_000 })
  return cache
}

/** The time of a call, and by how many megabytes the process grew at most while it ran. */
async function measured<T>(call: () => Promise<T>): Promise<{ result: T; ms: number; extra: number }> {
  (globalThis as { gc?: () => void }).gc?.()
  const before = process.memoryUsage.rss()
  let most = before
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 10)
  const start = performance.now()
  const result = await call()
  const ms = performance.now() - start
  clearInterval(watch)
  return { result, ms, extra: (most - before) / 2 ** 20 }
}

await runScript(import.meta.url, { entries: 1_000_000, dumpRate: 300_000, loadRate: 200_000, extraMb: 64 }, dumpSpeed)
