/**
 * The actors that have a place in the tree, by id and by name. One that is down between two incarnations has its place.
 *
 * In the vault: `buffer/<place in the tree>/<name>` is a buffer that an actor's spec asked for, or those of several below a
 * supervisor; `incarnation/<place in the tree>` counts the starts there, of supervisors too.
 */
import type { Blueprint } from '../actor.js'
import { CacheError } from '../errors.js'
import type { ChildSpec } from '../supervision/supervisor-spec.js'
import type { VaultWriter } from '../vault.js'
import { ActorRecord } from './actor-record.js'
import type { HostSlot } from './host-slot.js'
import type { Hosts } from './hosts.js'
import type { Lanes } from './lanes.js'
import type { NodeCounters } from './node-counters.js'

/** Where the records keep and find what belongs to them. */
export interface ActorsSetting {
  node: string
  vault: VaultWriter
  hosts: Hosts
  lanes: Lanes
  counters: NodeCounters
}

export class Actors {
  readonly #setting: ActorsSetting
  readonly #records = new Map<string, ActorRecord>()

  constructor(setting: ActorsSetting) {
    this.#setting = setting
  }

  get ids(): string[] {
    return [...this.#records.keys()]
  }

  get all(): ActorRecord[] {
    return [...this.#records.values()]
  }

  /** The actor of that id. */
  get(id: string): ActorRecord | undefined {
    return this.#records.get(id)
  }

  /** The actor that has registered that name. */
  named(name: string): ActorRecord | undefined {
    for (const record of this.#records.values()) if (record.name === name) return record
    return undefined
  }

  /** The actor of that id or name; `ERR_NO_ACTOR` if there is none. */
  find(id: string): ActorRecord {
    const record = this.#records.get(id) ?? this.named(id)
    if (record !== undefined) return record
    const { node } = this.#setting
    throw new CacheError('ERR_NO_ACTOR', `there is no actor '${id}' on node '${node}'; see its tree for those that there are`, { actor: id })
  }

  /** The actor at this place in the tree, and those below it. */
  below(id: string): ActorRecord[] {
    const prefix = `${id}/`
    return [...this.#records.values()].filter((record) => record.id === id || record.id.startsWith(prefix))
  }

  /** Takes up an actor, with what the vault has of it. */
  create(id: string, blueprint: Blueprint): ActorRecord {
    const { vault, hosts, lanes } = this.#setting
    if (blueprint.name !== undefined) this.#refuseTaken(blueprint.name)
    const buffers: Record<string, SharedArrayBuffer> = {}
    for (const [name, bytes] of Object.entries(blueprint.buffers)) buffers[name] = vault.buffer(`buffer/${id}/${name}`, bytes)
    const { common } = blueprint
    const place = id.split('/').slice(0, -(common?.up ?? 1)).join('/')
    for (const [name, bytes] of Object.entries(common?.buffers ?? {})) buffers[name] = vault.buffer(`buffer/${place}/${name}`, bytes)
    const record = new ActorRecord(id, blueprint, hosts.hostFor(id, blueprint.host), buffers)
    lanes.takeUp(record)
    this.#records.set(id, record)
    return record
  }

  /** Takes up all that is specified before it starts, so that nobody takes an actor that has not started for one that there is not. */
  createAll(spec: ChildSpec, path: string): void {
    if (spec.kind === 'actor') this.create(path, spec.actor as Blueprint)
    else for (const child of spec.children) this.createAll(child, `${path}/${child.id}`)
  }

  /** `ERR_NAME_TAKEN` if a name in the spec belongs to an actor. */
  checkNames(spec: ChildSpec): void {
    for (const name of namesIn(spec)) this.#refuseTaken(name)
  }

  /** Lets go of actors that have no place in the tree any more. */
  forget(id: string): void {
    const { vault, lanes, counters } = this.#setting
    for (const record of this.below(id)) {
      this.#records.delete(record.id)
      counters.addDeadLetters(record.closeLanes())
      record.ended({ id: record.id, reason: 'shutdown' })
      for (const client of record.lanes.keys()) lanes.forget(client, record.id)
      this.#closeIdle(record.host)
    }
    vault.drop(`incarnation/${id}`)
    for (const kind of ['incarnation', 'buffer']) {
      for (const name of vault.names(`${kind}/${id}/`)) vault.drop(name)
    }
  }

  closeIdleHosts(): void {
    for (const host of this.#setting.hosts.all) this.#closeIdle(host)
  }

  /** Tells every client that nobody will answer any more. */
  closeLanes(): void {
    for (const record of this.#records.values()) record.closeLanes()
  }

  clientGone(client: number): void {
    for (const record of this.#records.values()) this.#setting.lanes.clientGone(record, client)
  }

  #closeIdle(host: HostSlot): void {
    for (const record of this.#records.values()) if (record.host === host) return
    this.#setting.hosts.close(host)
  }

  #refuseTaken(name: string): void {
    const taken = this.named(name)
    if (taken !== undefined) throw new CacheError('ERR_NAME_TAKEN', `the name '${name}' belongs to ${taken.id}; choose another or stop that one first`, { name })
  }
}

function namesIn(spec: ChildSpec): string[] {
  if (spec.kind === 'supervisor') return spec.children.flatMap(namesIn)
  const { name } = spec.actor as Blueprint
  return name === undefined ? [] : [name]
}
