/**
 * Readers and a writer on one small table, so that blocks are freed and used again all the time. Every value says whose it is,
 * which write of that key it came from, and how long it is, and the rest of its bytes follow from that: a torn value, another
 * key's, or one older than what was acknowledged before the read began cannot pass.
 */
import { createTable } from '../../runtime/table/layout.js'
import { BUSY, MISSING, ScanBatch, TableReader } from '../../runtime/table/reader.js'
import { TableWriter } from '../../runtime/table/writer.js'
import { BYTES_TAG, decoder, FLAT_TAG, hashOf } from '../runtime/table/fixture.js'

export const RACE_KEYS = 256
const RACE_TABLE_BYTES = 1 << 20
const HEAD_BYTES = 13

export interface Race {
  table: SharedArrayBuffer
  /** By key: the number of its last acknowledged write. Behind them: 1 to stop, and how many writes there were. */
  acknowledged: SharedArrayBuffer
}

export const STOP_WORD = RACE_KEYS
export const WRITES_WORD = RACE_KEYS + 1

export function createRace(): Race {
  return { table: createTable({ bytes: RACE_TABLE_BYTES, seed: 1 }), acknowledged: new SharedArrayBuffer((RACE_KEYS + 2) * 4) }
}

const KEYS = Array.from({ length: RACE_KEYS }, (_, index) => Buffer.from(`race:${index}`))
const HASHES = KEYS.map((key) => hashOf(key, 0, key.length))

/** Overwrites, expires, removes, moves and evicts until it is told to stop, or `writes` times. */
export function writeRace(race: Race, writes = Infinity): void {
  const acknowledged = new Int32Array(race.acknowledged)
  const writer = TableWriter.open(race.table)
  const value = Buffer.alloc(RACE_TABLE_BYTES / 4)
  let random = 1
  const next = (below: number): number => {
    random = Math.imul(random, 1664525) + 1013904223 | 0
    return (random >>> 8) % below
  }
  const numbers = new Int32Array(RACE_KEYS)
  for (let round = 0; round < writes && Atomics.load(acknowledged, STOP_WORD) === 0; round++) {
    const key = next(RACE_KEYS)
    const bytes = KEYS[key]!
    const kind = next(100)
    if (kind < 80) {
      const number = ++numbers[key]!
      const length = HEAD_BYTES + (kind < 70 ? next(200) : kind < 79 ? next(5000) : next(100_000))
      fill(value, key, number, length, next(2) === 0 ? FLAT_TAG : BYTES_TAG)
      writer.put(HASHES[key]!, bytes, 0, bytes.length, value, 0, length, round, 0, 0)
      Atomics.store(acknowledged, key, number)
    } else {
      const block = writer.find(HASHES[key]!, bytes, 0, bytes.length)
      if (block === 0) continue
      if (kind < 90) writer.setTimes(block, round, 8e15, 1000)
      else writer.remove(block)
    }
    Atomics.store(acknowledged, WRITES_WORD, round)
  }
  writer.verify()
}

export interface RaceResult { reads: number; found: number; busy: number; retries: number; scanned: number; writes: number }

/** Reads until `done` and throws at the first value that is wrong. */
export function readRace(race: Race, done: (reads: number) => boolean, seed: number): RaceResult {
  const acknowledged = new Int32Array(race.acknowledged)
  const reader = new TableReader(race.table, decoder)
  const batch = new ScanBatch()
  const result: RaceResult = { reads: 0, found: 0, busy: 0, retries: 0, scanned: 0, writes: 0 }
  let random = seed
  let cursor = 0
  while (!done(result.reads)) {
    for (let burst = 0; burst < 1000; burst++) {
      random = Math.imul(random, 1664525) + 1013904223 | 0
      const key = (random >>> 8) % RACE_KEYS
      const bytes = KEYS[key]!
      const atLeast = Atomics.load(acknowledged, key)
      const value = reader.get(HASHES[key]!, bytes, 0, bytes.length, null)
      if (value === BUSY) result.busy++
      else if (value !== MISSING) {
        check(typeof value === 'string' ? Buffer.from(`s${value}`, 'latin1') : value as Buffer, key, atLeast)
        result.found++
      }
    }
    result.reads += 1000
    cursor = reader.scan(cursor, 20, batch, true)
    for (let index = 0; index < batch.count; index++) {
      const key = Number(batch.scratch.bytes.toString('latin1', batch.keyStarts[index]! + 5, batch.keyEnds[index]))
      check(batch.scratch.bytes.subarray(batch.valueStarts[index], batch.valueEnds[index]), key, 0)
    }
    result.scanned += batch.count
  }
  result.retries = reader.retries
  result.writes = Atomics.load(acknowledged, WRITES_WORD)
  return result
}

function fill(value: Buffer, key: number, number: number, length: number, tag: number): void {
  value[0] = tag
  value.writeInt32LE(key, 1)
  value.writeInt32LE(number, 5)
  value.writeInt32LE(length, 9)
  const start = key * 31 + number * 7
  for (let at = HEAD_BYTES; at < length; at++) value[at] = start + at
}

function check(value: Buffer, key: number, atLeast: number): void {
  const number = value.readInt32LE(5)
  if (value.readInt32LE(1) !== key) throw new Error(`a value of key ${value.readInt32LE(1)} was read for key ${key}`)
  if (number < atLeast) throw new Error(`write ${number} of key ${key} was read after write ${atLeast} was acknowledged`)
  if (value.readInt32LE(9) !== value.length) throw new Error(`a value of ${value.readInt32LE(9)} bytes was read as ${value.length}`)
  const start = key * 31 + number * 7
  for (let at = HEAD_BYTES; at < value.length; at++) {
    if (value[at] !== ((start + at) & 255)) throw new Error(`the value of key ${key} is torn at byte ${at}`)
  }
}
