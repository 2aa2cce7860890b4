/** `GET /NAME` answers with the manifest of a package and how often it was asked for; the header `x-cache` tells where it came from. */
import { createServer, type Server } from 'node:http'
import type { Cache } from 'scatterhoard'
import { counters, type Hits } from './counters.js'
import { lookUp, type Manifest } from './manifest.js'

export interface Caches {
  /** `null` for a package that does not exist: that is worth remembering too. */
  manifests: Cache<Manifest | null>
  hits: Cache<Hits>
}

export function createService({ manifests, hits }: Caches): Server {
  async function find(name: string): Promise<{ manifest: Manifest | null; from: 'hit' | 'miss' }> {
    const cached = await manifests.get(name)
    if (cached !== undefined) return { manifest: cached, from: 'hit' }
    const manifest = await lookUp(name)
    await manifests.put(name, manifest)
    return { manifest, from: 'miss' }
  }

  async function answer(path: string): Promise<{ status: number; from: string; body: unknown }> {
    const name = decodeURIComponent(path.slice(1))
    const { manifest, from } = await find(name)
    if (manifest === null) return { status: 404, from, body: { error: `no package '${name}'` } }
    const { count } = await hits.getAndUpdate(name, counters.hit)
    return { status: 200, from, body: { ...manifest, hits: count } }
  }

  return createServer((request, response) => {
    answer(request.url!).then(
      ({ status, from, body }) => response.writeHead(status, { 'content-type': 'application/json', 'x-cache': from }).end(JSON.stringify(body)),
      () => response.writeHead(500).end(),
    )
  })
}
