/**
 * The cache under test, as little of it as the benchmark calls, through the package's own name: what is timed is what an
 * application imports. The one file here that knows the library.
 */

import type { Transferable } from 'node:worker_threads'

/** A reference to a function registered by name. */
export type FunctionReference = string | { readonly name: string }

export interface Attachment {
  readonly descriptor: unknown
  readonly transfer: readonly Transferable[]
}

export interface CacheUnderTest<V> {
  get(key: string | number): Promise<V | undefined>
  getSync(key: string): V | undefined
  put(key: string | number, value: V): Promise<boolean>
  incr(key: string): Promise<number | bigint>
  getAndUpdate(key: string, ref: FunctionReference): Promise<V>
  inspect(what: readonly ['memory', 'bytes']): Promise<number>
  attachment(): Attachment
  stop(): Promise<void>
}

export interface SubjectOptions {
  readonly shards?: number
  readonly memory?: string | number
  readonly limit?: { readonly policy: string; readonly entries?: number; readonly reclaim?: number }
  readonly stats?: boolean
  readonly functions?: readonly unknown[]
}

/** A bridge as plain data. */
export type BridgeOption = { readonly tcp: object } | { readonly nats: object }

export interface ClusterCache extends CacheUnderTest<string> {
  nodeOf(key: string): string
}

interface Node {
  startCache(name: string, options: SubjectOptions & { readonly nodes: readonly string[] }): Promise<ClusterCache>
  stop(): Promise<void>
}

interface Library {
  readonly startNode: (options: object) => Promise<Node>
  readonly startCache: <V>(name: string, options?: SubjectOptions) => Promise<CacheUnderTest<V>>
  readonly attachCache: <V>(descriptor: unknown) => Promise<CacheUnderTest<V>>
  readonly defineFunctions: <T extends Readonly<Record<string, (...args: never[]) => unknown>>>(name: string, url: string, functions: T) => Readonly<Record<keyof T, FunctionReference>>
}

const PACKAGE: string = 'scatterhoard'
const BRIDGE: string = 'scatterhoard/bridge'

/** Loads the package. The cast names the part of its interface that is used here. */
export async function library(): Promise<Library> {
  return (await import(PACKAGE)) as Library
}

export async function startSubject<V>(name: string, options: SubjectOptions = {}): Promise<CacheUnderTest<V>> {
  return (await library()).startCache<V>(name, options)
}

export async function attachSubject<V>(descriptor: unknown): Promise<CacheUnderTest<V>> {
  return (await library()).attachCache<V>(descriptor)
}

/** Starts one of two nodes, `a` and `b`, and the cache that is spread over them. Resolves when both are there. */
export async function startClusterNode(name: 'a' | 'b', bridge: BridgeOption): Promise<{ readonly cache: ClusterCache; readonly stop: () => Promise<void> }> {
  const { tcp, nats } = (await import(BRIDGE)) as Readonly<Record<'tcp' | 'nats', (options: object) => unknown>>
  const node = await (await library()).startNode({ name, shardThreads: 1, connectTimeout: '20s', bridge: 'tcp' in bridge ? tcp(bridge.tcp) : nats(bridge.nats) })
  return { cache: await node.startCache('bench-cluster', { nodes: ['a', 'b'], memory: '64mb' }), stop: () => node.stop() }
}
