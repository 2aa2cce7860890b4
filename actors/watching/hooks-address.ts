/** Where the hooks of a cache take notices. */
import type { ActorAddress } from '../../runtime/actor.js'
import { DEFAULT_BOUNDS } from '../../runtime/mailbox/lane.js'
import { HOOKS_ID } from '../cache-ids.js'

/** Bounds of the lane of each thread to the hooks: bursts of notices stay there while the system thread comes to them. */
export const HOOKS_MAILBOX = { ...DEFAULT_BOUNDS, bytes: 8 << 20 }

export function hooksAddress(cache: string): ActorAddress {
  return { id: `${cache}/${HOOKS_ID}`, name: undefined, mailbox: HOOKS_MAILBOX, crashCode: 'ERR_ACTOR_CRASHED' }
}
