/** A supervision tree as data, for whoever inspects a running node, and as text. */
import type { ChildSpec, Restart, Strategy } from './supervisor-spec.js'

/** `restarting` waits for the end of the delay before its restart. */
export type ChildState = 'starting' | 'running' | 'restarting' | 'stopping' | 'stopped'

/** One line of `whichChildren`. */
export interface ChildInfo {
  id: string
  kind: ChildSpec['kind']
  restart: Restart
  state: ChildState
}

export interface TreeNode {
  id: string
  kind: 'supervisor' | 'actor'
  /** Of a supervisor. */
  strategy?: Strategy
  state: ChildState
  /** How often its supervisor restarted it. */
  restarts: number
  /** The number of its last start; the first is 1. */
  incarnation: number
  /** The host that it runs on, if its driver tells. */
  host?: string
  /** In the order of their start. */
  children: TreeNode[]
}

/** A tree as lines of text: ids in a drawing of boxes, then the strategy and whatever is out of the ordinary. */
export function formatTree(tree: TreeNode): string {
  const lines: { label: string; notes: string }[] = []
  const draw = (node: TreeNode, before: string, beforeChildren: string): void => {
    lines.push({ label: before + node.id, notes: notesOf(node) })
    for (const [at, child] of node.children.entries()) {
      const last = at === node.children.length - 1
      draw(child, beforeChildren + (last ? '└─ ' : '├─ '), beforeChildren + (last ? '   ' : '│  '))
    }
  }
  draw(tree, '', '')
  const width = Math.max(...lines.map(({ label }) => label.length)) + 2
  return lines.map(({ label, notes }) => (label.padEnd(width) + notes).trimEnd()).join('\n')
}

function notesOf({ strategy, state, restarts, host }: TreeNode): string {
  const notes: string[] = []
  if (strategy !== undefined) notes.push(strategy)
  if (state !== 'running') notes.push(state)
  if (host !== undefined) notes.push(`on ${host}`)
  if (restarts > 0) notes.push(restarts === 1 ? '1 restart' : `${restarts} restarts`)
  return notes.join(', ')
}
