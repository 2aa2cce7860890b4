/** What the system thread offers to the other threads of its node, through the control plane. */
import type { ActorAddress } from './actor.js'
import type { ErrorDescription } from './errors.js'
import type { PassedCall } from './function-server.js'
import type { ChildSpec } from './supervision/supervisor-spec.js'
import type { TreeNode } from './supervision/supervision-tree.js'
import type { MessagePort } from 'node:worker_threads'

/** An actor as it started, with the shared buffers that its spec asked for. */
export interface StartedActor extends ActorAddress {
  /** The name of its definition, and the arguments of its spec. */
  readonly definition: string
  readonly args: unknown
  readonly buffers: Record<string, SharedArrayBuffer>
}

/** Actors as they are now. */
export interface StartedActors {
  actors: StartedActor[]
  /** Its first word moves, with a notification, when something was spawned or stopped: `seen` is what it was before they were listed. */
  changes: SharedArrayBuffer
  seen: number
}

/** How full an actor's mailbox is. While messages come and go it is an estimate. */
export interface MailboxLook {
  actor: string
  /** One for each thread that has sent something. */
  lanes: number
  /** Messages that are not done, and their bytes: in all lanes, and in the fullest. */
  messages: number
  fullest: number
  bytes: number
  /** What a lane holds. */
  capacity: { messages: number; bytes: number }
}

/** Counters of a node that only the system thread sees. */
export interface SystemCounters {
  deadLetters: number
  restarts: number
  clients: number
}

export interface SystemApi {
  /**
   * Starts a child of the root supervisor and everything below it. Leaves nothing behind if it fails. A call that is made again with
   * the same `token`, because the first may have been lost with its system thread, finds what the first one started.
   */
  spawn(spec: ChildSpec, token: string): Promise<StartedActor[]>
  /** Starts a child of the root that the node starts on demand, unless it stands. Resolves with its actors. */
  demand(id: string): Promise<StartedActor[]>
  /** The actors of a definition that have a place in the tree. */
  started(definition: string): Promise<StartedActors>
  /** Stops a child of the root supervisor for good, in reverse order of start. Nothing happens if there is none. */
  stop(id: string): Promise<void>
  /** Makes, or finds again, the caller's lane to an actor. `ERR_NO_ACTOR` for one that is not in the tree. */
  openLane(id: string): Promise<{ lane: SharedArrayBuffer; bell: SharedArrayBuffer }>
  /** Passes the body of a message that is too large for the ring to the actor's host, and keeps it until it is done. */
  handOver(id: string, largeId: number, body: SharedArrayBuffer): Promise<void>
  /** Hands a port to an actor of this package that takes one; closes it if the actor does not, or is down. */
  connect(id: string, port: MessagePort): Promise<void>
  /** So many messages found no actor. */
  deadLetters(count: number): Promise<void>
  /** Resolves with the reason when the root supervisor has given up. */
  gaveUp(): Promise<ErrorDescription>
  /** The actor of that name, or with that path in the tree. */
  whereis(name: string): Promise<ActorAddress | undefined>
  /** Resolves with what ended the incarnation that runs now. */
  watch(id: string): Promise<ActorExit>
  tree(): Promise<TreeNode>
  counters(): Promise<SystemCounters>
  /** The mailboxes of all actors. */
  mailboxes(): Promise<MailboxLook[]>
  /** Kills the thread of an actor, as a crash would: for drills. */
  kill(id: string): Promise<void>
  /** The node's clock was held, moved or released. */
  clockMoved(): Promise<void>
  /** The clients that are alive. */
  clients(): Promise<number[]>
  /** Resolves when the next client has gone. */
  clientGone(): Promise<void>
  /** The caller's thread runs the functions that it has registered, when others call them. */
  serveFunctions(ports: { port: MessagePort }): Promise<void>
  /** Has the thread of a client run a function. `ERR_ACTOR_CRASHED` if it ends meanwhile, `ERR_TIMEOUT` if it is blocked. */
  callRegistered(client: number, call: PassedCall, limitMs: number): Promise<unknown>
  /** Adds another thread of the application as a client. */
  addClient(client: ClientPorts): Promise<void>
  /** Stops everything in reverse order. */
  stopAll(): Promise<void>
}

/** How an incarnation of an actor ended. */
export interface ActorExit {
  id: string
  reason: 'normal' | 'shutdown' | 'error'
  error?: Error
}

/** A client thread as the system thread knows it. */
export interface ClientPorts {
  id: number
  bell: SharedArrayBuffer
  control: MessagePort
}
