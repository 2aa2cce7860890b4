/** A router of an application's own: the first node owns every key, or the last one that is up. */
import type { Router, RouterSetting } from '../../../actors/routers/router.js'

export function createRouter({ nodes }: RouterSetting, options: { readonly last?: boolean } | undefined): Router {
  if (options?.last !== true) return { nodes, owner: () => nodes[0] }
  let all = nodes
  return { nodes, owner: () => all.at(-1), update: (up) => void (all = up) }
}
