/**
 * A network inside a process, for tests: it can lose, delay, double and misorder messages, and be partitioned, while nodes use it
 * from any thread. What it does is drawn from a seeded generator of each node.
 *
 * Shared words, in a buffer of `NETWORK_BYTES`; written by whoever has the network in hand, read at every message:
 *
 *   0    f64  loss, duplicate, reorder: probabilities        a lone aligned 8-byte access each
 *   24   f64  least and greatest delay in milliseconds
 *   40   i32  seed
 *   44   i32  1 while it is partitioned
 *   48   i32  how many nodes are listed
 *   52   i32  (hash of a name, its group) × MAX_NODES
 */
import { randomUUID } from 'node:crypto'
import { inside, invalidOption, numberWithin, ownOptions } from '../../runtime/option-checks.js'
import { hash32 } from '../../runtime/hash.js'

const MAX_NODES = 64
const NETWORK_BYTES = 56 + MAX_NODES * 8
const SEED_AT = 10
const PARTITIONED_AT = 11
const COUNT_AT = 12
const NODES_AT = 13

/** What a network does to messages. Probabilities are from 0 to 1, delays in milliseconds. */
export interface MemoryFaults {
  /** Default 0. */
  loss?: number
  duplicate?: number
  /** Messages that are not kept behind those that were sent before; what comes of it depends on the delays. */
  reorder?: number
  /** A number, or the least and the greatest. Default 0. */
  delay?: number | readonly [number, number]
}

export interface MemoryNetworkOptions extends MemoryFaults {
  /** Of the generator. Default 1. */
  seed?: number
}

/** What is sent to the threads of nodes. */
export interface MemoryNetworkDescriptor {
  readonly channel: string
  readonly words: SharedArrayBuffer
}

const FAULT_NAMES = ['loss', 'duplicate', 'reorder', 'delay']

export class MemoryNetwork {
  readonly descriptor: MemoryNetworkDescriptor
  readonly #rates: Float64Array
  readonly #words: Int32Array

  /** @internal Use `memoryNetwork`. */
  constructor(descriptor: MemoryNetworkDescriptor) {
    this.descriptor = descriptor
    this.#rates = new Float64Array(descriptor.words, 0, 5)
    this.#words = new Int32Array(descriptor.words)
  }

  get seed(): number {
    return this.#words[SEED_AT]!
  }

  get loss(): number {
    return this.#rates[0]!
  }

  get duplicate(): number {
    return this.#rates[1]!
  }

  get reorder(): number {
    return this.#rates[2]!
  }

  get delayMs(): readonly [number, number] {
    return [this.#rates[3]!, this.#rates[4]!]
  }

  /** Changes what it does to messages from now on; what is left out stays. Throws `ERR_INVALID_OPTION`. */
  set(faults: MemoryFaults): void {
    const own = ownOptions(faults, FAULT_NAMES)
    const read = FAULT_NAMES.slice(0, 3).map((name) => own[name] === undefined ? undefined : numberWithin(own[name], 0, 1, name))
    const delay = own['delay'] === undefined ? undefined : readDelay(own['delay'])
    for (const [index, value] of [...read, ...delay ?? []].entries()) if (value !== undefined) this.#rates[index] = value
  }

  /** From now on messages pass only between nodes of one group. Nodes that are in none are a group together. */
  partition(...groups: readonly (readonly string[])[]): void {
    const nodes = groups.flatMap((names, group) => names.map((name): [string, number] => [name, group + 1]))
    if (nodes.length > MAX_NODES) throw invalidOption('groups', nodes.length, `at most ${MAX_NODES} nodes`)
    for (const [index, [name, group]] of nodes.entries()) {
      this.#words[NODES_AT + index * 2] = hashOf(name)
      this.#words[NODES_AT + 1 + index * 2] = group
    }
    Atomics.store(this.#words, COUNT_AT, nodes.length)
    Atomics.store(this.#words, PARTITIONED_AT, 1)
  }

  /** Ends the partition. */
  heal(): void {
    Atomics.store(this.#words, PARTITIONED_AT, 0)
  }

  /** Whether messages pass between two nodes. */
  connects(a: string, b: string): boolean {
    return Atomics.load(this.#words, PARTITIONED_AT) === 0 || this.#groupOf(a) === this.#groupOf(b)
  }

  #groupOf(name: string): number {
    const hash = hashOf(name)
    const count = Atomics.load(this.#words, COUNT_AT)
    for (let index = 0; index < count; index++) if (this.#words[NODES_AT + index * 2] === hash) return this.#words[NODES_AT + 1 + index * 2]!
    return 0
  }
}

/**
 * A network for nodes of this process: `memory({ network })` is the bridge of each of them.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function memoryNetwork(options: MemoryNetworkOptions = {}): MemoryNetwork {
  const { seed = 1, ...faults } = ownOptions(options, ['seed', ...FAULT_NAMES])
  const words = new SharedArrayBuffer(NETWORK_BYTES)
  const network = new MemoryNetwork({ channel: `scatterhoard:${randomUUID()}`, words })
  new Int32Array(words)[SEED_AT] = numberWithin(seed, -0x8000_0000, 0xffff_ffff, 'seed', true)
  network.set({ ...faults }) // checked there
  return network
}

function readDelay(value: unknown): [number, number] {
  const [least, greatest] = Array.isArray(value) && value.length === 2 ? value as unknown[] : [value, value]
  const leastMs = numberWithin(least, 0, 60_000, 'delay')
  const greatestMs = numberWithin(greatest, 0, 60_000, 'delay')
  if (leastMs > greatestMs) throw invalidOption(inside('delay', '0'), least, `at most ${greatestMs}, the greatest delay`)
  return [leastMs, greatestMs]
}

function hashOf(name: string): number {
  const bytes = Buffer.from(name)
  return hash32(bytes, 0, bytes.length, 0)
}
