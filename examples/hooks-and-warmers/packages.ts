/** What the cache calls by itself: a warmer that reads the installed packages, a hook that keeps count of their licences; and a transaction. */
import { defineFunctions, getCache, type Cache, type Transaction, type WatchedMessage } from 'scatterhoard'
import { readdir, readFile } from 'node:fs/promises'

export interface Package {
  name: string
  version: string
  licence: string
}

/** How many packages there are under each licence. */
export type Tally = Record<string, number>

export const packages = defineFunctions('packages', import.meta.url, {
  /** The packages that are installed in a folder, as pairs for the cache. */
  async installed(folder: string): Promise<[string, Package][]> {
    const names = (await readdir(folder)).filter((name) => !/^[.@]/.test(name))
    const found = await Promise.all(names.map((name) => readPackage(folder, name)))
    return found.filter((one) => one !== undefined).map((one) => [one.name, one])
  },

  /** Its state is the tally, which it begins with what is there when it is called first. */
  async licences(message: WatchedMessage<Package>, result: unknown, state: Tally | undefined, cache: Cache<Package>): Promise<Tally> {
    const tally = state ?? await tallyOf(cache)
    // The first one is in what was counted.
    if (state !== undefined) {
      if (message[0] === 'put') change(tally, message[2], 1)
      else if (message[0] === 'take' && result !== undefined) change(tally, result as Package, -1)
    }
    await getCache<Tally>('tallies').put('licences', tally)
    return tally
  },

  async rename(tx: Transaction<Package>, from: string, to: string): Promise<void> {
    const found = await tx.take(from)
    if (await tx.exists(to)) throw new Error(`there is a package ${to}`)
    if (found !== undefined) await tx.put(to, { ...found, name: to })
  },
})

async function readPackage(folder: string, name: string): Promise<Package | undefined> {
  try {
    const { version, license } = JSON.parse(await readFile(`${folder}/${name}/package.json`, 'utf8')) as { version?: string; license?: unknown }
    return { name, version: version ?? '', licence: typeof license === 'string' ? license : 'unknown' }
  } catch {
    // A folder without a manifest is no package.
    return undefined
  }
}

async function tallyOf(cache: Cache<Package>): Promise<Tally> {
  const tally: Tally = {}
  for await (const one of cache.stream({ select: 'value' })) change(tally, one, 1)
  return tally
}

function change(tally: Tally, { licence }: Package, by: number): void {
  tally[licence] = (tally[licence] ?? 0) + by
}
