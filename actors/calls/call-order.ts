/**
 * The order of one handle's calls around those that take several messages, such as `putMany` over several shards. What the same handle
 * sends to their keys meanwhile waits here: writes of a key are carried out in the order in which they were called, and a read sees the
 * writes that were called before it. Nothing waits and nothing is kept while no such call is under way.
 */
import { AsyncResource } from 'node:async_hooks'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import { currentScope } from '../functions/call-scope.js'
import { bounded } from './deadline.js'

/** What a call is about. */
export interface Turn {
  /** The hashes of its keys, signed; `undefined`: every key. */
  readonly hashes: ReadonlySet<number> | undefined
  /** A write, or a read, that comes after a `write` waits for it; after a `lock` or a `read` reads need not. */
  readonly kind: 'write' | 'lock' | 'read'
}

/** A read that is about the whole cache. */
export const EVERY_KEY: Turn = { hashes: undefined, kind: 'read' }

export function turnOfKey(hash: number, kind: Turn['kind']): Turn {
  return { hashes: new Set([hash | 0]), kind }
}

interface Waiting extends Turn {
  /** `undefined` once it has begun. */
  begin: (() => void) | undefined
  isOver: boolean
}

export class CallOrder {
  #turns: Waiting[] = []
  #isAdvancing = false
  #mayMove = false

  get isBusy(): boolean {
    return this.#turns.length > 0
  }

  mustWait(turn: Turn): boolean {
    return this.#turns.some((earlier) => goesFirst(earlier, turn))
  }

  /**
   * Does `work` in its turn, at once if it need not wait. The turn is over when `work` says so by calling what it is given, or with its promise.
   */
  take<T>(turn: Turn, work: (over: () => void) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { ...turn, begin: undefined, isOver: false }
      const over = (): void => {
        if (waiting.isOver) return
        waiting.isOver = true
        this.#advance()
      }
      const begin = (): void => void work(over).then(resolve, reject).finally(over)
      const mustWait = this.mustWait(turn)
      // Whoever ends the turn before begins this one: it is not the caller whose function this belongs to.
      if (mustWait) waiting.begin = AsyncResource.bind(begin)
      this.#turns.push(waiting)
      if (!mustWait) begin()
    })
  }

  /** Begins what need not wait any longer, in order. What begins may be over at once. */
  #advance(): void {
    this.#mayMove = true
    if (this.#isAdvancing) return
    this.#isAdvancing = true
    while (this.#mayMove) {
      this.#mayMove = false
      const ahead: Waiting[] = []
      for (const turn of this.#turns) {
        const { begin } = turn
        if (begin !== undefined && !ahead.some((earlier) => goesFirst(earlier, turn))) {
          turn.begin = undefined
          begin()
        }
        if (!turn.isOver) ahead.push(turn)
      }
      this.#turns = this.#turns.filter((turn) => !turn.isOver)
    }
    this.#isAdvancing = false
  }
}

function goesFirst(earlier: Turn & { readonly isOver: boolean }, later: Turn): boolean {
  if (earlier.isOver || (later.kind === 'read' && earlier.kind !== 'write')) return false
  if (earlier.hashes === undefined || later.hashes === undefined) return true
  const [few, many] = earlier.hashes.size < later.hashes.size ? [earlier.hashes, later.hashes] : [later.hashes, earlier.hashes]
  for (const hash of few) if (many.has(hash)) return true
  return false
}

/** Sends a message in its turn. If it is told, it will be queued, which is what is said. */
export function sendInTurn<T>(
  caller: { readonly order: CallOrder; telling: boolean }, turn: Turn, action: Action, options: CallOptions | undefined, send: () => Promise<T> | boolean,
): Promise<T> {
  checkCallOptions(action, options)
  const { telling } = caller
  const sent = caller.order.take(turn, async (over) => {
    caller.telling = telling
    let reply
    try {
      reply = send()
    } finally {
      caller.telling = false
    }
    over()
    return reply as Promise<T> // nobody waits for what a tell says
  })
  if (telling) {
    sent.catch(() => undefined)
    return true as unknown as Promise<T> // what a tell returns
  }
  const reply = bounded(sent, options, action.name)
  return currentScope()?.wait(reply) ?? reply
}
