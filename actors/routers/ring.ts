/**
 * `ring`: consistent hashing, by David Karger and others (1997). Every node has many points on a circle of 2^32, its virtual
 * nodes; a key belongs to the first point at or behind its hash.
 *
 * Follows nodes up and down: the only built-in router with `update`. When a node comes or goes only the keys move that have
 * to, about one in n, whichever node it is. Less even than the others: with 256 points the fullest node holds about
 * a fifth more than the average.
 */
import { mix32 } from '../../runtime/hash.js'
import { matchesAny, type NamePattern } from '../name-patterns.js'
import { hashOfName } from './rendezvous.js'
import { inOrder, type Router, type RouterSetting } from './router.js'

export interface RingOptions {
  /** Only nodes whose names match one of these own keys. Default all. */
  readonly includes?: readonly NamePattern[]
  /** Nodes whose names match one of these own none. Default none. */
  readonly excludes?: readonly NamePattern[]
  /** Points of each node. Default 256. */
  readonly virtualNodes?: number
}

export const DEFAULT_VIRTUAL_NODES = 256

/** Frozen. */
const POINT_SEED = 0x082efa98
/** The golden ratio: steps of it visit all of 2^32 before they repeat. */
const STEP = 0x9e3779b9
/** A point and the node it is of share a double: 32 bits for the point, as many as this for the node. */
const NODE_FACTOR = 2 ** 20

export function ringRouter({ nodes }: RouterSetting, { includes, excludes = [], virtualNodes = DEFAULT_VIRTUAL_NODES }: RingOptions = {}): Router {
  return new Ring(nodes, (name) => (includes === undefined || matchesAny(name, includes)) && !matchesAny(name, excludes), virtualNodes)
}

class Ring implements Router {
  nodes: readonly string[] = []
  readonly #belongs: (name: string) => boolean
  readonly #virtualNodes: number
  /** Ascending, and beside each point the index of its node. */
  #points = new Uint32Array(0)
  #owners = new Uint32Array(0)

  constructor(nodes: readonly string[], belongs: (name: string) => boolean, virtualNodes: number) {
    this.#belongs = belongs
    this.#virtualNodes = virtualNodes
    this.update(nodes)
  }

  update(up: readonly string[]): void {
    this.nodes = inOrder(up).filter(this.#belongs)
    const each = this.#virtualNodes
    const both = new Float64Array(this.nodes.length * each)
    for (const [index, name] of this.nodes.entries()) {
      const hash = hashOfName(name, POINT_SEED)
      for (let point = 0; point < each; point++) both[index * each + point] = (pointOf(hash, point) >>> 0) * NODE_FACTOR + index
    }
    // Equal points go by the order of their nodes.
    both.sort()
    this.#points = Uint32Array.from(both, (point) => Math.floor(point / NODE_FACTOR))
    this.#owners = Uint32Array.from(both, (point) => point % NODE_FACTOR)
  }

  owner({ hash }: { readonly hash: number }): string | undefined {
    const points = this.#points
    const wanted = hash >>> 0
    let low = 0
    let high = points.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (points[middle]! < wanted) low = middle + 1
      else high = middle
    }
    return this.nodes[this.#owners[low === points.length ? 0 : low]!]
  }
}

function pointOf(hash: number, point: number): number {
  return mix32(mix32(hash + Math.imul(point, STEP)) ^ hash)
}
