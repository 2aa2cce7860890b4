/**
 * Blocks that transactions have prepared in this table: the writer's list of them, and what becomes of them.
 *
 * A prepared block counts from the moment at which its slot is committed. To finish it, the version moves, the entry that it
 * replaces goes out of the chain, the block's slot becomes 0, and the version moves again. A writer that dies in between leaves a
 * block that is found again, and is finished or undone again, by the state of its slot.
 */
import { isRemoval, LENS, modifiedAt, tagWord } from './layout.js'
import type { TableStore } from './store.js'

/** The list: private memory of the writer, rebuilt by the survey when a table is opened. */
export class PreparedBlocks {
  readonly #bySlot = new Map<number, Set<number>>()

  #count = 0

  /** Slots that have prepared blocks here. */
  get slots(): number[] {
    return [...this.#bySlot.keys()]
  }

  /** How many blocks there are. */
  get count(): number {
    return this.#count
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  /** The blocks of a slot, in no particular order. A copy. */
  of(slot: number): number[] {
    return [...this.#bySlot.get(slot) ?? []]
  }

  has(slot: number, block: number): boolean {
    return this.#bySlot.get(slot)?.has(block) === true
  }

  add(slot: number, block: number): void {
    if (this.has(slot, block)) return
    this.#count++
    const blocks = this.#bySlot.get(slot)
    if (blocks === undefined) this.#bySlot.set(slot, new Set([block]))
    else blocks.add(block)
  }

  delete(slot: number, block: number): void {
    const blocks = this.#bySlot.get(slot)
    if (blocks?.delete(block) !== true) return
    this.#count--
    if (blocks.size === 0) this.#bySlot.delete(slot)
  }

  /** A block has moved to another place. */
  move(slot: number, from: number, to: number): void {
    const blocks = this.#bySlot.get(slot)!
    blocks.delete(from)
    blocks.add(to)
  }
}

/** Makes entries of what a committed transaction has prepared; see `TableWriter.finish`. */
export function finishSlot(store: TableStore, slot: number): void {
  for (const block of store.prepared.of(slot)) {
    if (isRemoval(store.words[(block >> 2) + LENS]!)) finishRemoval(store, block)
    else finishEntry(store, block)
    store.prepared.delete(slot, block)
  }
}

/** Takes out what a transaction has prepared; see `TableWriter.undo`. */
export function undoSlot(store: TableStore, slot: number): void {
  for (const block of store.prepared.of(slot)) takeOutPrepared(store, slot, block)
}

/** Takes a prepared block out of its chain and frees it. */
export function takeOutPrepared(store: TableStore, slot: number, block: number): void {
  store.publish(store.referenceTo(block), store.words[block >> 2]!, store.hashOf(block))
  store.prepared.delete(slot, block)
  store.free(block)
}

function finishEntry(store: TableStore, block: number): void {
  const { words, order, policy } = store
  const old = store.findEntryOf(block)
  const keepsTimes = old !== 0 && modifiedAt(words, old) === modifiedAt(words, block)
  if (old === 0) {
    order.prepareNewest(block, policy.listFor(block))
  } else {
    order.prepareInstead(block, old)
    // A reader that passed the block over before the commit counts on the entry behind it.
    store.bump(store.hashOf(block))
    store.relink(store.reference, words[old >> 2]!)
  }
  Atomics.store(words, tagWord(block >> 2, words[(block >> 2) + LENS]!), 0)
  store.bump(store.hashOf(block))
  order.join(block)
  if (old === 0) {
    store.entries++
  } else {
    store.free(old)
    if (keepsTimes) policy.used(block)
    else policy.written(block)
  }
}

function finishRemoval(store: TableStore, block: number): void {
  const { words, order } = store
  const hash = store.hashOf(block)
  const old = store.findEntryOf(block)
  // First: once the removal is out, nothing says any more that the entry does not count.
  if (old !== 0) store.relink(store.reference, words[old >> 2]!)
  store.publish(store.referenceTo(block), words[block >> 2]!, hash)
  if (old !== 0) {
    order.leave(old)
    store.entries--
    store.free(old)
  }
  store.free(block)
}
