/**
 * The contract of a router: nodes in, the owner of a key out.
 *
 * Every thread of every node has a router of its own and asks it alone, so the answer may depend on nothing but the
 * nodes, the router's options and the key: not on the order in which the nodes are listed, not on the platform, the
 * version, the time or chance. Hashes of routers have fixed seeds and are independent of those that choose the shard and
 * the slot. Golden vectors in the tests keep owners what they are.
 */
import { compareText } from '../../runtime/codec/key-order.js'
import type { RoutingKey } from './routing-key.js'

export interface Router {
  /** The nodes among which it chooses now, in ascending order. */
  readonly nodes: readonly string[]
  /** The node that owns the key; `undefined` if there is no node to choose. */
  owner(key: RoutingKey): string | undefined
  /** Only routers that follow nodes have it: from now on the owner is one of these. */
  update?(up: readonly string[]): void
}

/** What a router is made of. */
export interface RouterSetting {
  /** Those that run the cache, in any order. */
  readonly nodes: readonly string[]
  /** The node that asks. */
  readonly self: string
}

/** The same nodes in the order that all nodes agree on, each once. */
export function inOrder(nodes: readonly string[]): string[] {
  return [...new Set(nodes)].sort(compareText)
}
