/**
 * The system thread: the supervision tree, the hosts, the lanes and the names of a node. Never runs a user's code.
 *
 * Here is what it does for each call of the control plane, and how its parts are put together. Everything that must survive
 * this thread is in the vault: buffers, lanes, the specs of what was spawned. When the main thread starts another one on the
 * vault, the tree comes back on it. All host threads die with this one.
 */
import type { MessagePort } from 'node:worker_threads'
import { ClockTimers, NodeClock } from '../clock.js'
import { CacheError, describeError, type ErrorDescription } from '../errors.js'
import { RegisteredNames } from '../registered-names.js'
import { emptyMemory, type ChildMemory, type SupervisorEvent } from '../supervision/supervised-child.js'
import { Supervisor } from '../supervision/supervisor.js'
import type { ChildSpec, SupervisorSpec } from '../supervision/supervisor-spec.js'
import type { ClientPorts, StartedActor, StartedActors, SystemApi } from '../system-api.js'
import { VaultWriter, type VaultEntries } from '../vault.js'
import { ActorDriver } from './actor-driver.js'
import type { ActorRecord } from './actor-record.js'
import { Actors } from './actors.js'
import { Clients, SYSTEM_CLIENT } from './clients.js'
import { Departures } from './departures.js'
import { FunctionServers } from './function-servers.js'
import { Hosts } from './hosts.js'
import { Lanes } from './lanes.js'
import { NodeCounters } from './node-counters.js'
import { SpawnBook } from './spawn-book.js'

export interface SystemStart {
  node: string
  clock: SharedArrayBuffer
  /** Counts client ids, for all threads. */
  ids: SharedArrayBuffer
  /** Functions that threads of the application have registered. */
  names: SharedArrayBuffer
  /** How many threads each pool of hosts has. */
  pools: Record<string, number>
  /** Children of the root that are started when they are first asked for. */
  onDemand: ChildSpec[]
  vault: VaultEntries
  vaultPort: MessagePort
  /** The clients that are alive: the main thread and those attached. */
  clients: ClientPorts[]
}

/** How often what is started on demand may fail to start. */
const MAX_DEMANDS = 10

/** How long everything has to stop with the node. */
const STOP_DEADLINE_MS = 30_000

const ROOT: SupervisorSpec = {
  kind: 'supervisor', id: 'node', strategy: 'one_for_one', maxRestarts: 20, withinMs: 10_000, restart: 'permanent',
  shutdownMs: Infinity, children: [],
  backoff: { firstMs: 0, thenMs: 50, factor: 2, maxMs: 5000, jitter: 0.2, resetAfterMs: 10_000 },
}

export class System {
  readonly #timers: ClockTimers
  readonly #vault: VaultWriter
  readonly #counters: NodeCounters
  readonly #clients: Clients
  readonly #hosts: Hosts
  readonly #lanes: Lanes
  readonly #actors: Actors
  readonly #driver: ActorDriver
  readonly #root: Supervisor
  readonly #spawned: SpawnBook
  readonly #departures: Departures
  readonly #names: RegisteredNames
  readonly #servers = new FunctionServers()
  readonly #onDemand: readonly ChildSpec[]
  /** Spawns under way, by their tokens. */
  readonly #spawning = new Map<string, Promise<StartedActor[]>>()
  /** A word that moves when something was spawned or stopped. */
  readonly #changes: Int32Array<SharedArrayBuffer>

  constructor({ node, clock: clockBuffer, ids, names, pools, onDemand, vault: entries, vaultPort, clients }: SystemStart) {
    this.#onDemand = onDemand
    const clock = new NodeClock(clockBuffer)
    const vault = this.#vault = new VaultWriter(entries, vaultPort)
    const counters = this.#counters = new NodeCounters(vault.buffer('counters', 64))
    this.#changes = new Int32Array(vault.buffer('changes', 8))
    this.#timers = new ClockTimers(clock)
    this.#names = new RegisteredNames(names, SYSTEM_CLIENT)
    this.#names.takeOver(clients.map(({ id }) => id))
    this.#clients = new Clients(ids, (client) => this.#api(client), (client) => this.#clientGone(client))
    const lanes = this.#lanes = new Lanes(vault, this.#clients)
    const hosts = this.#hosts = new Hosts({
      node, clock, names, vault, pools,
      connectClient: (isSystem) => this.#clients.addHost(isSystem),
      onReport: (report) => this.#driver.onReport(report),
      onClientGone: (client) => this.#clients.gone(client),
    })
    const actors = this.#actors = new Actors({ node, vault, hosts, lanes, counters })
    this.#driver = new ActorDriver(vault, actors, lanes)
    const rootMemory: ChildMemory = { ...emptyMemory(), incarnation: 1 }
    const root = this.#root = new Supervisor(ROOT, {
      driver: this.#driver, timers: this.#timers, onEvent: (event) => this.#onEvent(event), memory: rootMemory,
    })
    this.#spawned = new SpawnBook({ vault, root, rootSpec: ROOT, rootMemory, actors, hosts, lanes, counters })
    this.#departures = new Departures(root, actors, this.#spawned)
    lanes.renameSystemLanes()
    for (const client of clients) this.#clients.add(client)
  }

  /** Starts what was spawned before, if another system thread has died. */
  async run(): Promise<void> {
    await this.#root.start()
    await this.#spawned.restoreAll()
  }

  #api(client: number): SystemApi {
    return {
      spawn: (spec, token) => this.#spawnOnce(spec, token),
      demand: (id) => this.#demand(id),
      started: (definition) => Promise.resolve(this.#started(definition)),
      stop: (id) => this.#stop(id),
      openLane: (id) => Promise.resolve(this.#lanes.open(this.#actors.find(id), client)),
      handOver: (id, largeId, body) => Promise.resolve(this.#lanes.handOver(this.#actors.find(id), client, largeId, body)),
      connect: (id, port) => Promise.resolve(this.#connect(id, port)),
      deadLetters: (count) => Promise.resolve(this.#counters.addDeadLetters(count)),
      gaveUp: () => this.#gaveUp(),
      whereis: (name) => Promise.resolve((this.#actors.named(name) ?? this.#actors.get(name))?.address()),
      watch: (id) => this.#actors.find(id).nextExit(),
      tree: () => Promise.resolve(this.#root.tree()),
      counters: () => Promise.resolve({ deadLetters: this.#counters.deadLetters, restarts: this.#counters.restarts, clients: this.#clients.size }),
      mailboxes: () => Promise.resolve(this.#actors.all.map((record) => record.lookAtMailbox())),
      kill: async (id) => this.#actors.find(id).host.kill(),
      clockMoved: () => Promise.resolve(this.#clockMoved()),
      clients: () => Promise.resolve(this.#clients.list()),
      clientGone: () => this.#clients.nextGone(),
      serveFunctions: ({ port }) => Promise.resolve(this.#servers.offer(client, port)),
      callRegistered: (registrant, call, limitMs) => this.#servers.call(registrant, call, limitMs),
      addClient: (ports) => Promise.resolve(this.#clients.add(ports)),
      stopAll: () => this.#stopAll(),
    }
  }

  /** A call that is made again while the first one is under way joins it. */
  #spawnOnce(spec: ChildSpec, token: string): Promise<StartedActor[]> {
    const underWay = this.#spawning.get(token)
    if (underWay !== undefined) return underWay
    const spawning = this.#spawn(spec, token).finally(() => this.#spawning.delete(token))
    this.#spawning.set(token, spawning)
    return spawning
  }

  async #demand(id: string): Promise<StartedActor[]> {
    const spec = this.#onDemand.find((each) => each.id === id)
    if (spec === undefined) throw new CacheError('ERR_NO_ACTOR', `the node has no '${id}' that it starts on demand`, { actor: id })
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#spawnOnce(spec, `on demand: ${id}`)
      } catch (error) {
        // Nobody asked for just this start: one whose thread is killed meanwhile is made again.
        if (attempt === MAX_DEMANDS) throw new CacheError('ERR_ACTOR_CRASHED', `'${id}' could not be started: ${String(error)}`, { actor: id, cause: error })
      }
    }
  }

  #started(definition: string): StartedActors {
    const seen = Atomics.load(this.#changes, 0)
    const actors = this.#actors.all.filter(({ blueprint }) => blueprint.definition === definition).map(startedActor)
    return { actors, changes: this.#changes.buffer, seen }
  }

  #changed(): void {
    Atomics.add(this.#changes, 0, 1)
    Atomics.notify(this.#changes, 0)
  }

  async #spawn(spec: ChildSpec, token: string): Promise<StartedActor[]> {
    if (!this.#spawned.has(spec.id, token)) {
      this.#actors.checkNames(spec)
      const taken = this.#root.whichChildren().find(({ id }) => id === spec.id)
      // It ended by itself and is not restarted: its place is free.
      if (taken?.state === 'stopped') await this.#root.deleteChild(spec.id)
      if (taken?.state === undefined || taken.state === 'stopped') this.#hosts.prepare(spec, spec.id)
      try {
        await this.#root.startChild(spec)
      } catch (error) {
        if (!this.#isInTree(spec.id)) this.#actors.forget(spec.id)
        this.#actors.closeIdleHosts()
        throw error
      }
      this.#spawned.enter(spec, token)
      this.#changed()
    }
    return this.#actors.below(spec.id).map(startedActor)
  }

  async #stop(id: string): Promise<void> {
    this.#spawned.strike(id)
    if (this.#isInTree(id)) {
      await this.#root.terminateChild(id).catch(() => undefined)
      await this.#root.deleteChild(id).catch(() => undefined)
    }
    this.#actors.forget(id)
    this.#changed()
  }

  #isInTree(id: string): boolean {
    return this.#root.whichChildren().some((child) => child.id === id)
  }

  async #gaveUp(): Promise<ErrorDescription> {
    const { reason, error } = await this.#root.exited
    // After a stop in order nobody is waiting.
    return reason === 'error' && error !== undefined ? describeError(error) : new Promise(() => undefined)
  }

  #connect(id: string, port: MessagePort): void {
    const { host } = this.#actors.find(id)
    if (host.running) host.order({ order: 'connect', id, port }, [port])
    else port.close()
  }

  #clientGone(client: number): void {
    this.#actors.clientGone(client)
    this.#servers.gone(client)
    this.#names.gone(client)
  }

  #clockMoved(): void {
    this.#timers.recheck()
    this.#hosts.clockMoved()
  }

  async #stopAll(): Promise<void> {
    // By the machine's time besides: the node's clock may be held.
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => { timer = setTimeout(resolve, STOP_DEADLINE_MS + 1000) })
    await Promise.race([this.#root.stop(STOP_DEADLINE_MS), late])
    clearTimeout(timer)
    this.#departures.close()
    this.#actors.closeLanes()
    await this.#hosts.closeAll()
    this.#timers.close()
  }

  #onEvent(event: SupervisorEvent): void {
    if (event.type === 'restarting') this.#counters.addRestart()
    if (event.type === 'started' && event.path.length > 1) this.#vault.put(`incarnation/${event.path.slice(1).join('/')}`, event.incarnation)
    // Children that are not restarted leave the tree.
    if (event.type === 'exited' || event.type === 'limit-exceeded' || event.type === 'start-failed') this.#departures.lookSoon()
  }
}

function startedActor(record: ActorRecord): StartedActor {
  const { blueprint: { definition, args }, buffers } = record
  return { ...record.address(), definition, args, buffers }
}

/** The entry that the main thread runs on the system thread. Returns when the tree stands. */
export async function runSystem(start: SystemStart): Promise<'started'> {
  const system = new System(start)
  await system.run()
  return 'started'
}
