/**
 * Least recently used: the entry goes first whose last read or write is longest ago. Reads come late, from the read log,
 * and some are lost while threads read faster than the writer can keep up with.
 */
import { READ_NOTES, SingleList, type ReadNotes } from './policy.js'

export class LeastRecentlyUsed extends SingleList {
  override readonly readNotes: ReadNotes = READ_NOTES.hashes

  override used(block: number): void {
    this.store.order.moveToNewest(block, 0)
  }

  override wasRead(hash: number): void {
    const block = this.store.findHash(hash)
    if (block !== 0) this.used(block)
  }
}
