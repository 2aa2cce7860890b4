/** All actions. A new one is a file in `actions/` and a line here. */
import { numberActions } from './action-codes.js'
import type { Action } from './action.js'
import { clear } from './actions/clear.js'
import { conclude } from './actions/conclude.js'
import { decr } from './actions/decr.js'
import { delMany } from './actions/del-many.js'
import { del } from './actions/del.js'
import { dump } from './actions/dump.js'
import { execute } from './actions/execute.js'
import { exists } from './actions/exists.js'
import { expireAt } from './actions/expire-at.js'
import { expire } from './actions/expire.js'
import { exportEntries } from './actions/export.js'
import { fetch } from './actions/fetch.js'
import { getAndUpdate } from './actions/get-and-update.js'
import { getMany } from './actions/get-many.js'
import { get } from './actions/get.js'
import { importEntries } from './actions/import.js'
import { importPart } from './actions/import-part.js'
import { importRecords } from './actions/import-records.js'
import { incr } from './actions/incr.js'
import { inspect } from './actions/inspect.js'
import { invoke } from './actions/invoke.js'
import { isEmpty } from './actions/is-empty.js'
import { keys } from './actions/keys.js'
import { lapse } from './actions/lapse.js'
import { loaded } from './actions/loaded.js'
import { load } from './actions/load.js'
import { lock } from './actions/lock.js'
import { persist } from './actions/persist.js'
import { pickPart } from './actions/pick-part.js'
import { prune } from './actions/prune.js'
import { purge } from './actions/purge.js'
import { putBatch, putMany } from './actions/put-many.js'
import { put } from './actions/put.js'
import { refresh } from './actions/refresh.js'
import { removeOld } from './actions/remove-old.js'
import { reset } from './actions/reset.js'
import { scan } from './actions/scan.js'
import { size } from './actions/size.js'
import { stats } from './actions/stats.js'
import { storeMade } from './actions/store-made.js'
import { sweep } from './actions/sweep.js'
import { sync } from './actions/sync.js'
import { take } from './actions/take.js'
import { touch } from './actions/touch.js'
import { transactFor, transaction } from './actions/transaction.js'
import { trim } from './actions/trim.js'
import { ttl } from './actions/ttl.js'
import { walkPart } from './actions/walk-part.js'
import { warm } from './actions/warm.js'
import { update } from './actions/update.js'

/** The methods of every handle. */
export const ACTIONS: readonly Action[] = [
  get, getMany, put, putMany, update, take, del, delMany, exists, size, isEmpty, keys, incr, decr, expire, expireAt, persist, ttl,
  refresh, touch, clear, purge, prune, reset, fetch, getAndUpdate, invoke, transaction, execute, exportEntries, importEntries, dump, load, inspect, stats, warm,
]

/** Messages that no handle offers. */
const INTERNAL: readonly Action[] = [sync, sweep, trim, scan, removeOld, lock, conclude, putBatch, loaded, importRecords, lapse, storeMade, walkPart, pickPart, importPart, transactFor]

numberActions(ACTIONS, INTERNAL)
