/** Lets go of actors that ended by themselves and will not be restarted, when their supervisors are through with what happened. */
import type { Supervisor } from '../supervision/supervisor.js'
import type { TreeNode } from '../supervision/supervision-tree.js'
import type { Actors } from './actors.js'
import type { SpawnBook } from './spawn-book.js'

/** How long it is waited for a supervisor to be through before what ended is looked at again. */
const SETTLE_MS = 20

export class Departures {
  readonly #root: Supervisor
  readonly #actors: Actors
  readonly #spawned: SpawnBook
  #timer: NodeJS.Timeout | undefined

  constructor(root: Supervisor, actors: Actors, spawned: SpawnBook) {
    this.#root = root
    this.#actors = actors
    this.#spawned = spawned
  }

  /** Something ended: looks at it when the supervisor has had its turn. */
  lookSoon(delayMs = 0): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#look(), delayMs)
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #look(): void {
    const tree = this.#root.tree()
    let unsettled = false
    for (const id of this.#actors.ids) {
      if (this.#spawned.isRestoring(id.split('/', 1)[0]!)) continue
      const place = placeOf(tree, id)
      // In the tree, and down: its supervisor has not come to it yet.
      if (place === 'unsettled' || (place === 'present' && this.#actors.get(id)!.isDown)) unsettled = true
      if (place !== 'gone') continue
      this.#actors.forget(id)
      // Another system thread must not start it again.
      if (!id.includes('/')) this.#spawned.strike(id)
    }
    if (unsettled) this.lookSoon(SETTLE_MS)
  }
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
