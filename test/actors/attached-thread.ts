/** The main thread's end of `command-worker.ts`. */
import type { Cache } from 'scatterhoard'
import { once } from 'node:events'
import { Worker, type MessagePort } from 'node:worker_threads'
import { reviveError, type ErrorDescription } from '../../runtime/errors.js'
import type { Command } from './functions/command-worker.js'

type Order<C = Command> = C extends unknown ? Omit<C, 'id'> : never

export class AttachedThread {
  readonly worker = new Worker(new URL('./functions/command-worker.js', import.meta.url))
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  readonly #exited = once(this.worker, 'exit')
  #id = 0

  constructor() {
    this.worker.on('message', ({ id, value, error }: { id: number; value?: unknown; error?: ErrorDescription }) => {
      const { resolve, reject } = this.#waiting.get(id)!
      this.#waiting.delete(id)
      if (error === undefined) resolve(value)
      else reject(reviveError(error))
    })
  }

  async attach(cache: Pick<Cache<unknown>, 'name' | 'attachment'>): Promise<void> {
    const { descriptor, transfer } = cache.attachment()
    await this.do({ do: 'attach', cache: cache.name, descriptor }, transfer)
  }

  call(cache: string, name: string, ...args: unknown[]): Promise<unknown> {
    return this.do({ do: 'call', cache, name, args })
  }

  do(order: Order, transfer: MessagePort[] = []): Promise<unknown> {
    const id = ++this.#id
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.worker.postMessage({ ...order, id }, transfer)
    })
  }

  /** May be called twice, and of a thread that has ended. */
  async end(): Promise<void> {
    await this.worker.terminate()
    await this.#exited
  }
}
