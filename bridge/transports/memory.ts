/**
 * The medium of tests: messages between nodes of one process, over a channel that reaches all its threads, with the faults of a
 * `MemoryNetwork`.
 */
import { BroadcastChannel } from 'node:worker_threads'
import type { Timers } from '../../runtime/clock.js'
import { MAX_FRAME_BYTES } from '../sessions/frame.js'
import { MemoryNetwork, type MemoryNetworkDescriptor } from './memory-network.js'
import type { Medium, MediumHandlers, MessageKind } from './message-transport.js'

interface Message {
  readonly to: string
  readonly from: string
  readonly connection: string
  readonly kind: MessageKind
  readonly bytes: Uint8Array
}

/** Carries messages to every medium of a network. */
export interface Carrier {
  post(message: Message): void
  /** Returns what ends it. */
  listen(take: (message: Message) => void): () => void
}

/** Between the threads of the process. */
export function channelCarrier(name: string): Carrier {
  const channel = new BroadcastChannel(name)
  return {
    post: (message) => channel.postMessage(message),
    listen: (take) => {
      channel.onmessage = (event) => take((event as { data: Message }).data)
      return () => channel.close()
    },
  }
}

/** On one thread, in the order of posting: what a test does is the same every time. */
export function localCarrier(): Carrier {
  const takers = new Set<(message: Message) => void>()
  return {
    post: (message) => {
      setImmediate(() => {
        for (const take of [...takers]) take(message)
      })
    },
    listen: (take) => {
      takers.add(take)
      return () => takers.delete(take)
    },
  }
}

export class MemoryMedium implements Medium {
  readonly address = 'memory'
  readonly maxMessageBytes = MAX_FRAME_BYTES
  readonly protection = { exporter: undefined, code: false }
  readonly #name: string
  readonly #network: MemoryNetwork
  readonly #timers: Timers
  readonly #random: () => number
  readonly #given: Carrier | undefined
  /** `undefined` while it is closed. */
  #carrier: Carrier | undefined
  #stop = (): void => undefined
  /** By receiver: what is on the way and keeps its order, and when the last of it arrives. */
  readonly #ways = new Map<string, { lastMs: number; messages: Message[] }>()

  constructor(name: string, network: MemoryNetworkDescriptor, timers: Timers, carrier?: Carrier) {
    this.#name = name
    this.#network = new MemoryNetwork(network)
    this.#timers = timers
    this.#random = randomOf(this.#network.seed, name)
    this.#given = carrier
  }

  open(handlers: MediumHandlers): Promise<void> {
    const carrier = this.#carrier = this.#given ?? channelCarrier(this.#network.descriptor.channel)
    this.#stop = carrier.listen(({ to, from, connection, kind, bytes }) => {
      if (to !== this.#name || this.#carrier !== carrier || !this.#network.connects(from, to)) return
      handlers.receive(kind, connection, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), from)
    })
    return Promise.resolve()
  }

  send(to: string, connection: string, kind: MessageKind, bytes?: Buffer): boolean {
    const message = { to, from: this.#name, connection, kind, bytes: bytes === undefined ? new Uint8Array() : new Uint8Array(bytes) }
    this.#pass(message)
    if (this.#random() < this.#network.duplicate) this.#pass(message)
    return true
  }

  close(): Promise<void> {
    this.#stop()
    this.#carrier = undefined
    return Promise.resolve()
  }

  #pass(message: Message): void {
    const { loss, reorder, delayMs: [least, greatest] } = this.#network
    if (!this.#network.connects(message.from, message.to) || this.#random() < loss) return
    if (greatest === 0) return this.#post(message)
    const now = this.#timers.now()
    const atMs = now + least + (greatest - least) * this.#random()
    if (this.#random() < reorder) {
      this.#timers.after(atMs - now, () => this.#post(message))
      return
    }
    let way = this.#ways.get(message.to)
    if (way === undefined) this.#ways.set(message.to, way = { lastMs: 0, messages: [] })
    way.lastMs = Math.max(atMs, way.lastMs)
    way.messages.push(message)
    const { messages } = way
    // Timers are not exact: whichever fires takes the message whose turn it is.
    this.#timers.after(way.lastMs - now, () => this.#post(messages.shift()!))
  }

  #post(message: Message): void {
    this.#carrier?.post(message)
  }
}

/** Mulberry32 by Tommy Ettinger: numbers from 0 below 1 that can be repeated. */
function randomOf(seed: number, name: string): () => number {
  let state = [...name].reduce((sum, character) => Math.imul(sum, 31) + character.codePointAt(0)!, seed)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
