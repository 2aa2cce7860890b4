/**
 * Which nodes run each cache whose router follows nodes, as this node serves it: in memory that all its threads share, so that each finds the
 * owner of a key without asking.
 *
 *   0   i32  version   odd while it is written      the bridge: Atomics.add; readers: Atomics.load before and after
 *   4   i32  bytes of the text                      the bridge, while it is odd
 *   8   …    JSON, UTF-8: `{ cache: [node, …] }`    the bridge, while it is odd
 */
import { CacheError } from '../../runtime/errors.js'

export const VIEW_BYTES = 1 << 20

const HEAD_BYTES = 8

type Nodes = Readonly<Record<string, readonly string[]>>

/** The bridge's end. */
export class ViewWriter {
  readonly #words: Int32Array
  readonly #bytes: Buffer
  #nodes: Nodes = {}

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer)
    this.#bytes = Buffer.from(buffer)
    // One whose writer died over it is lost; any other still holds.
    if (Atomics.load(this.#words, 0) % 2 !== 0) Atomics.add(this.#words, 0, 1)
    else if (this.#words[1]! > 0) this.#nodes = JSON.parse(this.#bytes.toString('utf8', HEAD_BYTES, HEAD_BYTES + this.#words[1]!)) as Nodes
    this.#write()
  }

  nodesOf(cache: string): readonly string[] | undefined {
    return this.#nodes[cache]
  }

  set(cache: string, nodes: readonly string[] | undefined): void {
    const { [cache]: _, ...others } = this.#nodes
    this.#nodes = nodes === undefined ? others : { ...others, [cache]: nodes }
    this.#write()
  }

  #write(): void {
    const text = Buffer.from(JSON.stringify(this.#nodes))
    if (text.length > VIEW_BYTES - HEAD_BYTES) throw new CacheError('ERR_TOO_LARGE', `the nodes of ${Object.keys(this.#nodes).length} caches do not fit into ${VIEW_BYTES} bytes`)
    Atomics.add(this.#words, 0, 1)
    this.#words[1] = text.length
    this.#bytes.set(text, HEAD_BYTES)
    Atomics.add(this.#words, 0, 1)
    Atomics.notify(this.#words, 0)
  }
}

/** A thread's end, of one cache. */
export class ViewReader {
  readonly #words: Int32Array
  readonly #bytes: Buffer
  readonly #cache: string
  #version = -1
  #nodes: readonly string[] | undefined

  constructor(buffer: SharedArrayBuffer, cache: string) {
    this.#words = new Int32Array(buffer)
    this.#bytes = Buffer.from(buffer)
    this.#cache = cache
  }

  /** Whether there is something to read since `nodes` was. */
  get hasMoved(): boolean {
    return Atomics.load(this.#words, 0) !== this.#version
  }

  /** The nodes of the cache; `undefined` if the bridge does not know any yet. */
  nodes(): readonly string[] | undefined {
    while (this.hasMoved) {
      const version = Atomics.load(this.#words, 0)
      // The writer is through in a moment, or is dead: then what was read before holds until another one begins.
      if (version % 2 !== 0) return this.#nodes
      const text = this.#bytes.toString('utf8', HEAD_BYTES, HEAD_BYTES + this.#words[1]!)
      if (Atomics.compareExchange(this.#words, 0, version, version) !== version) continue
      this.#nodes = (JSON.parse(text) as Nodes)[this.#cache]
      this.#version = version
    }
    return this.#nodes
  }
}
