/** What tests of caches say over and over. */
import { expect } from 'chai'
import type { Cache, TreeNode } from 'scatterhoard'

export interface Failure extends Error {
  code?: string
  outcome?: string
  [detail: string]: unknown
}

/** The error that a promise rejects with; its code has to be `code`. */
export async function rejected(act: unknown, code?: string): Promise<Failure> {
  let value: unknown
  try {
    value = await act
  } catch (error) {
    if (code !== undefined && (error as Failure).code !== code) throw error
    return error as Failure
  }
  throw new Error(`not rejected${code === undefined ? '' : ` with ${code}`}, but ${String(value)}`)
}

/** The error that a call throws; its code has to be `code`. */
export function thrown(act: () => unknown, code?: string): Failure {
  let value: unknown
  try {
    value = act()
  } catch (error) {
    if (code !== undefined && (error as Failure).code !== code) throw error
    return error as Failure
  }
  throw new Error(`nothing thrown${code === undefined ? '' : `, not ${code}`}, but ${String(value)}`)
}

export function expectTypeError(error: Failure): void {
  expect(error).to.be.instanceOf(TypeError)
  expect(error.code).to.equal('ERR_INVALID_ARGUMENT')
}

/** The paths of the shards of a cache in its node's tree. */
export async function shardPaths(cache: Pick<Cache<unknown>, 'inspect'>): Promise<string[]> {
  const paths: string[] = []
  const visit = (node: TreeNode, path: string): void => {
    if (node.id.startsWith('shard-')) paths.push(path)
    for (const child of node.children) visit(child, `${path}/${child.id}`)
  }
  const tree = await cache.inspect('tree')
  visit(tree, tree.id)
  return paths
}

/** How often a cache's shards were restarted, by the tree. */
export async function restartsOf(cache: Pick<Cache<unknown>, 'inspect'>): Promise<number> {
  const count = (node: TreeNode): number => (node as { restarts?: number }).restarts! + node.children.reduce((sum, child) => sum + count(child), 0)
  return count(await cache.inspect('tree'))
}

/** Waits until a condition holds: for what another thread does by itself. */
export async function until(condition: () => unknown, what: string, withinMs = 5000): Promise<void> {
  const end = performance.now() + withinMs
  while (!await condition()) {
    if (performance.now() > end) throw new Error(`${what} did not happen within ${withinMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
