/**
 * A node under load in a process of its own, over TCP: `node-process.js SETTING`, which is JSON. Tells its parent whom it takes to be up, and whom to own
 * keys, whenever that changes, and does what it is told.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { startNode, type Cache, type CacheOptions } from 'scatterhoard'
import { tcp } from 'scatterhoard/bridge'
import { randomOf } from '../script.js'
import { Diary, nowMs, type Written } from './diary.js'
import { keysOf, routerOf, writerOf, type NodeSetting, type Order, type Report } from './orders.js'
import { watchStarvation } from './starvation.js'

const SEEN_EVERY_MS = 10
const LOOPS = 6
const MAX_PAUSE_MS = 15
/** Little memory, so that all of it has been used soon and none of it looks like growth. */
const OPTIONS: CacheOptions = { shards: 1, memory: '2mb', limit: { policy: 'none' }, mailbox: { bytes: '64kb' } }
const TIMEOUTS_MS = [100, 300, 1000, 3000]

const { name, names, addresses, routers, failureMs, diary: path, firstNumber, seed } = JSON.parse(process.argv[2]!) as NodeSetting
const random = randomOf(seed)
const tell = (report: Report): void => void process.send?.(report)
const keys = routers.flatMap(keysOf)
const caches = new Map<string, Cache<Written>>()

watchStarvation((starved) => tell({ is: 'starved', ...starved }))
const node = await startNode({
  name, shardThreads: 1, pool: { threads: 1 }, failureTimeout: failureMs, connectTimeout: 15_000,
  bridge: tcp({ listen: addresses[name]!, peers: addresses, secret: 'a secret of this test only' }),
})
tell({ is: 'listening', atMs: nowMs() })

let seen = ''
let looking = false
async function look(): Promise<void> {
  if (looking) return
  looking = true
  const up = (await node.peers()).filter(({ state }) => state === 'up').map((peer) => peer.node).sort()
  looking = false
  // Nothing is seen of caches that are about to start.
  const owners = caches.size < routers.length ? [] : routers.flatMap((router) => [...new Set(keysOf(router).map((key) => caches.get(router)!.nodeOf(key)))].sort().join())
  if (String([up, '/', owners]) === seen) return
  seen = String([up, '/', owners])
  tell({ is: 'seen', atMs: nowMs(), up, owners })
}
setInterval(() => void look().catch((error: unknown) => tell({ is: 'failed', message: String(error) })), SEEN_EVERY_MS)

await Promise.all(routers.map(async (router) => {
  caches.set(router, await node.startCache<Written>(router, { ...OPTIONS, nodes: names, router: router as 'jump' | 'ring' }))
}))

const diary = new Diary(path)
let halting = false
let written = firstNumber

/** One call after the other, until it is told to halt. It reads all keys, and writes these. */
async function loop(own: readonly string[]): Promise<void> {
  while (!halting) {
    const timeout = TIMEOUTS_MS[random(TIMEOUTS_MS.length)]!
    if (random(2) === 0) await write(own[random(own.length)]!, timeout)
    else await read(keys[random(keys.length)]!, timeout)
    await sleep(random(MAX_PAUSE_MS))
  }
}

async function write(key: string, timeout: number): Promise<void> {
  const number = ++written
  const id = diary.begin('write', key, number, timeout)
  const value = { key, number, fill: 'x'.repeat(random(20) === 0 ? 10_000 : random(200)) }
  diary.settle(id, number, await caches.get(routerOf(key))!.put(key, value, { timeout }).then(() => 'done', inWords))
}

async function read(key: string, timeout: number): Promise<void> {
  const id = diary.begin('read', key, 0, timeout)
  let number = 0
  const ending = await caches.get(routerOf(key))!.get(key, { timeout }).then((value) => {
    if (value !== undefined) number = value.key === key && Number.isInteger(value.number) ? value.number : -1
    return 'done'
  }, inWords)
  diary.settle(id, number, ending)
}

function inWords(error: unknown): string {
  const { code, outcome } = error as { code?: unknown; outcome?: unknown }
  return `${String(code ?? error)} ${String(outcome)}`
}

let loops: Promise<void[]> | undefined

async function carryOut(order: Order): Promise<void> {
  switch (order) {
    case 'load': {
      const own = keys.filter((key) => writerOf(key, names) === name)
      loops = Promise.all(Array.from({ length: LOOPS }, (_, index) => loop(own.filter((_, position) => position % LOOPS === index))))
      return void await loops
    }
    case 'halt':
      halting = true
      await loops
      return tell({ is: 'halted' })
    case 'measure':
      globalThis.gc?.()
      return tell({ is: 'measured', residentBytes: process.memoryUsage.rss() })
    case 'stop':
      await node.stop()
      diary.close()
      process.exit(0)
  }
}

process.on('message', (order: Order) => void carryOut(order).catch((error: unknown) => tell({ is: 'failed', message: String(error) })))
process.on('disconnect', () => process.exit(1))
tell({ is: 'started', homes: Object.fromEntries(keys.map((key) => [key, caches.get(routerOf(key))!.nodeOf(key)])) })
