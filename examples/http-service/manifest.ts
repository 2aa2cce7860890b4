/** The slow lookup: the manifest of an installed package, as if a registry at the other end of a network had it. */
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

export interface Manifest {
  name: string
  version: string
  description?: string
}

const NETWORK_MS = 40

const NAME = /^(?:@[a-z\d-][\w.-]*\/)?[a-z\d-][\w.-]*$/

/** `null` if there is no such package. */
export async function lookUp(name: string): Promise<Manifest | null> {
  await delay(NETWORK_MS)
  if (!NAME.test(name)) return null
  try {
    const text = await readFile(new URL(`../../../node_modules/${name}/package.json`, import.meta.url), 'utf8')
    const { version, description } = JSON.parse(text) as Manifest
    return { name, version, ...(description === undefined ? {} : { description }) }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
