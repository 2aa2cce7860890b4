/**
 * A small HTTP service with a cache in front of a slow lookup. Entries expire, packages that do not exist are remembered too,
 * and hits are counted atomically by a function that runs beside the data. The example is its own client.
 *
 *     npm run build && node dist/examples/http-service/main.js
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { startNode } from 'scatterhoard'
import { counters, type Hits } from './counters.js'
import type { Manifest } from './manifest.js'
import { createService } from './service.js'

const EXPIRE_MS = 2000
const FOUND = ['ms', 'comlink', 'piscina']
const MISSING = 'no-such-package'
const NAMES = [...FOUND, MISSING]

const node = await startNode({ name: 'service' })
const manifests = await node.startCache<Manifest | null>('manifests', { memory: '16mb', expiration: { default: EXPIRE_MS } })
const hits = await node.startCache<Hits>('hits', { memory: '16mb', functions: [counters] })

const server = createService({ manifests, hits }).listen(0, '127.0.0.1')
await once(server, 'listening')
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

console.log('            hits  misses  mean latency')
const first = await round('first', NAMES)
const again = await round('again', [...NAMES, ...NAMES, ...NAMES])
await delay(EXPIRE_MS)
const expired = await round('expired', NAMES)

console.log('\n            asked for')
for (const name of FOUND) console.log(`${name.padEnd(12)}${String((await hits.get(name))?.count).padStart(4)} times`)

assert.deepEqual([first.hits, again.hits, expired.hits], [0, 3 * NAMES.length, 0])
for (const name of FOUND) assert.equal((await hits.get(name))?.count, 5)
assert.equal(await hits.exists(MISSING), false)

// In good order: no more requests, then no more caches.
server.close()
await once(server, 'close')
await node.stop()
console.log('\nstopped')

/** Asks for one name after another. */
async function round(label: string, names: string[]): Promise<{ hits: number }> {
  let hit = 0
  const startedAt = performance.now()
  for (const name of names) {
    const response = await fetch(`${origin}/${encodeURIComponent(name)}`)
    await response.json()
    assert.equal(response.status, name === MISSING ? 404 : 200)
    if (response.headers.get('x-cache') === 'hit') hit++
  }
  const meanMs = (performance.now() - startedAt) / names.length
  console.log(`${label.padEnd(12)}${String(hit).padStart(4)}${String(names.length - hit).padStart(8)}${meanMs.toFixed(1).padStart(11)} ms`)
  return { hits: hit }
}
