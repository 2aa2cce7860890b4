/**
 * What the system thread knows of one actor: where it runs and who has a lane to it. Lives as long as the actor has
 * a place in the tree, across its incarnations.
 */
import type { ActorAddress, Blueprint } from '../actor.js'
import { Bell } from '../mailbox/bell.js'
import { bytesUnfinished, countUnfinished, LANE_STATE, STATE } from '../mailbox/lane.js'
import type { ActorExit, MailboxLook } from '../system-api.js'
import type { HostSlot } from './host-slot.js'

export class ActorRecord implements ActorAddress {
  readonly id: string
  readonly blueprint: Blueprint
  readonly host: HostSlot
  readonly buffers: Record<string, SharedArrayBuffer>
  /** The lane of each client, by its id. */
  readonly lanes = new Map<number, { lane: SharedArrayBuffer; bell: SharedArrayBuffer }>()
  readonly #watchers = new Set<(exit: ActorExit) => void>()
  /** Its last incarnation ended by itself, and it has not been started since. */
  isDown = false
  /** Starts in a row that its own code has failed. One whose thread was killed meanwhile says nothing about what it starts on. */
  failedStarts = 0
  /** A start, a stop or an end in progress is waited for by these. */
  settleStart: { resolve: () => void; reject: (error: Error) => void } | undefined
  settleStop: (() => void) | undefined
  settleExit: ((exit: ActorExit) => void) | undefined

  constructor(id: string, blueprint: Blueprint, host: HostSlot, buffers: Record<string, SharedArrayBuffer>) {
    this.id = id
    this.blueprint = blueprint
    this.host = host
    this.buffers = buffers
  }

  get name(): string | undefined {
    return this.blueprint.name
  }

  get mailbox(): Blueprint['mailbox'] {
    return this.blueprint.mailbox
  }

  get crashCode(): Blueprint['crashCode'] {
    return this.blueprint.crashCode
  }

  /** As it is sent to other threads. */
  address(): ActorAddress {
    const { id, name, mailbox, crashCode } = this
    return { id, name, mailbox, crashCode }
  }

  lookAtMailbox(): MailboxLook {
    const look: MailboxLook = { actor: this.id, lanes: this.lanes.size, messages: 0, fullest: 0, bytes: 0, capacity: { messages: this.mailbox.messages, bytes: this.mailbox.bytes } }
    for (const { lane } of this.lanes.values()) {
      const messages = countUnfinished(lane)
      look.messages += messages
      look.fullest = Math.max(look.fullest, messages)
      look.bytes += bytesUnfinished(lane)
    }
    return look
  }

  /** Nobody will answer any more: every client hears of it. Returns how many messages were left. */
  closeLanes(): number {
    let left = 0
    for (const { lane, bell } of this.lanes.values()) {
      markLane(lane, LANE_STATE.closed)
      new Bell(bell).ring()
      left += countUnfinished(lane)
    }
    return left
  }

  /** Resolves with what ends the incarnation that runs now; if none does, the next one. */
  nextExit(): Promise<ActorExit> {
    return new Promise((resolve) => this.#watchers.add(resolve))
  }

  /** An incarnation has ended, or there will be none. */
  ended(exit: ActorExit): void {
    for (const watcher of this.#watchers) watcher(exit)
    this.#watchers.clear()
  }
}

export function markLane(lane: SharedArrayBuffer, state: number): void {
  Atomics.store(new Int32Array(lane, 0, STATE + 1), STATE, state)
}
