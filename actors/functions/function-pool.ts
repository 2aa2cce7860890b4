/**
 * The pool of threads that run functions: its place in the node's tree, and how a caller chooses one of its threads.
 *
 * It is started when the first function is called. Its threads may die of the functions as often as it comes: that fails the
 * calls that were the cause, and counts against nobody.
 */
import type { ActorAddress, Blueprint } from '../../runtime/actor.js'
import type { Client } from '../../runtime/client.js'
import { CacheError } from '../../runtime/errors.js'
import type { ActorSpec, SupervisorSpec } from '../../runtime/supervision/supervisor-spec.js'
import type { StartedActor } from '../../runtime/system-api.js'
import { DEFAULT_BOUNDS } from '../../runtime/mailbox/lane.js'
import { JOURNAL_BYTES } from './function-journal.js'
import type { PoolConfig } from '../options.js'

/** The place of the pool in the tree. */
export const FUNCTIONS_ID = 'functions'

/** How long functions have to end when the node stops, in milliseconds. */
const DRAIN_MS = 5000

/** How long the threads have to start. */
const START_DEADLINE_MS = 60_000

/** Heap limit of a thread in MiB: beyond it the thread dies, and not the process. */
const HEAP_MB = 512

/** What a thread of the pool starts with. */
export interface WorkerArguments {
  /** Functions that run at a time on this thread. */
  concurrency: number
}

/** The pool's part of the tree: one supervisor, `one_for_one`, and an actor for each thread. */
export function functionPool({ threads, concurrency }: PoolConfig): SupervisorSpec {
  return {
    kind: 'supervisor', id: FUNCTIONS_ID, strategy: 'one_for_one', maxRestarts: 1_000_000, withinMs: 1000, restart: 'permanent', shutdownMs: Infinity,
    backoff: { firstMs: 0, thenMs: 50, factor: 2, maxMs: 1000, jitter: 0.2, resetAfterMs: 10 },
    children: Array.from({ length: threads }, (_, index): ActorSpec => ({
      kind: 'actor', id: `function-thread-${index}`, restart: 'permanent', shutdownMs: DRAIN_MS, actor: workerBlueprint(concurrency),
    })),
  }
}

/** One thread of the pool, as one client sees it. */
export interface PoolThread {
  readonly address: ActorAddress
  /** 0: how much there is to do, as the thread says. */
  readonly load: Int32Array
  /** Calls of this client that it has not answered. */
  unanswered: number
}

const pools = new WeakMap<Client, Promise<PoolThreads>>()

export class PoolThreads {
  readonly #threads: readonly PoolThread[]
  #turn = 0

  private constructor(actors: readonly StartedActor[]) {
    this.#threads = actors.map((actor) => ({ address: actor, load: new Int32Array(actor.buffers['load']!), unanswered: 0 }))
  }

  /** The pool of the client's node, started if it has not been. */
  static of(client: Client): Promise<PoolThreads> {
    const known = pools.get(client)
    if (known !== undefined) return known
    const found = startPool(client).then((actors) => new PoolThreads(actors))
    pools.set(client, found)
    found.catch(() => pools.delete(client))
    return found
  }

  /** The thread with the least to do. Those of equal load take turns. */
  pick(): PoolThread {
    const threads = this.#threads
    this.#turn = (this.#turn + 1) % threads.length
    let best = threads[this.#turn]!
    let least = loadOf(best)
    for (let step = 1; step < threads.length; step++) {
      const thread = threads[(this.#turn + step) % threads.length]!
      const load = loadOf(thread)
      if (load >= least) continue
      best = thread
      least = load
    }
    return best
  }
}

/** Again if a thread of it died while it started. */
async function startPool(client: Client): Promise<StartedActor[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await client.control<StartedActor[]>((api) => api.demand(FUNCTIONS_ID), START_DEADLINE_MS)
    } catch (error) {
      if (error instanceof CacheError) throw error
      if (attempt === MAX_STARTS) throw new CacheError('ERR_FUNCTION_FAILED', `the function pool could not be started: ${String(error)}`, { cause: error, outcome: 'none' })
    }
  }
}

const MAX_STARTS = 3

function workerBlueprint(concurrency: number): Blueprint {
  return {
    module: new URL('./function-worker.js', import.meta.url).href, definition: 'function-worker', args: { concurrency } satisfies WorkerArguments,
    host: { kind: 'own', heapMb: HEAP_MB }, mailbox: DEFAULT_BOUNDS, buffers: { journal: JOURNAL_BYTES, load: 8 }, crashCode: 'ERR_ACTOR_CRASHED',
  }
}

function loadOf({ load, unanswered }: PoolThread): number {
  return Atomics.load(load, 0) + unanswered
}
