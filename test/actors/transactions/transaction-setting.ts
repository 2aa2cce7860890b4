/** What tests of transactions have in common: a cache for each test, and transactions that wait in the middle. */
import { startNode, type Cache, type CacheNode } from 'scatterhoard'
import { until } from '../expectations.js'
import { inside, type Step } from './transaction-functions.js'

const MODULES = ['../functions.js', '../loading/loaders.js', './transaction-functions.js'].map((file) => new URL(file, import.meta.url))

/** A transaction that has done its first steps. */
export interface Paused {
  /** Lets it go on, and resolves with what its steps resolved with. */
  readonly go: () => Promise<unknown[]>
  readonly ended: Promise<unknown[]>
}

/** To be made in a `describe`: it has the hooks of the tests there. */
export class TransactionSetting {
  node!: CacheNode
  cache!: Cache<unknown>
  gates!: Cache<unknown>
  #count = 0

  constructor(name: string) {
    before(async () => {
      this.node = await startNode({ name, shardThreads: 2, functions: MODULES })
      this.gates = await this.node.startCache('gates', { shards: 1, memory: '1mb' })
      await this.node.startCache('counts', { shards: 1, memory: '1mb' })
    })
    after(() => this.node.stop())
    beforeEach(async () => {
      this.cache = await this.node.startCache(`${name}-${++this.#count}`, {
        shards: 3, memory: '6mb', expiration: { interval: null }, supervision: { maxRestarts: 1000, backoff: { then: 0 } }, commands: { length: { type: 'read', execute: 'inside.nothing' } },
      })
      await this.gates.clear()
    })
    afterEach(async () => {
      await this.cache.stop()
      this.node.clock.release()
    })
  }

  /** A transaction that does these steps. */
  steps(keys: readonly string[], ...args: Step[]): Promise<unknown[]> {
    return this.cache.transaction(keys, inside.steps, { args })
  }

  /** A transaction that tries these steps: the codes of their errors. */
  codes(keys: readonly string[], ...args: Step[]): Promise<unknown[]> {
    return this.cache.transaction(keys, inside.codes, { args })
  }

  /** A transaction that has done its first steps and waits to go on. */
  async paused(keys: readonly string[], first: Step[], then: Step[] = [], options: object = {}): Promise<Paused> {
    const ended = this.cache.transaction(keys, inside.steps, { args: [...first, ['open', 'paused'], ['wait', 'go'], ...then], ...options })
    ended.catch(() => undefined)
    await until(() => this.gates.existsSync('paused'), 'the pause')
    const go = async (): Promise<unknown[]> => {
      await this.gates.put('go', true)
      return ended
    }
    return { go, ended }
  }
}
