/**
 * Secrets from files and from the environment. A file that others may read, or the group may write, is refused: who has the
 * secret of a cluster is a node of it. The group may read it, as of files that a service manager hands over. Nothing of a secret, nor the path that may
 * be one that was pasted wrongly, is in an error.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { invalidSecret } from '../bridge-options.js'

/** No key or secret is longer, in bytes. */
const MAX_BYTES = 1 << 16

/** Bits of a file's mode: others may do anything, or the group may write. */
const TOO_OPEN = 0o027

/** The content of a file that only its owner, and its group, may read. Throws `ERR_INVALID_OPTION`. */
export function readSecretFile(path: string, option: string): Buffer {
  let file: number | undefined
  try {
    // A pipe would keep waiting for a writer.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const found = fstatSync(file)
    if (!found.isFile() || found.size > MAX_BYTES) throw invalidSecret(option, `the path of a file of at most ${MAX_BYTES} bytes`)
    if (process.platform !== 'win32' && (found.mode & TOO_OPEN) !== 0) {
      throw invalidSecret(option, `a file that others may not read, and its group not write; its mode is ${(found.mode & 0o777).toString(8).padStart(4, '0')}: chmod 600`)
    }
    return readFileSync(file)
  } catch (error) {
    if ((error as Error).name === 'CacheError') throw error
    throw invalidSecret(option, `the path of a file that can be read (${String((error as NodeJS.ErrnoException).code)})`)
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/** A secret in a file: all of it but the end of its line. */
export function secretIn(path: string, option: string): Uint8Array {
  const content = readSecretFile(path, option)
  const end = content.at(-1) !== 0x0a ? content.length : content.at(-2) === 0x0d ? content.length - 2 : content.length - 1
  return content.subarray(0, end)
}

/** A secret of the environment, which threads and processes that are started later do not get. `undefined` if it is not there or empty. */
export function takeFromEnvironment(name: string): string | undefined {
  const { [name]: value } = process.env
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
  delete process.env[name]
  return value === '' ? undefined : value
}
