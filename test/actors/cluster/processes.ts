/** The test's end of `node-process.ts`. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { reviveError, type ErrorDescription } from '../../../runtime/errors.js'
import type { Order } from './node-process.js'

export class NodeProcess {
  readonly child: ChildProcess
  readonly ended: Promise<unknown[]>
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  readonly #signals: (() => void)[] = []
  #id = 0

  constructor(name: string, secret: string, listen: string, peers: Readonly<Record<string, string>>) {
    this.child = fork(fileURLToPath(new URL('./node-process.js', import.meta.url)), [name, secret, listen, JSON.stringify(peers)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], serialization: 'advanced' })
    this.ended = once(this.child, 'exit')
    this.child.on('message', ({ id, value, error }: { id: number; value?: unknown; error?: ErrorDescription }) => {
      if (id === -1) return this.#signals.shift()?.()
      const { resolve, reject } = this.#waiting.get(id)!
      this.#waiting.delete(id)
      if (error === undefined) resolve(value)
      else reject(reviveError(error))
    })
  }

  /** Resolves when it says that it is ready, or blocked from now on. */
  signal(): Promise<void> {
    return new Promise((resolve) => this.#signals.push(resolve))
  }

  do(order: Order): Promise<unknown> {
    const id = ++this.#id
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.child.send({ id, order })
    })
  }

  call(name: string, ...args: unknown[]): Promise<unknown> {
    return this.do({ do: 'call', name, args })
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.ended
  }
}
