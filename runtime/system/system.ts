/**
 * The system thread: the supervision tree, the hosts, the lanes and the names of a node. Never runs a user's code.
 *
 * Everything that must survive this thread is in the vault: buffers, lanes, the specs of what was spawned. When the
 * main thread starts another one on the vault, the tree comes back on it. All host threads die with this one.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import type { Blueprint } from '../actor.js'
import { ClockTimers, NodeClock } from '../clock.js'
import { serveControl } from '../control.js'
import { CacheError, reviveError } from '../errors.js'
import { Bell } from '../mailbox/bell.js'
import { createLane, LANE_STATE, STATUS } from '../mailbox/lane.js'
import type { HostStart, LaneGrant, Report } from '../host/protocol.js'
import { Supervisor } from '../supervisor.js'
import type { ChildDriver, ChildExit, StartAttempt, StartedChild, SupervisorEvent } from '../supervised-child.js'
import type { ActorSpec, ChildSpec, SupervisorSpec } from '../supervisor-spec.js'
import type { TreeNode } from '../supervision-tree.js'
import type { ActorExit, ClientPorts, StartedActor, SystemApi } from '../system-api.js'
import { VaultWriter, type VaultEntries } from '../vault.js'
import { ActorRecord, markLane } from './actor-record.js'
import { HostSlot, ThreadDeath } from './host-slot.js'

export interface SystemStart {
  node: string
  clock: SharedArrayBuffer
  /** Counts client ids, for all threads. */
  ids: SharedArrayBuffer
  /** How many threads each pool of hosts has. */
  pools: Record<string, number>
  vault: VaultEntries
  vaultPort: MessagePort
  /** The clients that are alive: the main thread and those attached. */
  clients: ClientPorts[]
}

/** How often hosts are looked at for functions over their time limit, in milliseconds. */
const FUNCTION_CHECK_MS = 50

/** The system lane's client: it goes before the others. */
const SYSTEM_CLIENT = 0

const ROOT: SupervisorSpec = {
  kind: 'supervisor', id: 'node', strategy: 'one_for_one', maxRestarts: 20, withinMs: 10_000, restart: 'permanent',
  shutdownMs: Infinity, children: [],
  backoff: { firstMs: 0, thenMs: 50, factor: 2, maxMs: 5000, jitter: 0.2, resetAfterMs: 10_000 },
}

export class System {
  readonly #start: SystemStart
  readonly #clock: NodeClock
  readonly #timers: ClockTimers
  readonly #vault: VaultWriter
  readonly #hosts = new Map<string, HostSlot>()
  readonly #actors = new Map<string, ActorRecord>()
  readonly #clients = new Map<number, SharedArrayBuffer>()
  readonly #root: Supervisor
  #deadLetters = 0
  #restarts = 0

  constructor(start: SystemStart) {
    this.#start = start
    this.#clock = new NodeClock(start.clock)
    this.#timers = new ClockTimers(this.#clock)
    this.#vault = new VaultWriter(start.vault, start.vaultPort)
    const specs = this.#vault.names('spec/').map((name) => this.#vault.get(name) as ChildSpec)
    const driver: ChildDriver = { start: (spec, attempt) => this.#startActor(spec, attempt) }
    this.#root = new Supervisor({ ...ROOT, children: specs }, { driver, timers: this.#timers, onEvent: (event) => this.#onEvent(event) })
    for (const client of start.clients) this.#addClient(client)
    setInterval(() => {
      for (const host of this.#hosts.values()) void host.checkFunctionLimit()
    }, FUNCTION_CHECK_MS).unref()
  }

  async run(): Promise<void> {
    await this.#root.start()
  }

  // The control plane

  #addClient({ id, bell, control }: ClientPorts): void {
    this.#clients.set(id, bell)
    void serveControl(this.#api(id), control).then(() => this.#clientGone(id))
  }

  #api(client: number): SystemApi {
    return {
      spawn: (spec) => this.#spawn(spec),
      stop: (id) => this.#stop(id),
      openLane: (id) => Promise.resolve(this.#openLane(id, client)),
      handOver: (id, largeId, body) => Promise.resolve(this.#handOver(id, client, largeId, body)),
      whereis: (name) => Promise.resolve(this.#whereis(name)?.address()),
      watch: (id) => this.#watch(id),
      tree: () => Promise.resolve(this.#root.tree()),
      counters: () => Promise.resolve({ deadLetters: this.#deadLetters, restarts: this.#restarts, clients: this.#clients.size }),
      kill: async (id) => this.#record(id).host.kill(),
      clockMoved: () => Promise.resolve(this.#clockMoved()),
      addClient: (ports) => Promise.resolve(this.#addClient(ports)),
      stopAll: () => this.#stopAll(),
    }
  }

  async #spawn(spec: ChildSpec): Promise<StartedActor[]> {
    this.#checkNames(spec)
    const specName = `spec/${spec.id}`
    const prefix = `${spec.id}/`
    await this.#root.startChild(spec)
    this.#vault.put(specName, spec)
    return [...this.#actors.values()]
      .filter((record) => record.id === spec.id || record.id.startsWith(prefix))
      .map((record) => ({
        ...record.address(), definition: record.blueprint.definition, args: record.blueprint.args, buffers: record.buffers,
      }))
  }

  async #stop(id: string): Promise<void> {
    this.#vault.drop(`spec/${id}`)
    await this.#root.terminateChild(id)
    await this.#root.deleteChild(id).catch(() => undefined)
    this.#forget(id)
  }

  /** Lets go of actors that have no place in the tree any more. */
  #forget(id: string): void {
    const prefix = `${id}/`
    for (const record of [...this.#actors.values()]) {
      if (record.id !== id && !record.id.startsWith(prefix)) continue
      this.#actors.delete(record.id)
      record.closeLanes()
      for (const name of this.#vault.names(`buffer/${record.id}/`)) this.#vault.drop(name)
      for (const client of record.lanes.keys()) this.#dropLaneEntries(client, record.id)
      this.#closeIdleHost(record.host)
    }
  }

  #closeIdleHost(host: HostSlot): void {
    if ([...this.#actors.values()].some((record) => record.host === host)) return
    if (!this.#hosts.delete(host.id)) return
    this.#vault.drop(`host/${host.id}/bell`)
    this.#vault.drop(`host/${host.id}/words`)
    void host.close()
  }

  #openLane(id: string, client: number): { lane: SharedArrayBuffer; bell: SharedArrayBuffer } {
    const record = this.#record(id)
    const known = record.lanes.get(client)
    if (known !== undefined) return { lane: known.lane, bell: record.host.bell }
    const bell = this.#clients.get(client)
    if (bell === undefined) throw new CacheError('ERR_STOPPED', 'this thread is not a client of the node any more')
    const lane = createLane(record.mailbox)
    this.#vault.put(`lane/${client}/${id}`, lane)
    record.lanes.set(client, { lane, bell })
    record.host.order({ order: 'lane', id, lane: { client, lane, bell, large: [] } })
    return { lane, bell: record.host.bell }
  }

  #handOver(id: string, client: number, largeId: number, body: SharedArrayBuffer): void {
    const record = this.#record(id)
    this.#vault.put(`large/${client}/${id}#${largeId}`, body)
    record.host.order({ order: 'large', id, client, largeId, body })
  }

  #watch(id: string): Promise<ActorExit> {
    const record = this.#record(id)
    return new Promise((resolve) => record.watchers.add(resolve))
  }

  #record(id: string): ActorRecord {
    const record = this.#actors.get(id) ?? this.#whereis(id)
    if (record !== undefined) return record
    this.#deadLetters++
    throw new CacheError('ERR_NO_ACTOR', `there is no actor '${id}' on node '${this.#start.node}'; see its tree for those that there are`, { actor: id })
  }

  #whereis(name: string): ActorRecord | undefined {
    for (const record of this.#actors.values()) if (record.name === name) return record
    return undefined
  }

  #checkNames(spec: ChildSpec): void {
    for (const name of namesIn(spec)) {
      const taken = this.#whereis(name)
      if (taken !== undefined) throw new CacheError('ERR_NAME_TAKEN', `the name '${name}' belongs to ${taken.id}; choose another or stop that one first`, { name })
    }
  }

  #clockMoved(): void {
    this.#timers.recheck()
    for (const host of this.#hosts.values()) host.order({ order: 'clockMoved' })
  }

  async #stopAll(): Promise<void> {
    await this.#root.stop()
    for (const record of this.#actors.values()) record.closeLanes()
    await Promise.all([...this.#hosts.values()].map((host) => host.close()))
    this.#timers.close()
  }

  // Clients

  #clientGone(id: number): void {
    this.#clients.delete(id)
    for (const record of this.#actors.values()) this.#dropLane(record, id)
  }

  /** A client is gone: what it sent still runs, then the host reports that the lane is empty. */
  #dropLane(record: ActorRecord, client: number): void {
    const known = record.lanes.get(client)
    if (known === undefined) return
    markLane(known.lane, LANE_STATE.clientGone)
    record.host.order({ order: 'dropLane', id: record.id, client })
  }

  #dropLaneEntries(client: number, id: string): void {
    this.#vault.drop(`lane/${client}/${id}`)
    for (const name of this.#vault.names(`large/${client}/${id}#`)) this.#vault.drop(name)
  }

  // Actors

  #onEvent(event: SupervisorEvent): void {
    if (event.type === 'restarting') this.#restarts++
    // Children that are not restarted leave the tree; looked at when the supervisor is through with it.
    if (event.type === 'exited' || event.type === 'limit-exceeded') setImmediate(() => this.#forgetTheGone())
  }

  /** Lets go of actors that ended by themselves and will not be restarted. */
  #forgetTheGone(): void {
    const present = new Set<string>()
    const visit = (node: TreeNode, path: string): void => {
      if (node.kind === 'actor' && node.state !== 'stopped') present.add(path)
      for (const child of node.children) visit(child, path === '' ? child.id : `${path}/${child.id}`)
    }
    const tree = this.#root.tree()
    if (this.#hasUnsettled(tree)) return void this.#timers.after(10, () => this.#forgetTheGone())
    visit(tree, '')
    for (const id of [...this.#actors.keys()]) if (!present.has(id)) this.#forget(id)
  }

  #hasUnsettled(node: TreeNode): boolean {
    return node.state === 'starting' || node.state === 'restarting' || node.state === 'stopping' || node.children.some((child) => this.#hasUnsettled(child))
  }

  async #startActor(spec: ActorSpec, attempt: StartAttempt): Promise<StartedChild> {
    const blueprint = spec.actor as Blueprint
    const id = attempt.path.slice(1).join('/')
    const existing = this.#actors.get(id)
    const record = existing ?? this.#createRecord(id, blueprint)
    const { host } = record
    host.actors.add(id)
    try {
      const recoverAs = host.lastDeath?.functionTimeout === true ? STATUS.functionTimeout : STATUS.crashed
      const death = host.ensureRunning()
      const started = new Promise<void>((resolve, reject) => {
        record.settleStart = { resolve, reject }
        void death.then((end) => reject(end.error))
        attempt.signal.addEventListener('abort', () => reject(new CacheError('ERR_STOPPED', `${id} was stopped while it started`)), { once: true })
      })
      host.order({
        order: 'start', id, blueprint, buffers: record.buffers, lanes: this.#grants(record), recoverAs,
        incarnation: attempt.incarnation, failedStarts: attempt.failedStartsInARow,
      })
      await started
      // Those who went while the actor was down, or with the system thread before this one.
      for (const client of record.lanes.keys()) if (!this.#clients.has(client)) this.#dropLane(record, client)
      const exited = Promise.race([
        death.then((end): ChildExit => ({ reason: 'error', error: end.error, death: end, counts: !end.functionTimeout })),
        new Promise<ChildExit>((resolve) => {
          record.settleExit = (exit) => resolve({ reason: exit.reason, death: {}, counts: true, ...exit.error && { error: exit.error } })
        }),
      ])
      void exited.then(({ reason, error }) => {
        host.actors.delete(id)
        record.ended({ id, reason, ...error && { error } })
      })
      return {
        exited,
        stop: (deadlineMs) => this.#stopActor(record, deadlineMs, death),
        inspect: () => ({ host: host.id }),
      }
    } catch (error) {
      host.actors.delete(id)
      if (existing === undefined) this.#forget(id)
      throw error
    } finally {
      record.settleStart = undefined
    }
  }

  #createRecord(id: string, blueprint: Blueprint): ActorRecord {
    const buffers: Record<string, SharedArrayBuffer> = {}
    for (const [name, bytes] of Object.entries(blueprint.buffers)) buffers[name] = this.#vault.buffer(`buffer/${id}/${name}`, bytes)
    const record = new ActorRecord(id, blueprint, this.#hostFor(id, blueprint.host), buffers)
    for (const name of this.#vault.names('lane/')) {
      const [, client, ...path] = name.split('/')
      if (path.join('/') !== id) continue
      const bell = this.#clients.get(Number(client)) ?? new Bell().buffer
      record.lanes.set(Number(client), { lane: this.#vault.get(name) as SharedArrayBuffer, bell })
    }
    this.#actors.set(id, record)
    return record
  }

  #hostFor(id: string, { kind, pool, index = 0, heapMb }: Blueprint['host']): HostSlot {
    const inPool = pool === undefined ? undefined : `${pool}-${index % (this.#start.pools[pool] ?? 1)}`
    const hostId = kind === 'shared' || kind === 'system' ? kind : inPool ?? id
    const known = this.#hosts.get(hostId)
    if (known !== undefined) return known
    const host: HostSlot = new HostSlot({
      id: hostId, kind, heapMb, node: this.#start.node, clock: this.#clock,
      bell: this.#vault.buffer(`host/${hostId}/bell`, 64),
      words: this.#vault.buffer(`host/${hostId}/words`, 64),
      connectClient: () => this.#connectHostClient(kind === 'system'),
      onReport: (report) => this.#onReport(report),
      onDeath: (_death: ThreadDeath, client) => this.#clientGone(client),
    })
    this.#hosts.set(hostId, host)
    return host
  }

  #connectHostClient(isSystem: boolean): HostStart['client'] {
    const { port1, port2 } = new MessageChannel()
    const id = isSystem ? SYSTEM_CLIENT : Atomics.add(new Int32Array(this.#start.ids), 0, 1)
    const bell = new Bell().buffer
    this.#addClient({ id, bell, control: port1 })
    port1.unref()
    return { id, bell, control: port2 }
  }

  #grants(record: ActorRecord): LaneGrant[] {
    return [...record.lanes].map(([client, { lane, bell }]) => {
      const prefix = `large/${client}/${record.id}#`
      const large = this.#vault.names(prefix).map((name): [number, SharedArrayBuffer] => [Number(name.slice(prefix.length)), this.#vault.get(name) as SharedArrayBuffer])
      return { client, lane, bell, large }
    })
  }

  #onReport(report: Report): void {
    const record = this.#actors.get(report.id)
    switch (report.report) {
      case 'started': return record?.settleStart?.resolve()
      case 'failed': return record?.settleStart?.reject(reviveError(report.error))
      case 'stopped': return record?.settleStop?.()
      case 'exited': return record?.settleExit?.({ id: report.id, reason: report.reason, ...report.error && { error: reviveError(report.error) } })
      case 'laneDropped':
        record?.lanes.delete(report.client)
        return this.#dropLaneEntries(report.client, report.id)
      case 'largeDone': return this.#vault.drop(`large/${report.client}/${report.id}#${report.largeId}`)
    }
  }

  async #stopActor(record: ActorRecord, deadlineMs: number, death: Promise<ThreadDeath>): Promise<void> {
    const { host, id } = record
    if (deadlineMs > 0) {
      let timer: NodeJS.Timeout | undefined
      const stopped = await Promise.race([
        new Promise<true>((resolve) => {
          record.settleStop = () => resolve(true)
          host.order({ order: 'stop', id, deadlineMs })
        }),
        death.then(() => true),
        new Promise<false>((resolve) => {
          if (deadlineMs < 0x7fff_ffff) timer = setTimeout(() => resolve(false), deadlineMs)
        }),
      ])
      clearTimeout(timer)
      record.settleStop = undefined
      if (!stopped) await host.kill()
    } else {
      await host.kill()
    }
    host.actors.delete(id)
    record.ended({ id, reason: 'shutdown' })
  }
}

function namesIn(spec: ChildSpec): string[] {
  if (spec.kind === 'supervisor') return spec.children.flatMap(namesIn)
  const { name } = spec.actor as Blueprint
  return name === undefined ? [] : [name]
}

/** The entry that the main thread runs on the system thread. Returns when the tree stands. */
export async function runSystem(start: SystemStart): Promise<'started'> {
  const system = new System(start)
  await system.run()
  return 'started'
}
