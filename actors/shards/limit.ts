/** The limit's keeper: where the option `limit.check` is an interval, it tells every shard to evict what is beyond the limit. Runs on the system thread. */
import { defineRawActor, type ActorContext, type Blueprint } from '../../runtime/actor.js'
import type { HostContext } from '../../runtime/host/host.js'
import { DEFAULT_BOUNDS } from '../../runtime/mailbox/lane.js'
import { trim } from '../actions/trim.js'
import '../action-list.js'
import type { CacheConfig } from '../options.js'
import { every, shardCaller } from './shard-caller.js'

export function limitBlueprint(config: CacheConfig): Blueprint {
  return {
    module: import.meta.url, definition: 'limit', args: config, host: { kind: 'system' },
    mailbox: { ...DEFAULT_BOUNDS, bytes: 1024 }, buffers: {}, crashCode: 'ERR_ACTOR_CRASHED',
  }
}

defineRawActor<{ cancel: () => void }>('limit', import.meta.url, {
  init(base: ActorContext, args: unknown) {
    const context = base as ActorContext & HostContext
    const config = args as CacheConfig
    const tell = shardCaller(context, config)
    return every(context, config.limit.checkMs!, () => tell(trim))
  },
  receive: (_limit, inlet) => inlet.finish(0),
  stop: (rounds) => rounds.cancel(),
})
