/**
 * A node, on the thread that started it: holds the vault and the clock, starts the system thread and, when that
 * dies, starts another one on the vault. Everything else it asks of the system thread.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { Client } from './client.js'
import { NodeClock, monotonicMs } from './clock.js'
import { SystemConnection } from './connection.js'
import { ControlLink, moving } from './control.js'
import { CacheError, reviveError } from './errors.js'
import { isHostThread } from './host/host-thread.js'
import { Bell } from './mailbox/bell.js'
import { DEFAULT_BOUNDS } from './mailbox/lane.js'
import { NAMES_BYTES } from './registered-names.js'
import { Thread } from './threads.js'
import { Vault } from './vault.js'
import type { ActorAddress, ActorRef, HandlersOf } from './actor.js'
import type { ActorSpec, ChildSpec } from './supervision/supervisor-spec.js'
import type { TreeNode } from './supervision/supervision-tree.js'
import type { ActorExit, ClientPorts, StartedActor, SystemApi, SystemCounters } from './system-api.js'
import type { SystemStart } from './system/system.js'

const SYSTEM_ENTRY = new URL('./system/system.js', import.meta.url)

/** More deaths of the system thread than this within `SYSTEM_WITHIN_MS`, and the node gives up. */
const SYSTEM_MAX_RESTARTS = 100
const SYSTEM_WITHIN_MS = 10_000

/** How long the start of a tree may take: functions' modules are loaded, warmers run. */
const SPAWN_DEADLINE_MS = 120_000

/** The system thread kills what has not stopped well before this. */
const STOP_DEADLINE_MS = 40_000

/** What a thread of the application needs to become a client of the node; moved to that thread. */
export interface NodeAttachment {
  node: string
  client: number
  clock: SharedArrayBuffer
  bell: SharedArrayBuffer
  names: SharedArrayBuffer
  control: MessagePort
  /** The main thread sends another control port through it when the system thread was restarted. */
  lifeline: MessagePort
}

interface AttachedClient {
  id: number
  bell: SharedArrayBuffer
  lifeline: MessagePort
}

/** What `spawn` returns: a reference, and the way to stop what was spawned. */
export interface Spawned<H> extends ActorRef<H> {
  /** Stops it and everything below it, in reverse order, after what is queued was done. */
  stop(): Promise<void>
}

export class Node {
  readonly name: string
  readonly clock = new NodeClock()
  readonly vault = new Vault()
  readonly client: Client
  /** How often the system thread was restarted. */
  systemRestarts = 0

  readonly #pools: Record<string, number>
  readonly #onDemand: ChildSpec[]
  readonly #ids = new SharedArrayBuffer(4)
  readonly #thread = new Thread({ entry: SYSTEM_ENTRY, name: 'runSystem' })
  readonly #attached = new Map<number, AttachedClient>()
  readonly #connection: SystemConnection
  readonly #deathsMs: number[] = []
  #stopping: Promise<void> | undefined
  #recovering: Promise<void> | undefined
  /** Why it stopped, if nobody asked it to. */
  #failure: Error | undefined
  #spawns = 0
  readonly #onStopped: (() => void)[] = []

  /** Use `Node.start`. `onDemand`: children of the root that are started when they are first asked for. */
  protected constructor(name: string, pools: Record<string, number>, onDemand: ChildSpec[]) {
    this.name = name
    this.#pools = pools
    this.#onDemand = onDemand
    // Clients are numbered: 0 is the system thread's own, 1 the main thread's.
    new Int32Array(this.#ids)[0] = 2
    this.#connection = new SystemConnection()
    this.client = new Client({ id: 1, node: name, clock: this.clock, bell: new Bell(), connection: this.#connection, names: new SharedArrayBuffer(NAMES_BYTES) })
  }

  /** Starts a node; resolves when its system thread runs. */
  static async start(name = 'node'): Promise<Node> {
    const node = new Node(name, {}, [])
    await node.startUp()
    return node
  }

  /** Starts the system thread, once. Leaves nothing behind if that fails. */
  async startUp(): Promise<void> {
    if (isHostThread()) {
      throw new CacheError('ERR_INVALID_OPTION', 'a node cannot be started on a thread of the library: a module of actors or functions must not start nodes or caches when it is loaded')
    }
    try {
      await this.#startSystem()
    } catch (error) {
      await this.#thread.close()
      this.vault.clear()
      throw error
    }
  }

  get stopped(): boolean {
    return this.#stopping !== undefined
  }

  /** Called once when the node stops. */
  onStopped(run: () => void): void {
    this.#onStopped.push(run)
  }

  /** Starts an actor, or a supervisor with all below it, as a child of the node's root. */
  async spawnTree(spec: ChildSpec): Promise<StartedActor[]> {
    this.#refuseIfStopped()
    const token = `${this.client.id}-${++this.#spawns}`
    try {
      return await this.client.control((api) => api.spawn(spec, token), SPAWN_DEADLINE_MS)
    } catch (error) {
      if (!(error instanceof DOMException && error.name === 'DataCloneError')) throw error
      throw new CacheError('ERR_UNSUPPORTED_VALUE', `the arguments of '${spec.id}' cannot be sent to another thread: ${error.message}`, { cause: error })
    }
  }

  /** Starts an actor, or a supervisor and its children. The reference is to the (first) actor. */
  async spawn<S extends ChildSpec>(spec: S): Promise<Spawned<HandlersOf<S>>> {
    const [first] = await this.spawnTree(spec)
    const address = first ?? { id: spec.id, name: undefined, mailbox: DEFAULT_BOUNDS, crashCode: 'ERR_ACTOR_CRASHED' }
    return Object.assign(this.client.ref<HandlersOf<S>>(address), { stop: () => this.stopChild(spec.id) })
  }

  /** Stops a child of the root for good, in reverse order, after what is queued was done. */
  async stopChild(id: string): Promise<void> {
    if (this.stopped) return
    await this.client.control((api) => api.stop(id), SPAWN_DEADLINE_MS)
  }

  /** The actor of that name, or with that path in the tree. `spec`, a definition, gives the reference its type. */
  async whereis<S extends ActorSpec = ActorSpec>(name: string, spec?: S): Promise<ActorRef<HandlersOf<S>> | undefined>
  async whereis(name: string): Promise<ActorRef | undefined> {
    this.#refuseIfStopped()
    const address = await this.client.control<ActorAddress | undefined>((api) => api.whereis(name))
    return address === undefined ? undefined : this.client.ref(address)
  }

  /** Resolves with how the incarnation of the actor that runs now ended. Does not keep the process alive. */
  async watch(actor: { readonly id: string } | string): Promise<ActorExit> {
    this.#refuseIfStopped()
    const id = typeof actor === 'string' ? actor : actor.id
    // Before anything that the caller does next, if there is a link: it may be what ends the actor.
    const { link: current } = this.#connection
    const link = current.peerDied ? await this.client.link() : current
    try {
      return await link.call((api) => api.watch(id), Infinity)
    } catch (error) {
      // The hosts died with the system thread, and the actor with its host.
      if (link.peerDied) return { id, reason: 'error', error: error as Error }
      throw error
    }
  }

  /** The supervision tree as it is now. */
  async tree(): Promise<TreeNode> {
    this.#refuseIfStopped()
    return this.client.control((api) => api.tree())
  }

  /** Counters of messages that nobody got and of restarts. */
  async counters(): Promise<SystemCounters & { lateReplies: number; systemRestarts: number }> {
    this.#refuseIfStopped()
    const counters = await this.client.control<SystemCounters>((api) => api.counters())
    const { lateReplies } = this.client
    return { ...counters, lateReplies, systemRestarts: this.systemRestarts }
  }

  /**
   * Kills the thread that an actor runs on, as a crash would, or the system thread for `'system'`: for drills and tests.
   * Resolves when the thread is dead; its supervisor restarts what ran there.
   */
  async kill(actor: { readonly id: string } | string): Promise<void> {
    this.#refuseIfStopped()
    const id = typeof actor === 'string' ? actor : actor.id
    if (id === 'system') return this.#thread.kill()
    await this.client.control((api) => api.kill(id))
  }

  /** Tells the system thread that the clock was held, moved or released, so that what is due runs. */
  async clockMoved(): Promise<void> {
    await this.client.control((api) => api.clockMoved())
  }

  /** Makes a thread of the application a client: the attachment is moved to it. */
  attach(): NodeAttachment {
    this.#refuseIfStopped()
    const id = Atomics.add(new Int32Array(this.#ids), 0, 1)
    const bell = new Bell().buffer
    const { port1, port2 } = new MessageChannel()
    const lifeline = new MessageChannel()
    const attached = { id, bell, lifeline: lifeline.port1 }
    this.#attached.set(id, attached)
    lifeline.port1.on('close', () => {
      this.#attached.delete(id)
      this.client.names.gone(id)
    })
    lifeline.port1.unref()
    // If the system thread is dead or dies meanwhile, the next one is told with all the others.
    this.#addClient(attached, port1)
    return { node: this.name, client: id, clock: this.clock.buffer, bell, names: this.client.names.buffer, control: port2, lifeline: lifeline.port2 }
  }

  /** Stops everything in reverse order, and ends the node's threads. May be called twice. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll()
    return this.#stopping
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #stopAll(): Promise<void> {
    // A system thread that is being restarted can be stopped only when it is there.
    await this.#recovering?.catch(() => undefined)
    await this.#connection.link.call((api) => api.stopAll(), STOP_DEADLINE_MS).catch(() => undefined)
    const error = this.#stoppedError()
    this.client.stop(error)
    this.#connection.close(error)
    for (const { lifeline } of this.#attached.values()) lifeline.close()
    await this.#thread.close()
    this.vault.clear()
    for (const run of this.#onStopped) run()
  }

  async #startSystem(): Promise<void> {
    const vaultChannel = new MessageChannel()
    this.vault.follow(vaultChannel.port1)
    const attached = [...this.#attached.values()]
    const clients = [{ id: 1, bell: this.client.bell.buffer }, ...attached]
    const channels = clients.map(() => new MessageChannel())
    const start: SystemStart = {
      node: this.name, clock: this.clock.buffer, ids: this.#ids, names: this.client.names.buffer, pools: this.#pools, onDemand: this.#onDemand, vault: this.vault.snapshot(), vaultPort: vaultChannel.port2,
      clients: clients.map(({ id, bell }, index): ClientPorts => ({ id, bell, control: channels[index]!.port1 })),
    }
    const { error } = await this.#thread.run(start, [vaultChannel.port2, ...start.clients.map(({ control }) => control)])
    if (error !== undefined) throw error
    const link = new ControlLink<SystemApi>(channels[0]!.port2)
    this.#connection.use(link)
    for (const [index, { lifeline }] of attached.entries()) {
      const { port2 } = channels[index + 1]!
      lifeline.postMessage(port2, [port2])
    }
    // Those who came while it started.
    for (const client of this.#attached.values()) {
      if (attached.includes(client)) continue
      const { port1, port2 } = new MessageChannel()
      this.#addClient(client, port1)
      client.lifeline.postMessage(port2, [port2])
    }
    link.call((api) => api.gaveUp(), Infinity).then((error) => this.#giveUp(reviveError(error)), () => undefined)
    void this.#thread.death.then((reason) => this.#systemDied(reason))
  }

  #systemDied(reason: Error): void {
    if (this.stopped) return
    this.#recovering = this.#recover(reason).catch((error: unknown) => {
      this.#giveUp(error as Error)
    }).finally(() => (this.#recovering = undefined))
  }

  /** Starts another system thread on the vault, again and again until one stands or the limit is reached. */
  async #recover(reason: unknown): Promise<void> {
    for (;;) {
      const nowMs = monotonicMs()
      this.#deathsMs.push(nowMs)
      while (this.#deathsMs[0]! < nowMs - SYSTEM_WITHIN_MS) this.#deathsMs.shift()
      if (this.#deathsMs.length > SYSTEM_MAX_RESTARTS) throw reason
      try {
        await this.#startSystem()
        this.systemRestarts++
        return
      } catch (error) {
        reason = error
        if (this.stopped) throw error
      }
    }
  }

  #addClient({ id, bell }: AttachedClient, control: MessagePort): void {
    this.#connection.link.call((api) => api.addClient(moving({ id, bell, control }, [control]))).catch(() => control.close())
  }

  /** The root supervisor's limit is exceeded, or the system thread's: like an application whose top supervisor ends, the node stops. */
  #giveUp(error: Error): void {
    if (this.stopped) return
    this.#failure = error
    process.emitWarning(`node '${this.name}' gave up: ${error.message}`, { code: 'SCATTERHOARD_GAVE_UP' })
    void this.stop()
  }

  #stoppedError(): CacheError {
    return new CacheError('ERR_STOPPED', `node '${this.name}' has stopped`, { cause: this.#failure })
  }

  #refuseIfStopped(): void {
    if (this.stopped) throw this.#stoppedError()
  }
}
