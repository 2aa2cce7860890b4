/** The node's bridge as the other threads of the node know it: its place in the tree, what it is asked, and the option. */
import type { ActorAddress, Blueprint } from '../../runtime/actor.js'
import { invalidOption } from '../../runtime/option-checks.js'
import { DEFAULT_BOUNDS } from '../../runtime/mailbox/lane.js'
import type { ActorSpec } from '../../runtime/supervision/supervisor-spec.js'
import { VIEW_BYTES } from './node-view.js'

const BRIDGE_ID = 'bridge'

const BRIDGE_MAILBOX = { ...DEFAULT_BOUNDS, bytes: 16 << 20 }

/** Codes of the messages to it. */
export const TO_BRIDGE = {
  /**
   * Sections: the name of a node, and a request for it; if that lends a function, an encoded `[cache, name]`. Answered as the node
   * answers.
   */
  request: 0,
  /** An encoded `[cache, withinMs]`: answered when enough of the cache's nodes are there, and agree. */
  check: 1,
  /** Answered with an array of what is known of each other node. */
  peers: 2,
} as const

export const BRIDGE_ADDRESS: ActorAddress = { id: BRIDGE_ID, name: undefined, mailbox: BRIDGE_MAILBOX, crashCode: 'ERR_ACTOR_CRASHED' }

/** How long the bridge has to say goodbye, in milliseconds. */
const GOODBYE_MS = 2000

/** A bridge to other nodes, as `tcp`, `nats` and `memory` of `scatterhoard/bridge` return it. */
export interface NodeBridge {
  readonly transport: string
  /** The module of its actor: nothing of it is loaded on other threads. */
  readonly module: string
  /** Whether other nodes connect to it, for which a process stays alive. */
  readonly listens: boolean
  /** Plain data for its actor, with secrets in it. */
  settings(): unknown
}

/** What its actor starts with. */
export interface BridgeArguments {
  readonly settings: unknown
  readonly failureTimeoutMs: number
  readonly connectTimeoutMs: number
}

export function readBridge(value: unknown): NodeBridge | undefined {
  if (value === undefined) return undefined
  const { module, listens, settings } = (typeof value === 'object' && value !== null ? value : {}) as Partial<Record<keyof NodeBridge, unknown>>
  if (typeof module === 'string' && typeof listens === 'boolean' && typeof settings === 'function') return value as NodeBridge // that is all of it
  // There may be a secret in it.
  throw invalidOption('bridge', typeof value, 'what tcp(), nats() or memory() of \'scatterhoard/bridge\' returned')
}

/** Its place in the node's tree. */
export function bridgeSpec({ module }: NodeBridge, args: BridgeArguments): ActorSpec {
  const actor: Blueprint = {
    module, definition: 'bridge', args, host: { kind: 'own' }, mailbox: BRIDGE_MAILBOX, buffers: { view: VIEW_BYTES }, crashCode: 'ERR_ACTOR_CRASHED',
  }
  return { kind: 'actor', id: BRIDGE_ID, restart: 'permanent', shutdownMs: GOODBYE_MS, actor }
}
