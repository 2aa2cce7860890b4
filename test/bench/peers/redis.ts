/**
 * Redis through ioredis with automatic pipelining, over the loopback. The server is started here on a free port, writes
 * nothing to disk, and ends with the benchmark.
 */
import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { Redis } from 'ioredis'
import { freePort } from '../../bridge/free-port.js'
import { keys, texts } from '../data.js'
import { onPath } from './on-path.js'

export interface RedisPeer {
  get(key: string): Promise<string | null>
  set(key: string, value: string): Promise<unknown>
  incr(key: string): Promise<number>
  close(): Promise<void>
}

const SERVER = 'redis-server'

/** Starts a server that holds every key; `undefined` if `redis-server` is not on the PATH. */
export async function startRedis(): Promise<RedisPeer | undefined> {
  if (!onPath(SERVER)) return undefined
  const port = await freePort()
  const child = spawn(SERVER, ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], { stdio: 'ignore', cwd: tmpdir() })
  const kill = (): void => void child.kill()
  process.once('exit', kill)
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()))
  const client = new Redis({ port, host: '127.0.0.1', enableAutoPipelining: true, maxRetriesPerRequest: null, retryStrategy: (attempt) => (attempt < 100 ? 50 : null) })
  client.on('error', () => undefined) // the server is still starting: the client tries again
  await Promise.race([client.ping(), exited.then(() => Promise.reject(new Error(`${SERVER} ended instead of serving port ${port}`)))])
  await Promise.all(keys.map((key, i) => client.set(key, texts[i]!)))
  return {
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value),
    incr: (key) => client.incr(key),
    async close() {
      await client.quit()
      kill()
      await exited
      process.off('exit', kill)
    },
  }
}
