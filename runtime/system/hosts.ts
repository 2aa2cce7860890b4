/**
 * The hosts of a node: which one an actor runs on, when it starts, and when it is closed.
 *
 * In the vault: `host/<id>/bell` and `host/<id>/words`, which every thread of that host takes up in turn.
 */
import type { Blueprint } from '../actor.js'
import type { NodeClock } from '../clock.js'
import type { ActorReport, HostStart } from '../host/protocol.js'
import type { ChildSpec } from '../supervision/supervisor-spec.js'
import type { VaultWriter } from '../vault.js'
import { createHostThread, HostSlot } from './host-slot.js'
import { SpareThreads } from './spare-threads.js'

export interface HostsOptions {
  node: string
  clock: NodeClock
  names: SharedArrayBuffer
  vault: VaultWriter
  /** How many threads each pool of hosts has. */
  pools: Record<string, number>
  /** Makes a host's own client known to the system; called at each start of its thread. */
  connectClient(isSystem: boolean): HostStart['client']
  onReport(report: ActorReport): void
  /** A thread died, and its client with it. */
  onClientGone(client: number): void
}

export class Hosts {
  readonly #options: HostsOptions
  readonly #hosts = new Map<string, HostSlot>()
  readonly #spare = new SpareThreads(createHostThread)

  constructor(options: HostsOptions) {
    this.#options = options
  }

  get all(): HostSlot[] {
    return [...this.#hosts.values()]
  }

  /** The place where an actor runs. */
  hostFor(id: string, { kind, pool, index = 0, heapMb }: Blueprint['host']): HostSlot {
    const { node, clock, names, vault, pools } = this.#options
    const inPool = pool === undefined ? undefined : `${pool}-${index % (pools[pool] ?? 1)}`
    const hostId = kind === 'shared' || kind === 'system' ? kind : inPool ?? id
    const known = this.#hosts.get(hostId)
    if (known !== undefined) return known
    const host: HostSlot = new HostSlot({
      id: hostId, kind, heapMb, node, clock, names,
      bell: vault.buffer(`host/${hostId}/bell`, 64),
      words: vault.buffer(`host/${hostId}/words`, 64),
      spare: this.#spare,
      connectClient: () => this.#options.connectClient(kind === 'system'),
      onReport: (report) => this.#options.onReport(report),
      onDeath: (_death, client) => this.#options.onClientGone(client),
    })
    this.#hosts.set(hostId, host)
    return host
  }

  /** Boots the threads that what is specified will need, beside each other. */
  prepare(spec: ChildSpec, path: string): void {
    if (spec.kind === 'actor') {
      const { host, module, preload } = spec.actor as Blueprint
      const modules = [module, ...preload ?? []]
      if (host.kind !== 'system') this.#spare.loads(modules)
      this.hostFor(path, host).prepare(modules)
    } else for (const child of spec.children) this.prepare(child, `${path}/${child.id}`)
  }

  clockMoved(): void {
    for (const host of this.#hosts.values()) host.order({ order: 'clockMoved' })
  }

  /**
   * Ends a host on which nothing has a place any more. Not that of the system thread: it is one client for as long as the thread lives, and other
   * actors hold its lanes.
   */
  close(host: HostSlot): void {
    if (host.kind === 'system') return
    if (!this.#hosts.delete(host.id)) return
    this.#options.vault.drop(`host/${host.id}/bell`)
    this.#options.vault.drop(`host/${host.id}/words`)
    void host.close()
  }

  /** Ends all threads, with the node. */
  async closeAll(): Promise<void> {
    await Promise.all([...this.#hosts.values(), this.#spare].map((place) => place.close()))
  }
}
