/** `local`: every node owns every key, and keeps what is put on it. The router of a cache on one node. */
import { inOrder, type Router, type RouterSetting } from './router.js'

export function localRouter({ nodes, self }: RouterSetting): Router {
  return { nodes: inOrder(nodes), owner: () => self }
}
