/** Runs functions that this thread of the application has registered. */
import type { Client } from '../../runtime/client.js'
import { CacheError } from '../../runtime/errors.js'
import type { AnyFunction } from '../../runtime/functions.js'
import type { Cache } from '../cache.js'
import { CacheDirectory } from '../cache-directory.js'
import { LimitedCall, type FunctionPlace } from './function-run.js'
import type { ArrivedCall, CallHeader, CallReply } from './function-wire.js'
import { ownFunction } from './registered-functions.js'
import { adoptedCache } from '../running-caches.js'

class OwnCall extends LimitedCall {
  /** There are no slots here. */
  override wait<T>(promise: Promise<T>): Promise<T> {
    return promise
  }
}

export function runHere(client: Client, call: ArrivedCall): Promise<CallReply> {
  return new OwnCall().run(call, placeOf(client))
}

const directories = new WeakMap<Client, CacheDirectory>()

function placeOf(client: Client): FunctionPlace {
  return {
    find({ name }: CallHeader): AnyFunction {
      const run = ownFunction(name)
      if (run !== undefined) return run
      throw new CacheError('ERR_UNKNOWN_FUNCTION', `node '${client.node}' has no function '${name}' any more: it was unregistered`, { function: name, node: client.node })
    },
    cache: ({ cacheId }: CallHeader) => adoptedCache(client, cacheId) ?? unadoptedCache(client, cacheId),
  }
}

/** A handle of a cache that this thread has not attached. */
async function unadoptedCache(client: Client, cacheId: string): Promise<Cache<unknown>> {
  const directory = directories.get(client) ?? new CacheDirectory(client, false)
  directories.set(client, directory)
  if (directory.isStale) await directory.refresh()
  return directory.handle(cacheId)
}
