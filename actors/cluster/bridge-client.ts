/** What a node asks of its own bridge: who the others are, whether they run a cache as this one does, and who comes and goes. */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { DEADLINELESS_MS } from '../../runtime/actor.js'
import type { Client } from '../../runtime/client.js'
import { monotonicMs } from '../../runtime/clock.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { encodeValue } from '../../runtime/codec/value.js'
import { moving } from '../../runtime/control.js'
import { BRIDGE_ADDRESS, TO_BRIDGE } from './bridge-address.js'

/** What is known of another node. */
export interface NodePeer {
  readonly node: string
  /** `lost`: its connection broke, and it has the failure timeout to come back. */
  readonly state: 'up' | 'lost' | 'down'
  /** Counts its lives; 0 if it was never up. */
  readonly incarnation: number
  /** How often it was up. */
  readonly sessions: number
  /** Why the last attempt to connect failed, if it did. */
  readonly error: Error | undefined
}

/** A node that came or went. */
export interface NodeEvent {
  readonly type: 'up' | 'down'
  readonly node: string
  readonly incarnation: number
  /** Why it counts as down. */
  readonly reason?: string
}

/** What a listener says first, in monotonic milliseconds. */
export interface ListenFrom {
  readonly sinceMs: number
}

export async function peersOf(client: Client): Promise<NodePeer[]> {
  return await askBridge(client, TO_BRIDGE.peers, null) as NodePeer[]
}

/**
 * Resolves when enough of a cache's nodes are there, as its option `startWith` says.
 *
 * @throws `ERR_NODE_UNREACHABLE`, `ERR_NO_CACHE`, `ERR_OPTIONS_DIFFER`
 */
export async function checkNodes(client: Client, cache: string, withinMs: number): Promise<void> {
  await askBridge(client, TO_BRIDGE.check, [cache, withinMs])
}

function askBridge(client: Client, code: number, message: unknown): Promise<unknown> {
  const scratch = new Scratch(128)
  encodeValue(message, scratch)
  return client.outlet(BRIDGE_ADDRESS).ask(code, scratch, scratch.end, 0, 0, monotonicMs(), DEADLINELESS_MS).promise
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }

/** Events that are kept until somebody asks for them; beyond it the oldest go. */
const MAX_EVENTS = 1024

/** How soon it is tried again to subscribe, if the bridge is being restarted. */
const AGAIN_MS = 20

/** The events of one subscription, one after the other. Does not keep the process alive. */
export class NodeEvents implements AsyncIterableIterator<NodeEvent, undefined, undefined>, AsyncDisposable {
  readonly #client: Client
  readonly #events: NodeEvent[] = []
  readonly #waiting: ((result: IteratorResult<NodeEvent, undefined>) => void)[] = []
  #port: MessagePort | undefined
  readonly #ended: (events: NodeEvents) => void
  #isEnded = false
  #dropped = 0
  #sinceMs = monotonicMs()

  /**
   * @internal Use `node.events()`.
   *
   * @param ended called once when nobody listens any more
   */
  constructor(client: Client, ended: (events: NodeEvents) => void) {
    this.#client = client
    this.#ended = ended
    void this.#subscribe()
  }

  /** @internal The node has stopped. What has come before can still be had. */
  end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#port?.close()
    for (const resolve of this.#waiting.splice(0)) resolve(DONE)
    this.#ended(this)
  }

  /** How many events were dropped because nobody asked for them in time. */
  get dropped(): number {
    return this.#dropped
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<NodeEvent, undefined>> {
    const event = this.#events.shift()
    if (event !== undefined) return Promise.resolve({ done: false, value: event })
    if (this.#isEnded) return Promise.resolve(DONE)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    this.#events.length = 0
    this.end()
    return Promise.resolve(DONE)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  async #subscribe(): Promise<void> {
    while (!this.#isEnded) {
      let port: MessagePort | undefined
      try {
        await this.#client.control((api) => {
          const { port1, port2 } = new MessageChannel()
          port = port1
          return api.connect(BRIDGE_ADDRESS.id, moving(port2, [port2]))
        })
        return this.#listen(port!)
      } catch {
        // The bridge, or the system thread, is being restarted; or the node stops, and says so.
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS).unref())
    }
  }

  #listen(port: MessagePort): void {
    if (this.#isEnded) return port.close()
    this.#port = port
    port.on('message', (event: NodeEvent) => this.#hear(event))
    port.on('close', () => {
      if (this.#isEnded || this.#port !== port) return
      setTimeout(() => void this.#subscribe(), AGAIN_MS).unref()
    })
    port.unref()
    port.postMessage({ sinceMs: this.#sinceMs } satisfies ListenFrom)
  }

  #hear(event: NodeEvent): void {
    this.#sinceMs = monotonicMs()
    const waiting = this.#waiting.shift()
    if (waiting !== undefined) return waiting({ done: false, value: event })
    if (this.#events.length === MAX_EVENTS) {
      this.#events.shift()
      this.#dropped++
    }
    this.#events.push(event)
  }
}
