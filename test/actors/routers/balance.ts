/**
 * How even the routers are, and how many keys move when nodes come and go: `npm run routers` computes it for up to 1,000 nodes and a
 * million keys, and writes the table of ROUTERS.md. Nothing here depends on chance or on the machine.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createRouter, type RouterSpec } from '../../../actors/routers/router-spec.js'
import { RoutingKey } from '../../../actors/routers/routing-key.js'
import type { Router } from '../../../actors/routers/router.js'
import { encodeKey } from '../../../runtime/codec/key.js'
import { Scratch } from '../../../runtime/codec/scratch.js'

export const KEYS = 1_000_000
export const NODE_COUNTS = [3, 5, 10, 30, 100, 300, 1000] as const
export const BALANCED = ['mod', 'jump', 'ring', 'rendezvous'] as const
export type Balanced = (typeof BALANCED)[number]

const specs: Record<Balanced, RouterSpec> = { mod: { name: 'mod' }, jump: { name: 'jump' }, ring: { name: 'ring', options: {} }, rendezvous: { name: 'rendezvous' } }

export interface Balance {
  /** Keys of the fullest and of the emptiest node, as a multiple of the average. */
  fullest: number
  emptiest: number
  /** Shares of all keys that change their owner: when a node is added behind the others, and when the one in the middle is taken away. */
  addedMoves: number
  removedMoves: number
}

export function nodeNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `node-${String(index).padStart(4, '0')}`)
}

/** A key as routers see it. */
export function routingKey(key: unknown): RoutingKey {
  const scratch = new Scratch()
  encodeKey(key, scratch)
  return new RoutingKey().of(scratch.bytes, 0, scratch.end)
}

/** Calls `visit` with the keys `user:0`, `user:1`, …. */
export function eachKey(count: number, visit: (key: RoutingKey, index: number) => void): void {
  const scratch = new Scratch()
  const key = new RoutingKey()
  for (let index = 0; index < count; index++) {
    scratch.reset()
    encodeKey(`user:${index}`, scratch)
    visit(key.of(scratch.bytes, 0, scratch.end), index)
  }
}

export function balance(name: Balanced, nodeCount: number, keyCount: number): Balance {
  const nodes = nodeNames(nodeCount)
  const last = nodeNames(nodeCount + 1).at(-1)!
  const router = (names: string[]): Router => createRouter(specs[name], { nodes: names, self: names[0]! }) as Router // none of these has to be waited for
  const now = router(nodes)
  const added = router([...nodes, last])
  const removed = router(nodes.toSpliced(nodeCount >> 1, 1))
  const counts = new Map(nodes.map((node) => [node, 0]))
  let addedMoves = 0
  let removedMoves = 0
  eachKey(keyCount, (key) => {
    const owner = now.owner(key)!
    counts.set(owner, counts.get(owner)! + 1)
    if (added.owner(key) !== owner) addedMoves++
    if (removed.owner(key) !== owner) removedMoves++
  })
  const average = keyCount / nodeCount
  return {
    fullest: Math.max(...counts.values()) / average, emptiest: Math.min(...counts.values()) / average,
    addedMoves: addedMoves / keyCount, removedMoves: removedMoves / keyCount,
  }
}

/** A row of the table. */
export function row(name: Balanced, nodeCount: number): string {
  const { fullest, emptiest, addedMoves, removedMoves } = balance(name, nodeCount, KEYS)
  const percent = (share: number): string => `${(share * 100).toFixed(share < 0.01 ? 2 : 1)} %`
  return `| ${nodeCount} | \`${name}\` | ${fullest.toFixed(3)} | ${emptiest.toFixed(3)} | ${percent(addedMoves)} | ${percent(removedMoves)} |`
}

const HEAD = ['| nodes | router | fullest ÷ average | emptiest ÷ average | moved by one more node | moved by one less |', '|---|---|---|---|---|---|']
const DOCUMENT = fileURLToPath(new URL('../../../../ROUTERS.md', import.meta.url))

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const rows = NODE_COUNTS.flatMap((count) => BALANCED.map((name) => {
    const line = row(name, count)
    console.log(line)
    return line
  }))
  const text = readFileSync(DOCUMENT, 'utf8')
  const marked = /(<!-- table -->\n)[\s\S]*(<!-- end of table -->)/
  if (!marked.test(text)) throw new Error('ROUTERS.md has lost the marks of its table')
  writeFileSync(DOCUMENT, text.replace(marked, (_, from: string, to: string) => `${from}${[...HEAD, ...rows].join('\n')}\n${to}`))
}
