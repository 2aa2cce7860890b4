/**
 * Least recently written: the entry whose modified time is the oldest goes first. So what changes that time counts: `put`, the
 * actions that set an expiry, `touch`; what keeps it does not: `update`, `incr`, `getAndUpdate`.
 */
import { SingleList } from './policy.js'

export class LeastRecentlyWritten extends SingleList {
  override written(block: number): void {
    this.store.order.moveToNewest(block, 0)
  }
}
