/** For other nodes: which loads wait for which on this one. */
import type { Action } from '../action.js'
import { LoadWaits, type LoadEdge } from '../loading/load-waits.js'

/** Not public. */
export const loadEdges: Action = {
  name: 'loadEdges', writes: false, arity: 0, options: [], isOffered: true,
  call: ({ description }): LoadEdge[] => new LoadWaits(description.loadWaits).edges(),
}
