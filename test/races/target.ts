/** The script's end of `target-process.ts`. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Cache } from 'scatterhoard'
import { freePort } from '../bridge/free-port.js'
import type { Violations } from './script.js'
import type { TargetReport, TargetSetting } from './target-process.js'

export class Target {
  readonly port: number
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown[]>
  #stopping = false

  private constructor(port: number, child: ChildProcess, violations: Violations) {
    this.port = port
    this.#child = child
    this.#ended = once(child, 'exit')
    child.once('exit', (code, signal) => {
      violations.check(this.#stopping && code === 0, () => `the target's process ended with ${code ?? signal}`)
    })
  }

  static async start(setting: Omit<TargetSetting, 'listen'>, violations: Violations): Promise<Target> {
    const port = await freePort()
    const child = fork(fileURLToPath(new URL('./target-process.js', import.meta.url)), [JSON.stringify({ ...setting, listen: `127.0.0.1:${port}` } satisfies TargetSetting)])
    const target = new Target(port, child, violations)
    await Promise.race([once(child, 'message'), target.#ended.then(() => Promise.reject(new Error('the target did not start')))])
    return target
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  async report(): Promise<TargetReport> {
    this.#child.send('report')
    const [report] = await once(this.#child, 'message') as [TargetReport]
    return report
  }

  /** A node that was played with stops, and its process ends by itself. */
  async stop(): Promise<void> {
    this.#stopping = true
    if (this.alive) this.#child.send('stop')
    await this.#ended
  }
}

/** What the target gives a handshake. */
export const CONNECT_TIMEOUT_MS = 1000

/** How long an honest peer waits for an answer. */
const HONEST_MS = 5000

/** A peer whose calls have to be answered, and answered right. Returns the milliseconds of each. */
export async function callHonestly(cache: Cache<unknown>, keys: readonly string[], goesOn: () => boolean, violations: Violations): Promise<number[]> {
  const timesMs: number[] = []
  for (let number = 0; goesOn(); number++) {
    const key = keys[number % keys.length]!
    try {
      await cache.put(key, number, { timeout: HONEST_MS })
      const begin = performance.now()
      const got = await cache.get(key, { timeout: HONEST_MS })
      timesMs.push(performance.now() - begin)
      violations.check(got === number, () => `an honest peer read ${String(got)} where it had written ${number}`)
    } catch (error) {
      violations.add(`an honest peer's call failed: ${String(error)}`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  return timesMs
}
