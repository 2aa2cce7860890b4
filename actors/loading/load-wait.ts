/**
 * A wait of a load for another key, inside the function that loads: refused with `ERR_DEADLOCK` where it would close a circle.
 *
 * Waits within a node are seen by all of its threads, and looked at before. Where a cache runs on several nodes, a wait that lasts is looked at
 * together with those of all nodes that answer: whichever was entered last is in it, so somebody sees every circle.
 */
import { loadEdges } from '../actions/load-edges.js'
import type { CallScope } from '../functions/call-scope.js'
import type { Caller } from '../calls/caller.js'
import type { Cluster } from '../cluster/cluster.js'
import { leadsTo, loadedKey, LoadWaits, type LoadEdge } from './load-waits.js'
import { CacheError } from '../../runtime/errors.js'

/** How long a wait lasts before the other nodes are asked for theirs, and how long they have to answer, in milliseconds. */
const ASK_AFTER_MS = 50
const ANSWER_MS = 1000

/** @param key that it waits for, encoded; `begin` asks for it */
export function waitWithin<T>({ load }: CallScope, caller: Caller, key: Uint8Array, begin: () => Promise<T>): Promise<T> {
  if (load === undefined) return begin()
  const target = loadedKey(key, 0)
  const waits = new LoadWaits(caller.description.loadWaits)
  const leave = waits.enter(caller.client.id, load, target)
  if (leave === undefined) return Promise.reject(circle())
  const { cluster } = caller
  const waited = begin()
  if (cluster === null) return waited.finally(leave)
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      edgesOfAll(cluster, waits).then((edges) => {
        if (leadsTo(target, load, edges)) reject(circle())
      }, () => undefined)
    }, ASK_AFTER_MS)
    waited.finally(() => {
      clearTimeout(timer)
      leave()
    }).then(resolve, reject)
  })
}

async function edgesOfAll(cluster: Cluster, waits: LoadWaits): Promise<LoadEdge[]> {
  const answers = await Promise.allSettled(cluster.nodes.slice(1).map((node) => cluster.call(node, loadEdges.name, [], undefined, ANSWER_MS, undefined)))
  return [...waits.edges(), ...answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value as LoadEdge[] : []))]
}

function circle(): CacheError {
  return new CacheError('ERR_DEADLOCK', 'loads wait for each other in a circle: a loader fetches a key whose loader waits for the loader\'s own key')
}
