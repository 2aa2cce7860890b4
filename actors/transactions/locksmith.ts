/**
 * The locksmith: ends the transactions of a cache whose owners are gone, so that no lock outlives its owner. What had committed is
 * published, everything else dropped. Runs on the system thread, which hears of every client that goes.
 */
import { defineRawActor, DEFAULT_TIMEOUT_MS, type ActorContext, type Blueprint } from '../../runtime/actor.js'
import type { Client } from '../../runtime/client.js'
import { monotonicMs } from '../../runtime/clock.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { encodeValue } from '../../runtime/codec/value.js'
import { CacheError } from '../../runtime/errors.js'
import type { HostContext } from '../../runtime/host/host.js'
import { DEFAULT_BOUNDS } from '../../runtime/mailbox/lane.js'
import { codeOf } from '../action-codes.js'
import { conclude } from '../actions/conclude.js'
import '../action-list.js'
import { cacheOf, shardAddresses } from '../cache-ids.js'
import type { CacheConfig } from '../options.js'
import { Slots, TRANSACTION_BUFFERS, type Ticket } from './slots.js'

export function locksmithBlueprint(config: CacheConfig): Blueprint {
  return {
    module: import.meta.url, definition: 'locksmith', args: config, host: { kind: 'system' },
    mailbox: { ...DEFAULT_BOUNDS, bytes: 1024 }, buffers: {}, common: { up: 1, buffers: TRANSACTION_BUFFERS }, crashCode: 'ERR_ACTOR_CRASHED',
  }
}

class Locksmith {
  stopped = false
  readonly #client: Client
  readonly #slots: Slots
  readonly #shards: ReturnType<typeof shardAddresses>
  readonly #scratch = new Scratch(64)

  constructor(context: ActorContext & HostContext, config: CacheConfig) {
    this.#client = context.host.client
    this.#slots = new Slots(context.buffers as Record<keyof typeof TRANSACTION_BUFFERS, SharedArrayBuffer>)
    this.#shards = shardAddresses(cacheOf(context.id), config)
  }

  /** Looks at the owners now, and whenever a client has gone. */
  async watch(): Promise<void> {
    while (!this.stopped) {
      // Before the look, so that nobody goes unseen between the two.
      const gone = this.#client.control((api) => api.clientGone(), Infinity)
      const alive = new Set(await this.#client.control<number[]>((api) => api.clients()))
      for (const ticket of this.#slots.orphans((client) => alive.has(client))) void this.#end(ticket)
      await gone
    }
  }

  async #end(ticket: Ticket): Promise<void> {
    const ended = await Promise.all(this.#shards.map((_, shard) => this.#endAt(shard, ticket)))
    if (ended.every(Boolean)) this.#slots.free(ticket)
  }

  /** Again and again until the shard has done it. False if it never will. */
  async #endAt(shard: number, { slot, generation }: Ticket): Promise<boolean> {
    while (!this.stopped) {
      try {
        this.#scratch.reset()
        encodeValue([slot, generation], this.#scratch)
        await this.#client.outlet(this.#shards[shard]!).ask(codeOf(conclude), this.#scratch, 0, 0, this.#scratch.end, monotonicMs(), DEFAULT_TIMEOUT_MS).promise
        return true
      } catch (error) {
        if (!(error instanceof CacheError) || error.code === 'ERR_STOPPED') return false
      }
    }
    return false
  }
}

defineRawActor<Locksmith>('locksmith', import.meta.url, {
  init(context, args) {
    const locksmith = new Locksmith(context as ActorContext & HostContext, args as CacheConfig)
    // Ends with the node, whose control plane then refuses.
    void locksmith.watch().catch(() => undefined)
    return locksmith
  },
  receive: (_locksmith, inlet) => inlet.finish(0),
  stop(locksmith) {
    locksmith.stopped = true
  },
})
