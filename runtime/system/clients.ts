/** The client threads that are alive, as the system thread knows them: their bells, and the control plane to each. */
import { MessageChannel } from 'node:worker_threads'
import { serveControl } from '../control.js'
import type { HostStart } from '../host/protocol.js'
import { Bell } from '../mailbox/bell.js'
import type { ClientPorts, SystemApi } from '../system-api.js'

/** The system thread's own client: its lanes go before the others. */
export const SYSTEM_CLIENT = 0

export class Clients {
  readonly #ids: Int32Array
  readonly #api: (client: number) => SystemApi
  readonly #onGone: (client: number) => void
  readonly #connected = new Map<number, { readonly bell: SharedArrayBuffer }>()
  readonly #hosts = new Set<number>()
  #waiting: (() => void)[] = []

  /** `ids` counts client ids, for all threads; `api` is what one of them may call. */
  constructor(ids: SharedArrayBuffer, api: (client: number) => SystemApi, onGone: (client: number) => void) {
    this.#ids = new Int32Array(ids)
    this.#api = api
    this.#onGone = onGone
  }

  get size(): number {
    return this.#connected.size
  }

  list(): number[] {
    return [...this.#connected.keys()]
  }

  /** Resolves when the next client has gone. */
  nextGone(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  has(client: number): boolean {
    return this.#connected.has(client)
  }

  bellOf(client: number): SharedArrayBuffer | undefined {
    return this.#connected.get(client)?.bell
  }

  /** An id that no client has had. */
  nextId(): number {
    return Atomics.add(this.#ids, 0, 1)
  }

  add({ id, bell, control }: ClientPorts): void {
    const connected = { bell }
    this.#connected.set(id, connected)
    void serveControl(this.#api(id), control).then(() => {
      // A client that has another port by now is not gone.
      if (this.#connected.get(id) === connected) this.gone(id)
    })
  }

  /** Makes the client of a host's thread; it goes with its thread. */
  addHost(isSystem: boolean): HostStart['client'] {
    const { port1, port2 } = new MessageChannel()
    const id = isSystem ? SYSTEM_CLIENT : this.nextId()
    const bell = new Bell().buffer
    this.#hosts.add(id)
    this.add({ id, bell, control: port1 })
    port1.unref()
    return { id, bell, control: port2 }
  }

  /** Whether it was the client of a host that this thread started: once gone, so is its thread. Of a thread of the application only its port may be. */
  isHost(client: number): boolean {
    return this.#hosts.has(client)
  }

  gone(client: number): void {
    this.#connected.delete(client)
    this.#onGone(client)
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
