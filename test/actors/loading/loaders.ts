/** Loaders under test. They count their calls in a cache `counts`, and wait there for a key `gate:…` where they are told to. */
import { commit, defineFunctions, getCache, ignore, type Cache } from 'scatterhoard'
import { isMainThread } from 'node:worker_threads'

function counts(): Cache<number> {
  return getCache<number>('counts')
}

async function opened(gate: string): Promise<void> {
  while (!await counts().exists(`gate:${gate}`)) await new Promise(setImmediate)
}

export const loaders = defineFunctions('loaders', import.meta.url, {
  async load(key: unknown) {
    await counts().incr(key as string)
    return `loaded ${String(key)}`
  },
  async behind(key: string, gate: string) {
    await counts().incr(key)
    await opened(gate)
    return `loaded ${key}`
  },
  committed: async (key: string, expire: number) => commit(`committed ${key}`, { expire }),
  ignored: (key: string) => ignore(`ignored ${key}`),
  nothing: () => undefined,
  fails: async (key: string) => { throw new RangeError(`no ${key}`) },
  huge: () => 'x'.repeat(8 << 20),
  hang: (): string => { for (;;); },
  fill: (): string => {
    const hoard: unknown[] = []
    for (;;) hoard.push({ row: hoard.length, columns: [hoard.length, 'text'] })
  },
  exit: (): string => {
    if (!isMainThread) process.exit(3)
    return 'main'
  },
  never: () => new Promise<string>(() => undefined),
  /** Fetches another key inside its own load. */
  async through(key: string, other: string, gate: string): Promise<string> {
    await opened(gate)
    return getCache<string>('loads').fetch(other, 'loaders.through', { args: [key, gate] }) as Promise<string>
  },
})
