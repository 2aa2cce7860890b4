/**
 * What a call of another node's runs inside of, on the thread of the bridge: functions that threads of this node have registered are not for
 * other nodes, and a function that the other node has registered runs there, while its key is held or its load waited for here.
 */
import { callerOf, type Cache } from '../../actors/cache.js'
import type { CallScope, PeerFunction } from '../../actors/functions/call-scope.js'
import { ANSWER, decodePlain, writeRun, type RemoteRun, type RunReply } from '../../actors/cluster/wire.js'
import { commit, ignore } from '../../actors/functions/commit.js'
import type { FunctionTask } from '../../actors/functions/function-call.js'
import { giveTo } from '../../actors/functions/gifts.js'
import type { LoadTicket } from '../../actors/loading/load.js'
import type { Transaction } from '../../actors/transactions/transaction-handle.js'
import { decodeKey } from '../../runtime/codec/key.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { CacheError, reviveError, type ErrorDescription } from '../../runtime/errors.js'
import type { OpenTransactions } from './open-transactions.js'
import type { Peer } from '../peers/peer.js'

/** How long past the time of a function its answer is waited for, in milliseconds. */
const ANSWER_MS = 5000

export class PeerScope implements CallScope {
  readonly load = undefined
  readonly peer: PeerFunction

  /**
   * @param name of the function that the peer has registered, if it is to run there
   * @param open where it finds the transactions again whose functions run there
   */
  constructor(peer: Peer, cache: Cache<unknown>, name: string | undefined, open: OpenTransactions) {
    this.peer = {
      name, call: (task) => giveTo(task.gift, { name: task.name, run: (given) => run(peer, cache, task, given, open), cache: () => cache, isOver: () => false }),
    }
  }

  /** There are no slots here. */
  wait<T>(promise: Promise<T>): Promise<T> {
    return promise
  }

  fail(): void {
    // No function runs on this thread.
  }
}

async function run(peer: Peer, cache: Cache<unknown>, task: FunctionTask, given: unknown, open: OpenTransactions): Promise<unknown> {
  const { name, key, args, gift, limitMs } = task
  if (gift?.what === 'cache' || !Array.isArray(args)) {
    const { node } = callerOf(cache).client
    throw new CacheError('ERR_UNKNOWN_FUNCTION', `node '${node}' has no function '${name}' that can run there: a thread of node '${peer.name}' has registered it`, { function: name, node })
  }
  const own = key === undefined ? args : [decodeKey(Buffer.from(key), 0, key.length), ...args as unknown[]]
  const ask = async (further: unknown[], purpose: RemoteRun['purpose']): Promise<Buffer> => {
    const scratch = new Scratch(256)
    writeRun({ cache: cache.name, name, args: further, limitMs, purpose }, scratch)
    return peer.request(scratch.bytes.subarray(0, scratch.end), limitMs + ANSWER_MS)
  }
  const further = own as unknown[]
  const answer = gift?.what === 'transaction' ? await open.during(peer, given as Transaction<unknown>, (transaction) => ask(further, { transaction }))
    : await ask(gift?.place === 'first' ? [given, ...further] : further, gift?.what === 'load' ? { load: (gift.data as LoadTicket).key } : null)
  const reply = decodePlain(answer, 1, answer.length)
  if (answer[0] === ANSWER.error) throw reviveError(reply as ErrorDescription)
  const [kind, expireMs, value] = reply as RunReply // what `PeerRequests` answers
  if (kind === 'ignore') return ignore(value)
  return kind === 'commit' ? commit(value, expireMs === undefined ? {} : { expire: expireMs }) : value
}
