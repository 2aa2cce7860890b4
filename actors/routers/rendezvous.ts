/**
 * `rendezvous`: highest random weight, by David Thaler and Chinya Ravishankar, "Using Name-Based Mappings to Increase Hit
 * Rates" (1998). Every node has a weight for every key, and the heaviest owns it.
 *
 * Whichever node is added or taken away, only the keys move that have to: one in n. It costs a weight for each node and
 * key, so it is for tens of nodes rather than hundreds.
 */
import { hash32, mix32 } from '../../runtime/hash.js'
import { inOrder, type Router, type RouterSetting } from './router.js'

/** Frozen. Two for each node, so that two nodes never have the same weights for all keys. */
const FIRST_SEED = 0xa4093822
const SECOND_SEED = 0x299f31d0

export function rendezvousRouter({ nodes }: RouterSetting): Router {
  const sorted = inOrder(nodes)
  const first = Int32Array.from(sorted, (name) => hashOfName(name, FIRST_SEED))
  const second = Int32Array.from(sorted, (name) => hashOfName(name, SECOND_SEED))
  const owner: Router['owner'] = ({ hash }) => {
    let heaviest = -1
    let owner = -1
    for (let index = 0; index < first.length; index++) {
      const weight = mix32(mix32(hash ^ first[index]!) + second[index]!) >>> 0
      if (weight <= heaviest) continue
      heaviest = weight
      owner = index
    }
    return sorted[owner]
  }
  return { nodes: sorted, owner }
}

/** XXH32 of a node's name in UTF-8. */
export function hashOfName(name: string, seed: number): number {
  const bytes = Buffer.from(name)
  return hash32(bytes, 0, bytes.length, seed)
}
