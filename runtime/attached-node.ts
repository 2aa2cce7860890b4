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
import type { ActorSpec } from './supervisor-spec.js'
import type { SystemApi } from './system-api.js'

export class AttachedNode {
  readonly name: string
  readonly client: Client

  constructor(attachment: NodeAttachment) {
    this.name = attachment.node
    const connection = new SystemConnection()
    connection.use(new ControlLink<SystemApi>(attachment.control))
    this.client = new Client({
      id: attachment.client, node: attachment.node, clock: new NodeClock(attachment.clock),
      bell: new Bell(attachment.bell), connection,
    })
    attachment.lifeline.on('message', (port: MessagePort) => connection.use(new ControlLink<SystemApi>(port)))
    attachment.lifeline.on('close', () => {
      const error = new CacheError('ERR_STOPPED', `node '${this.name}' has stopped`)
      this.client.stop(error)
      connection.close(error)
    })
    attachment.lifeline.unref()
  }

  /** The actor of that name, or with that path in the tree. */
  async whereis<S extends ActorSpec = ActorSpec>(name: string, _spec?: S): Promise<ActorRef<HandlersOf<S>> | undefined> {
    const address = await this.client.control<ActorAddress | undefined>((api) => api.whereis(name))
    return address === undefined ? undefined : this.client.ref<HandlersOf<S>>(address)
  }
}
