/**
 * What decides which entry goes when the table is full, in entries or in bytes. One for each writer, on its thread.
 *
 * A policy keeps entries in the lists of `OrderLists` and hears of each entry that comes, is used, and goes. It never
 * changes the table itself. What it keeps beside the lists is private memory: it is lost with the writer's thread, and the
 * lists, which repair mends, have to be enough to go on from.
 */
import type { TableStore } from '../store.js'

/** What readers, on their threads, leave behind for a policy: a word of the table's header says it to them. */
export const READ_NOTES = {
  /** Nothing. */
  none: 0,
  /** A count of up to three in the head of the bucket (`ACCESS_BITS`). */
  bits: 1,
  /** The hash of what they read, in the table's read log; some are lost under load. */
  hashes: 2,
} as const
export type ReadNotes = (typeof READ_NOTES)[keyof typeof READ_NOTES]

export interface EvictionPolicy {
  readonly readNotes: ReadNotes
  /** How many of the lists it uses. */
  readonly lists: number
  /** The list that a new entry, filled and not yet published, joins as its newest. */
  listFor(block: number): number
  /** An entry was read or stored over. */
  used(block: number): void
  /** Its modified time is now. It counts as used as well. */
  written(block: number): void
  /** An entry with this hash was read, some time ago; it may be gone. Only for `READ_NOTES.hashes`. */
  wasRead(hash: number): void
  /**
   * The entry that has to go next, 0 if none may. It is removed right after, unless this was the last that it was asked for
   * and what needs the room fails.
   *
   * @param capacity how many entries the table holds when it is full
   */
  victim(capacity: number): number
  /** A victim is about to be removed. */
  evicted(block: number): void
  /** All entries are gone. */
  cleared(): void
}


/** What most policies do with most of it: nothing, and entries in one list. */
export abstract class SingleList implements EvictionPolicy {
  readonly readNotes: ReadNotes = READ_NOTES.none
  readonly lists = 1
  protected readonly store: TableStore

  constructor(store: TableStore) {
    this.store = store
  }

  listFor(_block: number): number {
    return 0
  }

  used(_block: number): void {
    // Its place stays.
  }

  written(block: number): void {
    this.used(block)
  }

  wasRead(_hash: number): void {
    // Readers note nothing.
  }

  victim(_capacity: number): number {
    return this.store.oldestSpare(0)
  }

  evicted(_block: number): void {
    // Nothing is remembered of it.
  }

  cleared(): void {
    // The list is empty.
  }
}
