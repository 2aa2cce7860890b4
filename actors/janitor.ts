/** The janitor: tells every shard of its cache to sweep expired entries, each interval. Runs on the system thread. */
import { defineRawActor, type ActorContext, type Blueprint } from '../runtime/actor.js'
import { Scratch } from '../runtime/codec/scratch.js'
import type { HostContext } from '../runtime/host/host.js'
import { DEFAULT_BOUNDS } from '../runtime/mailbox/lane.js'
import { codeOf } from './action-codes.js'
import { sweep } from './actions/sweep.js'
import './action-list.js'
import type { CacheConfig } from './options.js'
import { SweepRecord } from './sweep-record.js'
import { cacheOf, shardAddresses } from './cache-ids.js'

export function janitorBlueprint(config: CacheConfig, common: Record<string, number>): Blueprint {
  return {
    module: import.meta.url, definition: 'janitor', args: config, host: { kind: 'system' },
    mailbox: { ...DEFAULT_BOUNDS, bytes: 1024 }, buffers: {}, common: { up: 1, buffers: common }, crashCode: 'ERR_ACTOR_CRASHED',
  }
}

interface Janitor {
  cancel: () => void
}

defineRawActor<Janitor>('janitor', import.meta.url, {
  init(base: ActorContext, args: unknown) {
    const context = base as ActorContext & HostContext
    const { intervalMs } = args as CacheConfig
    const nothing = new Scratch(8)
    const addresses = shardAddresses(cacheOf(context.id), args as CacheConfig)
    const janitor: Janitor = { cancel: () => undefined }
    const record = new SweepRecord(context.buffers['sweeps']!)
    const run = (): void => {
      record.begin(context.now())
      for (const address of addresses) context.host.client.outlet(address).tell(codeOf(sweep), nothing, 0, 0, 0)
      janitor.cancel = context.after(intervalMs!, run)
    }
    janitor.cancel = context.after(intervalMs!, run)
    return janitor
  },
  receive: (_janitor, inlet) => inlet.finish(0),
  stop: (janitor) => janitor.cancel(),
})
