/** How the actors of a cache on the system thread tell its shards something: without waiting, and without arguments. */
import type { ActorContext } from '../../runtime/actor.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import type { HostContext } from '../../runtime/host/host.js'
import type { Action } from '../action.js'
import { codeOf } from '../action-codes.js'
import { cacheOf, shardAddresses } from '../cache-ids.js'
import type { CacheConfig } from '../options.js'

/** A function that tells every shard of the actor's cache to carry an action out. */
export function shardCaller(context: ActorContext & HostContext, config: CacheConfig): (action: Action) => void {
  const nothing = new Scratch(8)
  const addresses = shardAddresses(cacheOf(context.id), config)
  return (action) => {
    for (const address of addresses) context.host.client.outlet(address).tell(codeOf(action), nothing, 0, 0, 0)
  }
}

/** Runs something each interval, by the node's clock, until it is cancelled. */
export function every(context: ActorContext, intervalMs: number, run: () => void): { cancel: () => void } {
  const rounds = { cancel: context.after(intervalMs, round) }
  function round(): void {
    run()
    rounds.cancel = context.after(intervalMs, round)
  }
  return rounds
}
