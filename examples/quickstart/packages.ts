/** The slow source: what the disk tells about the installed packages. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'

export interface PackageInfo {
  name: string
  version: string
  dependencies: string[]
  files: number
  bytes: number
  checkedAt: Date
}

/** The directories below `nodeModules` that have a `package.json`, relative to it. */
export async function findPackages(nodeModules: string): Promise<string[]> {
  const entries = await readdir(nodeModules, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.name === 'package.json' && entry.isFile())
    .map((entry) => relative(nodeModules, entry.parentPath))
}

/** Parses the manifest of a package and looks at every file that belongs to it. */
export async function loadPackage(nodeModules: string, key: string): Promise<PackageInfo> {
  const directory = join(nodeModules, key)
  const manifest = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8')) as Partial<PackageManifest>
  let files = 0
  let bytes = 0
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    files++
    bytes += (await stat(join(entry.parentPath, entry.name))).size
  }
  const { name = key, version = '0.0.0', dependencies = {} } = manifest
  return { name, version, dependencies: Object.keys(dependencies), files, bytes, checkedAt: new Date() }
}

interface PackageManifest {
  name: string
  version: string
  dependencies: Record<string, string>
}
