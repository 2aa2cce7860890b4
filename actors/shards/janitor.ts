/** The janitor: tells every shard of its cache to sweep expired entries, each interval. Runs on the system thread. */
import { defineRawActor, type ActorContext, type Blueprint } from '../../runtime/actor.js'
import type { HostContext } from '../../runtime/host/host.js'
import { DEFAULT_BOUNDS } from '../../runtime/mailbox/lane.js'
import { sweep } from '../actions/sweep.js'
import '../action-list.js'
import type { CacheConfig } from '../options.js'
import { every, shardCaller } from './shard-caller.js'
import { SweepRecord } from './sweep-record.js'

export function janitorBlueprint(config: CacheConfig, common: Record<string, number>): Blueprint {
  return {
    module: import.meta.url, definition: 'janitor', args: config, host: { kind: 'system' },
    mailbox: { ...DEFAULT_BOUNDS, bytes: 1024 }, buffers: {}, common: { up: 1, buffers: common }, crashCode: 'ERR_ACTOR_CRASHED',
  }
}

defineRawActor<{ cancel: () => void }>('janitor', import.meta.url, {
  init(base: ActorContext, args: unknown) {
    const context = base as ActorContext & HostContext
    const config = args as CacheConfig
    const tell = shardCaller(context, config)
    const record = new SweepRecord(context.buffers['sweeps']!)
    return every(context, config.intervalMs!, () => {
      record.begin(context.now())
      tell(sweep)
    })
  },
  receive: (_janitor, inlet) => inlet.finish(0),
  stop: (rounds) => rounds.cancel(),
})
