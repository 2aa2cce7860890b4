/** The threads of the application that serve functions, as the system thread knows them: it passes calls on to them. */
import type { MessagePort } from 'node:worker_threads'
import { ControlLink } from '../control.js'
import { CacheError } from '../errors.js'
import type { FunctionApi, PassedCall } from '../function-server.js'

/** How long a thread has to offer itself that was known to a system thread before this one. */
const OFFER_DEADLINE_MS = 5000

/** How long past a function's time limit, which its own thread enforces, an answer is waited for: a thread may be busy. */
const LATE_MS = 1000

export class FunctionServers {
  readonly #links = new Map<number, ControlLink<FunctionApi>>()
  readonly #waiting = new Map<number, Set<() => void>>()

  /** A client's thread serves its functions from now on. */
  offer(client: number, port: MessagePort): void {
    this.#links.get(client)?.abandon()
    this.#links.set(client, new ControlLink<FunctionApi>(port))
    this.#settle(client)
  }

  gone(client: number): void {
    this.#links.get(client)?.abandon()
    this.#links.delete(client)
    this.#settle(client)
  }

  /** Calls a function on the thread of a client; `ERR_ACTOR_CRASHED` if that ends meanwhile. */
  async call(client: number, call: PassedCall, limitMs: number): Promise<unknown> {
    const link = this.#links.get(client) ?? await this.#offered(client)
    return link.call((remote) => remote.run(call), limitMs + LATE_MS)
  }

  async #offered(client: number): Promise<ControlLink<FunctionApi>> {
    const waiting = this.#waiting.get(client) ?? new Set()
    this.#waiting.set(client, waiting)
    await new Promise<void>((resolve) => {
      waiting.add(resolve)
      setTimeout(resolve, OFFER_DEADLINE_MS).unref()
    })
    const link = this.#links.get(client)
    if (link !== undefined) return link
    throw new CacheError('ERR_ACTOR_CRASHED', 'the thread that has registered the function is gone')
  }

  #settle(client: number): void {
    for (const resolve of this.#waiting.get(client) ?? []) resolve()
    this.#waiting.delete(client)
  }
}
