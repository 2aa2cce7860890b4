/**
 * Dumps changed at random, most of them with every checksum repaired: bits flipped, bytes and counts overwritten, parts cut out, doubled
 * and exchanged. Each is refused with a typed error and nothing stored, or is a dump like any other; with `partial` what is loaded is whole.
 *
 *     node dist/test/races/dump-mutations.js --mutations 2000 --seed 1
 */
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { startNode, type Cache } from 'scatterhoard'
import { BLOCK_HEAD_BYTES, FOOTER_BYTES, HEADER_BYTES, readHeader, writeBlockHead, writeFooter, writeHeader } from '../../runtime/dump/layout.js'
import { randomOf, runScript, Violations, type Outcome } from './script.js'

export interface DumpMutations extends Record<string, number> {
  mutations: number
  seed: number
}

/** What a load may fail with. */
const REFUSALS = ['ERR_BAD_DUMP', 'ERR_TOO_LARGE']

export async function dumpMutations({ mutations, seed }: DumpMutations): Promise<Outcome> {
  const random = randomOf(seed)
  const violations = new Violations()
  const folder = await mkdtemp(join(tmpdir(), 'scatterhoard-'))
  const path = join(folder, 'cache.dump')
  const counts = { refused: 0, loaded: 0, partly: 0 }
  try {
    await using node = await startNode({ shardThreads: 1 })
    const from = await node.startCache('from', { shards: 1, memory: '4mb' })
    const to = await node.startCache('to', { shards: 2, memory: '4mb' })
    await fill(from)
    await from.dump(path)
    const whole = await readFile(path)
    for (let mutation = 0; mutation < mutations; mutation++) {
      const bytes = mutate(whole, random)
      await writeFile(path, bytes)
      await to.put('stays', mutation)
      for (const partial of [false, true]) {
        const what = `mutation ${mutation} of seed ${seed}, partial: ${partial}`
        try {
          const { entries } = await to.load(path, { partial })
          counts[partial ? 'partly' : 'loaded']++
          violations.check(entries <= 10_000, () => `${what}: ${entries} entries were loaded`)
        } catch (error) {
          counts.refused++
          const { code, outcome } = error as { code?: string; outcome?: string }
          violations.check(REFUSALS.includes(String(code)) && outcome === 'none', () => `${what}: ${String(error)}`)
          violations.check(partial || await to.size() === 1, () => `${what}: refused, and something was stored`)
        }
        // Whatever was stored can be read.
        await to.export().catch((error: unknown) => violations.add(`${what}: what was loaded cannot be read: ${String(error)}`))
        violations.check(await to.get('stays') === mutation, () => `${what}: another entry is gone`)
        await to.clear()
        await to.put('stays', mutation)
      }
    }
    return { figures: { mutations, ...counts }, violations: violations.list }
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function fill(cache: Cache<unknown>): Promise<void> {
  const values = [null, 5, 1.5, 'text', 'é\ud800', 10n ** 30n, [1, [2, { a: new Map([[1, new Set(['x'])]]) }]], new Date(5), /x/g, Buffer.from('bytes'), new Error('kept'), { name: 'Ada', age: 36, tags: ['a', 'b'] }]
  for (let n = 0; n < 120; n++) await cache.put(n % 3 === 0 ? ['key', n] : n % 3 === 1 ? `key ${n}` : n, values[n % values.length], n % 2 === 0 ? { expire: '1h' } : {})
}

/** Changes a file, or what is in its only block, and then repairs what says that nothing was changed. */
function mutate(whole: Buffer, random: (below: number) => number): Buffer {
  if (random(4) === 0) return change(whole, random)
  const head = HEADER_BYTES + BLOCK_HEAD_BYTES
  const raw = inflateRawSync(whole.subarray(head, whole.length - FOOTER_BYTES))
  const changed = change(raw, random)
  const stored = random(3) === 0 ? change(deflateRawSync(raw), random) : deflateRawSync(changed)
  const number = (right: number): number => random(4) === 0 ? [0, 1, right - 1, right + 1, 0xffff_ffff, random(2 ** 31)][random(6)]! : right
  const header = readHeader(whole) as { blocks: number; entries: number; rawBytes: number; writtenMs: number }
  const rawBytes = number(changed.length) >>> 0
  const entries = number(header.entries) >>> 0
  const block = Buffer.concat([writeBlockHead(stored, rawBytes, entries), stored])
  const newHeader = writeHeader({ ...header, entries: random(4) === 0 ? header.entries : entries, rawBytes: random(4) === 0 ? header.rawBytes : rawBytes })
  return Buffer.concat([newHeader, block, writeFooter(createHash('sha256').update(block).update(newHeader).digest())])
}

function change(bytes: Buffer, random: (below: number) => number): Buffer {
  const copy = Buffer.from(bytes)
  const at = random(bytes.length)
  const length = random(40)
  switch (random(6)) {
    case 0: return copy.subarray(0, at)
    case 1: return Buffer.concat([copy.subarray(0, at), copy.subarray(at + length)])
    case 2: return Buffer.concat([copy.subarray(0, at + length), copy.subarray(at)])
    case 3: copy[at] = random(256); return copy
    case 4: copy.fill(0xff, at, Math.min(copy.length, at + random(9))); return copy
    default: copy[at]! ^= 1 << random(8); return copy
  }
}

await runScript(import.meta.url, { mutations: 2000, seed: 1 }, dumpMutations)
