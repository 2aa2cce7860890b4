/**
 * Walks on which a function chooses the entries that a thread of the application has registered: they come from shared memory and from other
 * nodes, as in `walk.ts`, and go to that thread, a part of a batch at a time. The function may be asynchronous.
 */
import { Scratch } from '../../runtime/codec/scratch.js'
import { appendRecord } from '../../runtime/table/records.js'
import type { ScanBatch } from '../../runtime/table/scan-batch.js'
import type { Caller } from '../calls/caller.js'
import { currentScope } from '../functions/call-scope.js'
import { bounded } from '../calls/deadline.js'
import type { FilterReply } from './filter-slice.js'
import { callFunction } from '../functions/function-call.js'
import { isExpired, type WalkOptions } from './walk.js'

/** Entries that are sent before it is known how long the function takes. */
const FIRST_ENTRIES = 64

/** The entries of batches for which the function of that name returns something true, in their order. */
export async function* registeredBatches(caller: Caller, name: string, walk: WalkOptions, batches: AsyncGenerator<ScanBatch, void, undefined>): AsyncGenerator<ScanBatch, void, undefined> {
  const filter = new Filter(caller, name, walk)
  for await (const batch of batches) {
    await filter.keepChosen(batch)
    yield batch
  }
}

class Filter {
  readonly #caller: Caller
  readonly #name: string
  readonly #walk: WalkOptions
  readonly #records = new Scratch()
  /** About as many as the function was through with in one slice. */
  #most = FIRST_ENTRIES

  constructor(caller: Caller, name: string, walk: WalkOptions) {
    this.#caller = caller
    this.#name = name
    this.#walk = walk
  }

  /** Leaves in the batch what the function wants. */
  async keepChosen(batch: ScanBatch): Promise<void> {
    const { readClock } = this.#caller
    const candidates: number[] = []
    const now = readClock?.now() ?? 0
    for (let index = 0; index < batch.count; index++) if (readClock === null || !isExpired(batch, index, now)) candidates.push(index)
    let kept = 0
    for (let from = 0; from < candidates.length;) {
      this.#walk.patience.check()
      const sent = candidates.slice(from, from + this.#most)
      const [tested, chosen] = await this.#test(batch, sent)
      // What stays moves to the front, never behind what is still to be sent.
      for (const at of chosen) batch.move(sent[at]!, kept++)
      from += tested
      this.#most = tested < sent.length ? tested : Math.min(this.#most * 4, this.#walk.entries)
    }
    batch.count = kept
  }

  async #test(batch: ScanBatch, indexes: readonly number[]): Promise<FilterReply> {
    const { client, config, description } = this.#caller
    const records = this.#records
    const { bytes } = batch.scratch
    records.reset()
    for (const index of indexes) {
      appendRecord(
        records, bytes, batch.keyStarts[index]!, batch.keyEnds[index]!, bytes, batch.valueStarts[index]!, batch.valueEnds[index]!,
        batch.modified[index]!, batch.expires[index]!, batch.durations[index]!,
      )
    }
    const called = callFunction(client, {
      name: this.#name, args: [], limitMs: config.poolTimeoutMs, cacheId: description.id, modules: config.functions,
      gift: { what: 'filter', place: 'first', data: records.bytes.subarray(0, records.end) }, rerun: true,
    })
    const result = await bounded(currentScope()?.wait(called) ?? called, this.#walk.patience.step, 'the function of a walk')
    return result.value as FilterReply // what `filterSlice` replies
  }
}
