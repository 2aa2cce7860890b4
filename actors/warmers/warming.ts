/**
 * What runs a warmer in the function pool: calls its function, where that one is, and puts what it returned into the cache from there, so that
 * the pairs need not go through the system thread.
 */
import { currentScope } from '../functions/call-scope.js'
import { callerOf, quiet, type Cache } from '../cache.js'
import { checkNodes, peersOf } from '../cluster/bridge-client.js'
import { readExpire } from '../calls/expiry.js'
import { callFunction, type FunctionResult } from '../functions/function-call.js'
import { EncodedArguments } from '../functions/function-wire.js'
import type { Client } from '../../runtime/client.js'
import type { Key } from '../../runtime/codec/key.js'
import { CacheError } from '../../runtime/errors.js'
import { defineFunctions } from '../../runtime/functions.js'
import type { Warmed, WarmPairs } from './warmer-options.js'

/** A run of a warmer, as data. */
export interface WarmerRun {
  readonly function: string
  readonly state: Uint8Array
  /** How long the function may take, in milliseconds. */
  readonly limitMs: number
  readonly modules: readonly string[]
  /** Whether it is enough that the first of the nodes that are up runs it, where the cache has several. */
  readonly onOneNode: boolean
  /** Whether the cache is starting, and its other nodes may be starting too. */
  readonly awaitsNodes: boolean
}

/** Puts under way at a time. */
const WINDOW = 1000

export const warming = defineFunctions('scatterhoard.warming', import.meta.url, {
  async fill(cache: Cache<unknown>, run: WarmerRun): Promise<void> {
    const { client, description, cluster } = callerOf(cache)
    if (cluster !== null) {
      if (run.awaitsNodes) await checkNodes(client, cache.name, cluster.config.connectTimeoutMs)
      if (run.onOneNode && !await isFirst(client, cluster.nodes)) return
    }
    const called = callFunction(client, {
      name: run.function, args: new EncodedArguments([run.state]), limitMs: run.limitMs, cacheId: description.id, modules: run.modules, rerun: true,
    })
    const { pairs, expire } = readWarmed(run.function, await (currentScope()?.wait(called) ?? called))
    const options = expire === undefined ? undefined : { expire }
    // Hooks hear of what is done by callers and by the cache; these entries are as if they had been there.
    const target = quiet(cache)
    for (let from = 0; from < pairs.length; from += WINDOW) {
      await Promise.all(pairs.slice(from, from + WINDOW).map(([key, value]) => target.put(key, value, options)))
    }
  },
})

/** Whether this is the first in order of the nodes that are up. */
async function isFirst(client: Client, nodes: readonly string[]): Promise<boolean> {
  const up = new Set((await peersOf(client)).filter(({ state }) => state === 'up').map(({ node }) => node))
  return nodes.every((node) => node >= client.node || !up.has(node))
}

interface ToPut {
  pairs: (readonly [Key, unknown])[]
  expire: number | null | undefined
}

function readWarmed(name: string, { kind, expireMs, value: returned }: FunctionResult): ToPut {
  if (kind === 'ignore') return { pairs: [], expire: undefined }
  const warmed = returned as Warmed
  if (isPairs(warmed)) return { pairs: pairsOf(warmed), expire: expireMs }
  const { pairs, expire } = typeof warmed === 'object' && (warmed as unknown) !== null && 'pairs' in warmed ? warmed : { pairs: undefined }
  if (isPairs(pairs)) return { pairs: pairsOf(pairs), expire: expire === undefined ? expireMs : readExpire(expire, 'the expire of a warmer\'s pairs') }
  throw new CacheError('ERR_FUNCTION_FAILED', `the warmer's function '${name}' returned something else than pairs [key, value], { pairs, expire } or ignore()`, { function: name })
}

function pairsOf(pairs: WarmPairs): ToPut['pairs'] {
  return [...pairs] as ToPut['pairs'] // `isPairs` has looked
}

function isPairs(value: unknown): value is WarmPairs {
  return value instanceof Map || (Array.isArray(value) && value.every((pair: unknown) => Array.isArray(pair) && pair.length === 2))
}
