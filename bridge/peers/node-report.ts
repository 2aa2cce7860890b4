/**
 * How a node is doing, as its bridge says it to whoever observes it. The bridge's thread knows the peers, and reads sizes in shared memory;
 * the system thread has the tree and the mailboxes. Neither waits for the application's threads, and what does not come in time is named instead.
 */
import { callerOf, type Cache } from '../../actors/cache.js'
import { writeError, writeResult } from '../../actors/cluster/wire.js'
import type { Client } from '../../runtime/client.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import type { TreeNode } from '../../runtime/supervision/supervision-tree.js'
import type { MailboxLook } from '../../runtime/system-api.js'
import type { DescribedBridge } from '../descriptor.js'
import type { Membership } from './membership.js'
import type { PeerState } from './peer.js'

export interface NodeStatus {
  node: string
  cluster: string
  transport: DescribedBridge['transport']
  /** Whether connections to it are encrypted with TLS from end to end. */
  tls: boolean
  /** Where it listens. */
  address: string | null
  incarnation: number
  process: { pid: number; uptimeMs: number; rssBytes: number }
  /** What it knows of the other nodes. */
  peers: { node: string; state: PeerState; incarnation: number; sessions: number; error: string | null }[]
  /** Its caches: their entries and bytes are those of this node. */
  caches: CacheStatus[]
  mailboxes: MailboxLook[]
  tree: TreeNode | null
  /** Of these parts, those that could not be had in time. Of the caches those are shown that were known before. */
  missing: ('caches' | 'mailboxes' | 'tree')[]
}

export interface CacheStatus {
  name: string
  router: string
  nodes: readonly string[]
  entries: number
  bytesUsed: number
  capacityBytes: number
  shards: { entries: number; bytesUsed: number; capacityBytes: number }[]
}

/** How long a part is waited for at most, and for which share of the asker's time. */
const MAX_PART_MS = 2000
const SHARE = 0.5

interface ReportSetting {
  readonly client: Client
  readonly membership: Membership
  readonly bridge: DescribedBridge
  /** The caches that run now. */
  readonly caches: () => Promise<Cache<unknown>[]>
  /** Those that were known before. */
  readonly known: () => Cache<unknown>[]
}

export class NodeReport {
  readonly #setting: ReportSetting
  readonly #scratch = new Scratch()
  /** The one that is being made: who asks meanwhile gets it too. */
  #making: Promise<NodeStatus> | undefined

  constructor(setting: ReportSetting) {
    this.#setting = setting
  }

  /** Answers a request of an observer that waits for so long. */
  answer(timeMs: number, answer: (bytes: Uint8Array, start: number, end: number) => void): void {
    this.#making ??= this.make(Math.min(MAX_PART_MS, timeMs * SHARE)).finally(() => (this.#making = undefined))
    const send = (): void => answer(this.#scratch.bytes, 0, this.#scratch.end)
    this.#making.then((status) => {
      writeResult(status, this.#scratch)
      send()
    }, (error: unknown) => {
      writeError(error, this.#scratch)
      send()
    })
  }

  /** @param withinMs for the parts that this thread does not have */
  async make(withinMs: number): Promise<NodeStatus> {
    const { client, membership, bridge } = this.#setting
    const [caches, mailboxes, tree] = await Promise.all([
      inTime(this.#setting.caches(), withinMs),
      inTime(client.control<MailboxLook[]>((api) => api.mailboxes(), withinMs), withinMs),
      inTime(client.control<TreeNode>((api) => api.tree(), withinMs), withinMs),
    ])
    const missing = Object.entries({ caches, mailboxes, tree }).filter(([, part]) => part === undefined).map(([name]) => name as NodeStatus['missing'][number])
    return {
      node: client.node, cluster: bridge.cluster, transport: bridge.transport, tls: bridge.transport === 'tcp' && bridge.tcp.tls !== undefined,
      address: membership.address ?? null, incarnation: membership.incarnation,
      process: { pid: process.pid, uptimeMs: Math.round(process.uptime() * 1000), rssBytes: process.memoryUsage.rss() },
      peers: membership.peers().map(({ error, ...peer }) => ({ ...peer, error: error === undefined ? null : error.message })),
      caches: (caches ?? this.#setting.known()).map(statusOf), mailboxes: mailboxes ?? [], tree: tree ?? null, missing,
    }
  }
}

function statusOf(cache: Cache<unknown>): CacheStatus {
  const { readers, cluster, client } = callerOf(cache)
  const shards = readers.map(({ entries, bytesUsed, capacityBytes }) => ({ entries, bytesUsed, capacityBytes }))
  const sum = (of: (shard: CacheStatus['shards'][number]) => number): number => shards.reduce((total, shard) => total + of(shard), 0)
  return {
    name: cache.name, router: cluster?.config.router.name ?? 'local', nodes: cluster?.config.nodes ?? [client.node],
    entries: sum(({ entries }) => entries), bytesUsed: sum(({ bytesUsed }) => bytesUsed), capacityBytes: sum(({ capacityBytes }) => capacityBytes), shards,
  }
}

/** What it resolves with, or `undefined` if it does not in time, or fails. */
async function inTime<T>(promise: Promise<T>, withinMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), withinMs)
  })
  try {
    return await Promise.race([promise.catch(() => undefined), late])
  } finally {
    clearTimeout(timer)
  }
}
