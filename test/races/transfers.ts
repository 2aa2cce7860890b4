/**
 * Transfers between accounts in two tables, by one writer at full speed, and a reader that adds the accounts up. Every transfer is a
 * transaction over both tables; an account without money is removed. The sum never changes, for whoever reads all accounts of one
 * moment: while a transfer is prepared, committed, half finished, undone, or left behind by a writer that was killed.
 */
import { Scratch } from '../../runtime/codec/scratch.js'
import { createTable } from '../../runtime/table/layout.js'
import { BUSY, MISSING, TableReader } from '../../runtime/table/reader.js'
import { Snapshot } from '../../runtime/table/snapshot.js'
import { slotWord, SLOT_STATE, stateOfSlot, TRANSACTIONS_BYTES, type SlotState } from '../../runtime/table/transactions.js'
import { TableWriter } from '../../runtime/table/writer.js'
import { BYTES_TAG, decoder, hashOf } from '../runtime/table/fixture.js'

const ACCOUNTS = 24
const TOTAL = 1000
const SLOTS = 3

export interface Transfers {
  tables: readonly [SharedArrayBuffer, SharedArrayBuffer]
  transactions: SharedArrayBuffer
  /** 1 to stop, and how many transfers there were. */
  words: SharedArrayBuffer
}

export const TRANSFERS_STOP_WORD = 0
export const TRANSFERS_DONE_WORD = 1

export function createTransfers(): Transfers {
  const table = (): SharedArrayBuffer => createTable({ bytes: 65_536, seed: 1 })
  return { tables: [table(), table()], transactions: new SharedArrayBuffer(TRANSACTIONS_BYTES), words: new SharedArrayBuffer(8) }
}

const KEYS = Array.from({ length: ACCOUNTS }, (_, index) => Buffer.from(`account:${index}`))
const HASHES = KEYS.map((key) => hashOf(key, 0, key.length))

/** Opens the tables, ends what the last writer left, and transfers until it is told to stop. */
export function writeTransfers({ tables, transactions, words: shared }: Transfers): void {
  const slots = new Int32Array(transactions)
  const words = new Int32Array(shared)
  const writers = tables.map((table) => openTable(table, slots))
  const value = Buffer.alloc(9000)
  let random = Date.now() | 1
  const next = (below: number): number => {
    random = Math.imul(random, 1664525) + 1013904223 | 0
    return (random >>> 8) % below
  }
  const balances = KEYS.map((key, account) => balanceOf(writers[account % 2]!, account, key))
  if (!balances.some((balance) => balance > 0)) balances[0] = store(account(0), TOTAL, 0)

  for (let done = 0; Atomics.load(words, TRANSFERS_STOP_WORD) === 0; done++) {
    const slot = 1 + done % SLOTS
    const set = (state: SlotState): void => void Atomics.store(slots, slot, slotWord(done, state))
    set(SLOT_STATE.running)
    const from = balances.findIndex((balance, index) => balance > 0 && (next(3) === 0 || index === balances.findLastIndex((other) => other > 0)))
    const to = [next(ACCOUNTS), next(ACCOUNTS)]
    const after = [...balances]
    for (const one of to) {
      const amount = Math.min(after[from]!, next(TOTAL))
      after[from]! -= amount
      after[one]! += amount
    }
    for (const one of new Set([from, ...to])) store(account(one), after[one]!, slot)
    const order = next(2) === 0 ? writers : [...writers].reverse()
    if (next(5) === 0) {
      set(SLOT_STATE.aborted)
      for (const writer of order) writer.undo(slot)
    } else {
      set(SLOT_STATE.committed)
      for (const writer of order) writer.finish(slot)
      balances.splice(0, ACCOUNTS, ...after)
    }
    set(SLOT_STATE.free)
    Atomics.store(words, TRANSFERS_DONE_WORD, done)
  }
  for (const writer of writers) writer.verify()

  function account(index: number): { writer: TableWriter; index: number } {
    return { writer: writers[index % 2]!, index }
  }

  /** Stores a balance on behalf of a transaction, or of none. */
  function store({ writer, index }: { writer: TableWriter; index: number }, balance: number, slot: number): number {
    const key = KEYS[index]!
    writer.slot = slot
    if (balance > 0) {
      const length = 9 + (next(50) === 0 ? next(8000) : next(150))
      value[0] = BYTES_TAG
      value.writeInt32LE(index, 1)
      value.writeInt32LE(balance, 5)
      writer.put(HASHES[index]!, key, 0, key.length, value, 0, length, 1, 0, 0)
    } else {
      const block = writer.find(HASHES[index]!, key, 0, key.length)
      if (block !== 0) writer.remove(block)
    }
    writer.slot = 0
    return balance
  }
}

/** Takes up a table: finishes what is committed, undoes what is not. */
export function openTable(table: SharedArrayBuffer, slots: Int32Array): TableWriter {
  const writer = TableWriter.open(table, { policy: 'none' })
  for (const slot of writer.preparedSlots()) {
    if (stateOfSlot(slots, slot) === SLOT_STATE.committed) writer.finish(slot)
    else writer.undo(slot)
  }
  return writer
}

function balanceOf(writer: TableWriter, index: number, key: Buffer): number {
  const block = writer.find(HASHES[index]!, key, 0, key.length)
  if (block === 0) return 0
  const scratch = new Scratch()
  writer.copyValue(block, scratch)
  return scratch.bytes.readInt32LE(5)
}

export interface TransfersResult { snapshots: number; busy: number }

/** Adds up the accounts of one moment until `isDone`, and throws at the first wrong sum. */
export function readTransfers({ tables, transactions }: Transfers, isDone: (snapshots: number) => boolean): TransfersResult {
  const readers = tables.map((table) => new TableReader(table, decoder, transactions))
  const snapshot = new Snapshot()
  KEYS.forEach((key, index) => snapshot.add(readers[index % 2]!, HASHES[index]!, key, 0, key.length))
  const result: TransfersResult = { snapshots: 0, busy: 0 }
  while (!isDone(result.snapshots)) {
    const values = snapshot.read(null)
    if (values === BUSY) {
      result.busy++
      continue
    }
    result.snapshots++
    let sum = 0
    values.forEach((value, index) => {
      if (value === MISSING) return
      if ((value as Buffer).readInt32LE(1) !== index) throw new Error(`a value of account ${(value as Buffer).readInt32LE(1)} was read for account ${index}`)
      sum += (value as Buffer).readInt32LE(5)
    })
    if (sum !== TOTAL) throw new Error(`the accounts of one moment have ${sum} instead of ${TOTAL}`)
  }
  return result
}
