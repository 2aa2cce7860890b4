/**
 * `mod`: the hash modulo the number of nodes. Even, and the fastest; but when a node is added or taken away nearly every key
 * changes its owner. For a set of nodes that never changes.
 */
import { inOrder, type Router, type RouterSetting } from './router.js'

export function modRouter({ nodes }: RouterSetting): Router {
  const sorted = inOrder(nodes)
  return { nodes: sorted, owner: ({ hash }) => sorted[(hash >>> 0) % sorted.length] }
}
