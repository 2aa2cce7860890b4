/**
 * What was spawned below the root and not stopped: kept in the vault, as `spec/<child of the root>`, and started again when
 * another system thread has died.
 */
import { emptyMemory, type ChildMemory } from '../supervision/supervised-child.js'
import type { Supervisor } from '../supervision/supervisor.js'
import type { ChildSpec, SupervisorSpec } from '../supervision/supervisor-spec.js'
import type { VaultWriter } from '../vault.js'
import type { Actors } from './actors.js'
import type { Hosts } from './hosts.js'
import type { Lanes } from './lanes.js'
import type { NodeCounters } from './node-counters.js'

/** What the vault keeps of a child of the root. */
interface SpawnEntry {
  spec: ChildSpec
  /** Of the call that spawned it. */
  token: string
}

export interface SpawnBookSetting {
  vault: VaultWriter
  /** The supervisor that everything is spawned below, with its spec and what it remembers of its children. */
  root: Supervisor
  rootSpec: SupervisorSpec
  rootMemory: ChildMemory
  actors: Actors
  hosts: Hosts
  lanes: Lanes
  counters: NodeCounters
}

export class SpawnBook {
  readonly #setting: SpawnBookSetting
  /** Children of the root that another system thread had started, and this one has not yet. */
  readonly #restoring = new Set<string>()

  constructor(setting: SpawnBookSetting) {
    this.#setting = setting
  }

  /** Whether the child was spawned by the call with this token. */
  has(id: string, token: string): boolean {
    return (this.#setting.vault.get(`spec/${id}`) as SpawnEntry | undefined)?.token === token
  }

  enter(spec: ChildSpec, token: string): void {
    this.#setting.vault.put(`spec/${spec.id}`, { spec, token } satisfies SpawnEntry)
  }

  /** It is not started again. */
  strike(id: string): void {
    this.#restoring.delete(id)
    this.#setting.vault.drop(`spec/${id}`)
  }

  isRestoring(id: string): boolean {
    return this.#restoring.has(id)
  }

  /** Starts what was spawned before this system thread. Resolves when each has been tried once. */
  async restoreAll(): Promise<void> {
    const { vault, hosts, actors } = this.#setting
    const specs = vault.names('spec/').map((name) => (vault.get(name) as SpawnEntry).spec)
    for (const spec of specs) {
      if (spec.restart === 'temporary') continue
      this.#restoring.add(spec.id)
      hosts.prepare(spec, spec.id)
      actors.createAll(spec, spec.id)
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
    const { root, rootSpec } = this.#setting
    try {
      this.#remember(spec.id)
      await root.startChild(spec)
      this.#restoring.delete(spec.id)
    } catch (error) {
      if (attempt > rootSpec.maxRestarts) {
        this.#abandon(spec.id)
        process.emitWarning(`${spec.id} could not be started again: ${String(error)}`)
        return
      }
      const { thenMs, factor, maxMs } = rootSpec.backoff
      setTimeout(() => {
        if (this.#restoring.has(spec.id)) void this.#restore(spec, attempt + 1)
      }, Math.min(maxMs, thenMs * factor ** (attempt - 1))).unref()
    }
  }

  /** Counts on from the starts at each place below a child of the root, with whatever system threads there were. */
  #remember(id: string): void {
    const { vault, rootMemory } = this.#setting
    for (const name of vault.names(`incarnation/${id}`)) {
      let memory = rootMemory
      for (const part of name.split('/').slice(1)) {
        const below: ChildMemory = memory.children.get(part) ?? emptyMemory()
        memory.children.set(part, below)
        memory = below
      }
      memory.incarnation = vault.get(name) as number
    }
  }

  /** Lets go of a child of the root that another system thread had started. */
  #abandon(id: string): void {
    const { vault, actors, lanes, counters } = this.#setting
    this.strike(id)
    actors.forget(id)
    counters.addDeadLetters(lanes.closeBelow(id))
    for (const kind of ['buffer', 'host']) {
      for (const name of vault.names(`${kind}/${id}/`)) vault.drop(name)
    }
  }
}
