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
import { CacheError, describeError, reviveError, type ErrorDescription } from '../errors.js'
import { Bell } from '../mailbox/bell.js'
import { countUnfinished, createLane, LANE_STATE, STATUS } from '../mailbox/lane.js'
import type { ActorReport, HostStart, LaneGrant } from '../host/protocol.js'
import { Supervisor } from '../supervisor.js'
import { emptyMemory, type ChildDriver, type ChildExit, type ChildMemory, type StartAttempt, type StartedChild, type SupervisorEvent } from '../supervised-child.js'
import type { ActorSpec, ChildSpec, SupervisorSpec } from '../supervisor-spec.js'
import type { TreeNode } from '../supervision-tree.js'
import type { ActorExit, ClientPorts, StartedActor, SystemApi } from '../system-api.js'
import { VaultWriter, type VaultEntries } from '../vault.js'
import { ActorRecord, markLane } from './actor-record.js'
import { createHostThread, HostSlot, ThreadDeath } from './host-slot.js'
import { SpareThreads } from './spare-threads.js'

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

/** The system lane's client: it goes before the others. */
const SYSTEM_CLIENT = 0

/** How long everything has to stop with the node. */
const STOP_DEADLINE_MS = 30_000

/** How long it is waited for a supervisor to be through before what ended is looked at again. */
const SETTLE_MS = 20

/** Words of the node's counters, in the vault: they outlive this thread. */
const DEAD_LETTERS = 0
const RESTARTS = 1

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
  readonly #spare = new SpareThreads(createHostThread)
  readonly #actors = new Map<string, ActorRecord>()
  readonly #clients = new Map<number, { readonly bell: SharedArrayBuffer }>()
  readonly #root: Supervisor
  readonly #counters: Int32Array
  readonly #driver: ChildDriver
  readonly #rootMemory: ChildMemory = { ...emptyMemory(), incarnation: 1 }
  /** Children of the root that another system thread had started, and this one has not yet. */
  readonly #restoring = new Set<string>()
  #settling: NodeJS.Timeout | undefined

  constructor(start: SystemStart) {
    this.#start = start
    this.#clock = new NodeClock(start.clock)
    this.#timers = new ClockTimers(this.#clock)
    this.#vault = new VaultWriter(start.vault, start.vaultPort)
    this.#counters = new Int32Array(this.#vault.buffer('counters', 64))
    this.#driver = { start: (spec, attempt) => this.#startActor(spec, attempt) }
    this.#root = new Supervisor(ROOT, {
      driver: this.#driver, timers: this.#timers, onEvent: (event) => this.#onEvent(event), memory: this.#rootMemory,
    })
    this.#renameSystemLanes()
    for (const client of start.clients) this.#addClient(client)
  }

  /** Starts what was spawned before, if another system thread has died. */
  async run(): Promise<void> {
    await this.#root.start()
    const specs = this.#vault.names('spec/').map((name) => (this.#vault.get(name) as SpawnEntry).spec)
    for (const spec of specs) {
      if (spec.restart === 'temporary') continue
      this.#restoring.add(spec.id)
      this.#prepareHosts(spec, spec.id)
      this.#createRecords(spec, spec.id)
    }
    for (const spec of specs) {
      // What is never restarted is not now either: it died with its host.
      if (spec.restart === 'temporary') this.#abandon(spec.id)
      else await this.#restore(spec)
    }
  }

  /**
   * Starts a child of the root again. One that fails now is tried again like any child that fails to restart: with
   * the root's delays, and the others do not wait for it.
   */
  async #restore(spec: ChildSpec, attempt = 1): Promise<void> {
    try {
      this.#remember(spec.id)
      await this.#root.startChild(spec)
      this.#restoring.delete(spec.id)
    } catch (error) {
      if (attempt > ROOT.maxRestarts) {
        this.#abandon(spec.id)
        process.emitWarning(`${spec.id} could not be started again: ${String(error)}`)
        return
      }
      const { thenMs, factor, maxMs } = ROOT.backoff
      setTimeout(() => {
        if (this.#restoring.has(spec.id)) void this.#restore(spec, attempt + 1)
      }, Math.min(maxMs, thenMs * factor ** (attempt - 1))).unref()
    }
  }

  #prepareHosts(spec: ChildSpec, path: string): void {
    if (spec.kind === 'actor') {
      const { host, module, preload } = spec.actor as Blueprint
      const modules = [module, ...preload ?? []]
      if (host.kind !== 'system') this.#spare.loads(modules)
      this.#hostFor(path, host).prepare(modules)
    } else for (const child of spec.children) this.#prepareHosts(child, `${path}/${child.id}`)
  }

  /** Lets go of a child of the root that another system thread had started. */
  #abandon(root: string): void {
    this.#restoring.delete(root)
    this.#vault.drop(`spec/${root}`)
    this.#forget(root)
    for (const name of this.#vault.names('lane/')) {
      const [, client, ...path] = name.split('/')
      if (path[0] !== root) continue
      const lane = this.#vault.get(name) as SharedArrayBuffer
      markLane(lane, LANE_STATE.closed)
      const bell = this.#clients.get(Number(client))?.bell
      if (bell !== undefined) new Bell(bell).ring()
      this.#count(DEAD_LETTERS, countUnfinished(lane))
      this.#dropLaneEntries(Number(client), path.join('/'))
    }
    for (const kind of ['buffer', 'host']) {
      for (const name of [...this.#vault.names(`${kind}/${root}/`)]) this.#vault.drop(name)
    }
  }

  /** Counts on from the starts at each place below a child of the root, with whatever system threads there were. */
  #remember(root: string): void {
    for (const name of this.#vault.names(`incarnation/${root}`)) {
      let memory = this.#rootMemory
      for (const id of name.split('/').slice(1)) {
        const below: ChildMemory = memory.children.get(id) ?? emptyMemory()
        memory.children.set(id, below)
        memory = below
      }
      memory.incarnation = this.#vault.get(name) as number
    }
  }

  /** So that nobody takes an actor that has not started again for one that there is not. */
  #createRecords(spec: ChildSpec, path: string): void {
    if (spec.kind === 'actor') this.#createRecord(path, spec.actor as Blueprint)
    else for (const child of spec.children) this.#createRecords(child, `${path}/${child.id}`)
  }

  /** The lanes of the system thread before this one are those of a client that is gone, and this one has the same number. */
  #renameSystemLanes(): void {
    const gone = Atomics.add(new Int32Array(this.#start.ids), 0, 1)
    for (const kind of ['lane', 'large']) {
      const prefix = `${kind}/${SYSTEM_CLIENT}/`
      for (const name of this.#vault.names(prefix)) {
        this.#vault.put(`${kind}/${gone}/${name.slice(prefix.length)}`, this.#vault.get(name))
        this.#vault.drop(name)
      }
    }
  }

  // The control plane

  #addClient({ id, bell, control }: ClientPorts): void {
    const connection = { bell }
    this.#clients.set(id, connection)
    void serveControl(this.#api(id), control).then(() => {
      // A client that has another port by now is not gone.
      if (this.#clients.get(id) === connection) this.#clientGone(id)
    })
  }

  #api(client: number): SystemApi {
    return {
      spawn: (spec, token) => this.#spawn(spec, token),
      stop: (id) => this.#stop(id),
      openLane: (id) => Promise.resolve(this.#openLane(id, client)),
      handOver: (id, largeId, body) => Promise.resolve(this.#handOver(id, client, largeId, body)),
      deadLetters: (count) => Promise.resolve(this.#count(DEAD_LETTERS, count)),
      gaveUp: () => this.#gaveUp(),
      whereis: (name) => Promise.resolve((this.#whereis(name) ?? this.#actors.get(name))?.address()),
      watch: (id) => this.#watch(id),
      tree: () => Promise.resolve(this.#root.tree()),
      counters: () => Promise.resolve({ deadLetters: this.#counters[DEAD_LETTERS]!, restarts: this.#counters[RESTARTS]!, clients: this.#clients.size }),
      kill: async (id) => this.#record(id).host.kill(),
      clockMoved: () => Promise.resolve(this.#clockMoved()),
      addClient: (ports) => Promise.resolve(this.#addClient(ports)),
      stopAll: () => this.#stopAll(),
    }
  }

  #count(word: number, by: number): void {
    Atomics.add(this.#counters, word, by)
  }

  async #gaveUp(): Promise<ErrorDescription> {
    const { reason, error } = await this.#root.exited
    // After a stop in order nobody is waiting.
    return reason === 'error' && error !== undefined ? describeError(error) : new Promise(() => undefined)
  }

  async #spawn(spec: ChildSpec, token: string): Promise<StartedActor[]> {
    const prefix = `${spec.id}/`
    const specName = `spec/${spec.id}`
    if ((this.#vault.get(specName) as SpawnEntry | undefined)?.token !== token) {
      this.#checkNames(spec)
      const taken = this.#root.whichChildren().find(({ id }) => id === spec.id)
      // It ended by itself and is not restarted: its place is free.
      if (taken?.state === 'stopped') await this.#root.deleteChild(spec.id)
      if (taken?.state === undefined || taken.state === 'stopped') this.#prepareHosts(spec, spec.id)
      try {
        await this.#root.startChild(spec)
      } catch (error) {
        if (!this.#root.whichChildren().some(({ id }) => id === spec.id)) this.#forget(spec.id)
        for (const host of [...this.#hosts.values()]) this.#closeIdleHost(host)
        throw error
      }
      this.#vault.put(specName, { spec, token } satisfies SpawnEntry)
    }
    return [...this.#actors.values()]
      .filter((record) => record.id === spec.id || record.id.startsWith(prefix))
      .map((record) => ({
        ...record.address(), definition: record.blueprint.definition, args: record.blueprint.args, buffers: record.buffers,
      }))
  }

  async #stop(id: string): Promise<void> {
    this.#restoring.delete(id)
    this.#vault.drop(`spec/${id}`)
    if (this.#root.whichChildren().some((child) => child.id === id)) {
      await this.#root.terminateChild(id).catch(() => undefined)
      await this.#root.deleteChild(id).catch(() => undefined)
    }
    this.#forget(id)
  }

  /** Lets go of actors that have no place in the tree any more. */
  #forget(id: string): void {
    const prefix = `${id}/`
    for (const record of [...this.#actors.values()]) {
      if (record.id !== id && !record.id.startsWith(prefix)) continue
      this.#actors.delete(record.id)
      this.#count(DEAD_LETTERS, record.closeLanes())
      record.ended({ id: record.id, reason: 'shutdown' })
      for (const client of record.lanes.keys()) this.#dropLaneEntries(client, record.id)
      this.#closeIdleHost(record.host)
    }
    this.#vault.drop(`incarnation/${id}`)
    for (const kind of ['incarnation', 'buffer']) {
      for (const name of this.#vault.names(`${kind}/${prefix}`)) this.#vault.drop(name)
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
    const bell = this.#clients.get(client)?.bell
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
    throw new CacheError('ERR_NO_ACTOR', `there is no actor '${id}' on node '${this.#start.node}'; see its tree for those that there are`, { actor: id })
  }

  #whereis(name: string): ActorRecord | undefined {
    for (const record of this.#actors.values()) if (record.name === name) return record
    return undefined
  }

  #checkNames(spec: ChildSpec): void {
    for (const name of namesIn(spec)) this.#refuseTaken(name)
  }

  #refuseTaken(name: string): void {
    const taken = this.#whereis(name)
    if (taken !== undefined) throw new CacheError('ERR_NAME_TAKEN', `the name '${name}' belongs to ${taken.id}; choose another or stop that one first`, { name })
  }

  #clockMoved(): void {
    this.#timers.recheck()
    for (const host of this.#hosts.values()) host.order({ order: 'clockMoved' })
  }

  async #stopAll(): Promise<void> {
    // By the machine's time besides: the node's clock may be held.
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => { timer = setTimeout(resolve, STOP_DEADLINE_MS + 1000) })
    await Promise.race([this.#root.stop(STOP_DEADLINE_MS), late])
    clearTimeout(timer)
    clearTimeout(this.#settling)
    for (const record of this.#actors.values()) record.closeLanes()
    await Promise.all([...this.#hosts.values(), this.#spare].map((place) => place.close()))
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
    if (event.type === 'restarting') this.#count(RESTARTS, 1)
    if (event.type === 'started' && event.path.length > 1) this.#vault.put(`incarnation/${event.path.slice(1).join('/')}`, event.incarnation)
    // Children that are not restarted leave the tree; looked at when the supervisor is through with it.
    if (event.type === 'exited' || event.type === 'limit-exceeded' || event.type === 'start-failed') this.#forgetSoon(0)
  }

  #forgetSoon(delayMs: number): void {
    clearTimeout(this.#settling)
    this.#settling = setTimeout(() => this.#forgetTheGone(), delayMs)
  }

  /** Lets go of actors that ended by themselves and will not be restarted. */
  #forgetTheGone(): void {
    const tree = this.#root.tree()
    let unsettled = false
    for (const id of [...this.#actors.keys()]) {
      if (this.#restoring.has(id.split('/', 1)[0]!)) continue
      const place = placeOf(tree, id)
      // In the tree, and down: its supervisor has not come to it yet.
      if (place === 'unsettled' || (place === 'present' && this.#actors.get(id)!.isDown)) unsettled = true
      if (place !== 'gone') continue
      this.#forget(id)
      // Another system thread must not start it again.
      if (!id.includes('/')) this.#vault.drop(`spec/${id}`)
    }
    if (unsettled) this.#forgetSoon(SETTLE_MS)
  }

  async #startActor(spec: ActorSpec, attempt: StartAttempt): Promise<StartedChild> {
    const blueprint = spec.actor as Blueprint
    const id = attempt.path.slice(1).join('/')
    const record = this.#actors.get(id) ?? this.#createRecord(id, blueprint)
    const { host } = record
    host.actors.add(id)
    // Before the start: one that the system thread does not survive counts too.
    this.#vault.put(`incarnation/${id}`, attempt.incarnation)
    try {
      const recoverAs = host.lastDeath?.functionTimeout === true ? STATUS.functionTimeout : STATUS.crashed
      const death = host.ensureRunning()
      const started = new Promise<void>((resolve, reject) => {
        record.settleStart = { resolve, reject }
        void death.then((end) => reject(end.error))
        attempt.signal.addEventListener('abort', () => {
          // It may stand before the order is read, and is then stopped like any other.
          record.settleStop = () => reject(new CacheError('ERR_STOPPED', `${id} was stopped while it started`))
          host.order({ order: 'stop', id, deadlineMs: 0 })
        }, { once: true })
      })
      host.order({
        order: 'start', id, blueprint, buffers: record.buffers, lanes: this.#grants(record), recoverAs,
        incarnation: attempt.incarnation, failedStarts: attempt.failedStartsInARow,
      })
      await started
      record.isDown = false
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
        record.isDown = true
        record.ended({ id, reason, ...error && { error } })
      })
      return {
        exited,
        stop: (deadlineMs) => this.#stopActor(record, deadlineMs, death),
        inspect: () => ({ host: host.id }),
      }
    } catch (error) {
      host.actors.delete(id)
      throw error
    } finally {
      record.settleStart = undefined
      record.settleStop = undefined
    }
  }

  #createRecord(id: string, blueprint: Blueprint): ActorRecord {
    if (blueprint.name !== undefined) this.#refuseTaken(blueprint.name)
    const buffers: Record<string, SharedArrayBuffer> = {}
    for (const [name, bytes] of Object.entries(blueprint.buffers)) buffers[name] = this.#vault.buffer(`buffer/${id}/${name}`, bytes)
    const { common } = blueprint
    const place = id.split('/').slice(0, -(common?.up ?? 1)).join('/')
    for (const [name, bytes] of Object.entries(common?.buffers ?? {})) buffers[name] = this.#vault.buffer(`buffer/${place}/${name}`, bytes)
    const record = new ActorRecord(id, blueprint, this.#hostFor(id, blueprint.host), buffers)
    for (const name of this.#vault.names('lane/')) {
      const [, client, ...path] = name.split('/')
      if (path.join('/') !== id) continue
      const bell = this.#clients.get(Number(client))?.bell ?? new Bell().buffer
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
      spare: this.#spare,
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

  #onReport(report: ActorReport): void {
    const record = this.#actors.get(report.id)
    switch (report.report) {
      case 'started': return record?.settleStart?.resolve()
      case 'failed': return record?.settleStart?.reject(reviveError(report.error))
      case 'stopped': return record?.settleStop?.()
      case 'exited': return record?.settleExit?.({ id: report.id, reason: report.reason, ...report.error && { error: reviveError(report.error) } })
      case 'laneDropped':
        record?.lanes.delete(report.client)
        return this.#dropLaneEntries(report.client, report.id)
      case 'largeDone': return this.#dropLarge(`large/${report.client}/${report.id}#`, report.largeId)
    }
  }

  /** Lets go of a body that was handled, and of those before it, whose reports went down with a host. */
  #dropLarge(prefix: string, largeId: number): void {
    for (const name of this.#vault.names(prefix)) if (Number(name.slice(prefix.length)) <= largeId) this.#vault.drop(name)
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

/** What the vault keeps of a child of the root. */
interface SpawnEntry {
  spec: ChildSpec
  token: string
}

/** Whether an actor has a place in the tree, or the supervisors above it are not through with what happened. */
function placeOf(tree: TreeNode, id: string): 'present' | 'unsettled' | 'gone' {
  let node = tree
  for (const part of id.split('/')) {
    // Where one restarts with the others, those that have stopped wait for those that stop.
    if (isUnsettled(node) || (node.strategy !== 'one_for_one' && node.children.some(isUnsettled))) return 'unsettled'
    const child = node.children.find((one) => one.id === part)
    if (child === undefined) return 'gone'
    node = child
  }
  if (isUnsettled(node)) return 'unsettled'
  return node.state === 'stopped' ? 'gone' : 'present'
}

function isUnsettled({ state }: TreeNode): boolean {
  return state === 'starting' || state === 'restarting' || state === 'stopping'
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
