/**
 * A node as a worker thread of the application sees it: a client of its actors, made from what the main thread's
 * `Node.attach()` returned and moved there.
 */
import { Client } from './client.js'
import { NodeClock } from './clock.js'
import { SystemConnection } from './connection.js'
import { ControlLink } from './control.js'
import { CacheError } from './errors.js'
import { Bell } from './mailbox/bell.js'
import type { ActorAddress, ActorRef, HandlersOf } from './actor.js'
import type { MessagePort } from 'node:worker_threads'
import type { NodeAttachment } from './node.js'
import type { ActorSpec } from './supervision/supervisor-spec.js'
import type { SystemApi } from './system-api.js'

export class AttachedNode {
  readonly name: string
  readonly client: Client
  readonly #connection: SystemConnection
  readonly #lifeline: MessagePort

  constructor(attachment: NodeAttachment) {
    this.name = attachment.node
    const connection = this.#connection = new SystemConnection()
    this.#lifeline = attachment.lifeline
    connection.use(new ControlLink<SystemApi>(attachment.control))
    this.client = new Client({
      id: attachment.client, node: attachment.node, clock: new NodeClock(attachment.clock),
      bell: new Bell(attachment.bell), connection, names: attachment.names,
    })
    attachment.lifeline.on('message', (port: MessagePort) => connection.use(new ControlLink<SystemApi>(port)))
    attachment.lifeline.on('close', () => this.#stop(`node '${this.name}' has stopped`))
    attachment.lifeline.unref()
  }

  /** Gives back what this thread holds. What it has sent still runs; what it waits for fails with `ERR_STOPPED`. */
  close(): void {
    this.#stop(`this thread was detached from node '${this.name}'`)
    this.#lifeline.close()
  }

  #stop(message: string): void {
    const error = new CacheError('ERR_STOPPED', message)
    this.client.stop(error)
    this.#connection.close(error)
  }

  /** The actor of that name, or with that path in the tree. */
  async whereis<S extends ActorSpec = ActorSpec>(name: string, spec?: S): Promise<ActorRef<HandlersOf<S>> | undefined>
  async whereis(name: string): Promise<ActorRef | undefined> {
    const address = await this.client.control<ActorAddress | undefined>((api) => api.whereis(name))
    return address === undefined ? undefined : this.client.ref(address)
  }
}
