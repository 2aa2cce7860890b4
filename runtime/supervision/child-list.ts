/** The children of one supervisor, in the order of their start. Data only: nothing here starts or stops anything. */
import { CacheError } from '../errors.js'
import { RestartDelay } from './restart-pace.js'
import { emptyMemory, type Child, type ChildMemory } from './supervised-child.js'
import type { ChildSpec, SupervisorSpec } from './supervisor-spec.js'

export class ChildList {
  readonly #spec: SupervisorSpec
  readonly #memory: ChildMemory
  readonly #owner: string
  readonly #groupDelay: RestartDelay
  #children: readonly Child[] = []

  /** The children of `spec`, none of them started. `owner` names the supervisor in errors. */
  constructor(spec: SupervisorSpec, memory: ChildMemory, owner: string) {
    this.#spec = spec
    this.#memory = memory
    this.#owner = owner
    this.#groupDelay = new RestartDelay(spec.backoff)
    for (const child of spec.children) this.add(child)
  }

  /** As they are now: what is added or removed later does not change this array. */
  get all(): readonly Child[] {
    return this.#children
  }

  /** Adds a child behind the others; `ERR_NAME_TAKEN` if its id is in use. */
  add(spec: ChildSpec): Child {
    const { id } = spec
    if (this.find(id) !== undefined) throw new CacheError('ERR_NAME_TAKEN', `supervisor '${this.#owner}' already has a child '${id}'`, { child: id })
    const memory = this.#memory.children.get(id) ?? emptyMemory()
    this.#memory.children.set(id, memory)
    const delay = this.#spec.strategy === 'one_for_one' ? new RestartDelay(this.#spec.backoff) : this.#groupDelay
    const child: Child = { spec, memory, delay, state: 'stopped', started: undefined, ended: false, wait: undefined }
    this.#children = [...this.#children, child]
    return child
  }

  /** Forgets a child and what its place remembers. */
  remove(child: Child): void {
    this.#children = this.#children.filter((one) => one !== child)
    this.#memory.children.delete(child.spec.id)
  }

  find(id: string): Child | undefined {
    return this.#children.find(({ spec }) => spec.id === id)
  }

  /** The child of that id, or `ERR_NO_ACTOR`. */
  get(id: string): Child {
    const child = this.find(id)
    if (child === undefined) throw new CacheError('ERR_NO_ACTOR', `supervisor '${this.#owner}' has no child '${id}'`, { child: id })
    return child
  }

  /** The same, or `ERR_BUSY` if it is not stopped. */
  getStopped(id: string): Child {
    const child = this.get(id)
    if (child.state !== 'stopped') throw new CacheError('ERR_BUSY', `child '${id}' of supervisor '${this.#owner}' is ${child.state}; terminate it first`, { child: id })
    return child
  }

  /** Those that have to restart when `child` does, itself included, by the strategy. */
  restartingWith(child: Child): readonly Child[] {
    switch (this.#spec.strategy) {
      case 'one_for_one': return [child]
      case 'one_for_all': return this.#children
      case 'rest_for_one': return this.#children.slice(this.#children.indexOf(child))
    }
  }
}
