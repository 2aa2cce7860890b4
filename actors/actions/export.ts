/** Over all shards of all nodes: a walk whose entries are collected. */
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import { withResult } from '../cluster/cluster-walk.js'
import type { Entry } from '../walks/entry.js'
import { Patience } from '../calls/patience.js'
import { allEntries } from './stream.js'

declare module '../action.js' {
  interface CacheActions<V> {
    /**
     * All entries that have not expired, as `{ key, value, modified, expires }`; in order of their keys if the cache is `ordered`. They are
     * read while others write: see `stream`, which does not hold them all. `timeout`, if given, bounds the whole call.
     *
     * @example
     * const entries = await users.export()
     * entries.map(({ key }) => key).sort()    // → ['ada', 'bob']
     */
    export(options?: CallOptions): Promise<Entry<V>[]>
  }
}

export const exportEntries: Action = {
  name: 'export', writes: false, arity: 0, options: [],
  async call(caller, options?: CallOptions) {
    checkCallOptions(exportEntries, options)
    const entries: unknown[] = []
    try {
      for await (const entry of allEntries(caller, Patience.ofAll(options), options?.local !== true)) entries.push(entry)
    } catch (error) {
      throw withResult(error, entries)
    }
    return entries
  },
}
