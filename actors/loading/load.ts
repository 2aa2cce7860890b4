/** A load of a missing key: the loader's function, where it runs, and what its result is reported as. */
import { setTimeout as delay } from 'node:timers/promises'
import { DEADLINELESS_MS } from '../../runtime/actor.js'
import { encodeValue } from '../../runtime/codec/value.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { CacheError, describeError } from '../../runtime/errors.js'
import { loaded } from '../actions/loaded.js'
import type { Caller } from '../calls/caller.js'
import type { EncodedEntry } from '../walks/entry-batch.js'
import type { ValueReply } from '../functions/function-wire.js'

/** What the thread that runs a loader is told of the load: plain data. */
export interface LoadTicket {
  readonly number: number
  readonly key: Uint8Array
  /** The time to live that the call asks for; `undefined`: the cache's default. */
  readonly expireMs: number | null | undefined
}

/** How soon a report that a full mailbox refused is made again, in milliseconds. */
const RETRY_MS = 10

/** Runs a loader, and reports what came of it to the key's shard, which stores it and answers those who wait. */
export async function runLoad(caller: Caller, ticket: LoadTicket, call: () => Promise<ValueReply>): Promise<ValueReply> {
  let reply: ValueReply
  try {
    reply = await call()
  } catch (error) {
    await reportFailure(caller, ticket, error)
    throw error
  }
  const [kind, expireMs, value] = reply
  const stores = kind !== 'ignore' && value[0] !== UNDEFINED_TAG
  await report(caller, ticket, value, false, stores, expireMs === undefined ? ticket.expireMs : expireMs)
  return reply
}

/** Reports that a load has failed. Nothing happens if it was reported before. */
export async function reportFailure(caller: Caller, ticket: LoadTicket, error: unknown): Promise<void> {
  const scratch = new Scratch(256)
  encodeValue(describeError(error), scratch)
  await report(caller, ticket, scratch.bytes.subarray(0, scratch.end), true, false, undefined)
}

/** Again if the shard died over it: what was reported before is not reported twice. */
async function report(caller: Caller, { number, key }: LoadTicket, value: Uint8Array, isError: boolean, stores: boolean, expireMs: number | null | undefined): Promise<void> {
  for (;;) {
    try {
      caller.encodedKey(key)
      caller.encodedValue(value)
      caller.rest([number, isError, stores, expireMs])
      await caller.send(loaded, { timeout: DEADLINELESS_MS })
      return
    } catch (error) {
      if (!(error instanceof CacheError) || error.code === 'ERR_STOPPED') return
      // A full mailbox has room again.
      if (error.code !== 'ERR_SHARD_CRASHED') await delay(RETRY_MS)
    }
  }
}

/** An encoded `undefined`, which cannot be stored. */
const UNDEFINED_TAG = ((): number => {
  const scratch = new Scratch(8)
  encodeValue(undefined, scratch)
  return scratch.bytes[0]!
})()

export function ticketOf({ bytes, keyBytes }: EncodedEntry, number: number, expireMs: number | null | undefined): LoadTicket {
  return { number, key: bytes.subarray(0, keyBytes), expireMs }
}
