/** Entries as users get them from a walk: what they are, and what of them is selected. */
import { decodeKey, type Key } from '../../runtime/codec/key.js'
import { decodeValue } from '../../runtime/codec/value.js'
import { invalidArgument } from '../../runtime/errors.js'
import type { ScanBatch } from '../../runtime/table/scan-batch.js'
import type { Subject } from '../query/query.js'

/** One entry of a cache, a copy. */
export interface Entry<V = unknown> {
  key: Key
  value: V
  /** When it was last modified, in milliseconds since 1970 by the node's clock. */
  modified: number
  /** When it expires, by the same clock; `null`: never. */
  expires: number | null
}

export type EntryField = keyof Entry

/** What a walk yields of each entry: one of its parts, or a tuple of several. */
export type Select = EntryField | readonly [EntryField, ...EntryField[]]

/** What `select` makes of an entry. */
export type Selected<V, S> = S extends EntryField ? Entry<V>[S]
  : S extends readonly EntryField[] ? Tuple<V, S>
    : Entry<V>

type Tuple<V, F extends readonly EntryField[]> = { -readonly [I in keyof F]: Entry<V>[F[I]] }

const FIELDS: readonly unknown[] = ['key', 'value', 'modified', 'expires'] satisfies EntryField[]

/** An entry of a batch, decoded when it is asked for. One for a walk: it is moved from entry to entry. */
export class Row implements Subject {
  #batch!: ScanBatch
  #index = 0
  #nowMs = 0
  #key: unknown
  #hasKey = false
  #value: unknown
  #hasValue = false

  /** Stands on an entry now. */
  on(batch: ScanBatch, index: number, nowMs: number): this {
    this.#batch = batch
    this.#index = index
    this.#nowMs = nowMs
    this.#hasKey = this.#hasValue = false
    return this
  }

  get key(): unknown {
    if (!this.#hasKey) {
      this.#key = decodeKey(this.#batch.scratch.bytes, this.#batch.keyStarts[this.#index]!, this.#batch.keyEnds[this.#index]!)
      this.#hasKey = true
    }
    return this.#key
  }

  get value(): unknown {
    if (!this.#hasValue) {
      this.#value = decodeValue(this.#batch.scratch.bytes, this.#batch.valueStarts[this.#index]!, this.#batch.valueEnds[this.#index]!)
      this.#hasValue = true
    }
    return this.#value
  }

  get modified(): number {
    return this.#batch.modified[this.#index]!
  }

  get expires(): number | null {
    return this.#batch.expires[this.#index]! || null
  }

  get expired(): boolean {
    const expires = this.#batch.expires[this.#index]!
    return expires !== 0 && expires <= this.#nowMs
  }
}

export interface Selection {
  /** Whether the bytes of values are needed. */
  readonly readsValue: boolean
  pick(row: Row): unknown
}

/** @throws `ERR_INVALID_ARGUMENT` for anything but a part of an entry, or an array of some */
export function readSelect(select: unknown): Selection {
  if (select === undefined) return { readsValue: true, pick: entryOf }
  if (Array.isArray(select) && select.length > 0 && select.every((field) => FIELDS.includes(field))) {
    const fields = [...select as EntryField[]]
    return { readsValue: fields.includes('value'), pick: (row) => fields.map((field) => row[field]) }
  }
  if (!FIELDS.includes(select)) throw invalidArgument(`the option select is ${FIELDS.map((field) => `'${String(field)}'`).join(', ')}, or an array of some of them`)
  const field = select as EntryField // it is one of them
  return { readsValue: field === 'value', pick: (row) => row[field] }
}

function entryOf({ key, value, modified, expires }: Row): Entry {
  return { key: key as Key, value, modified, expires } // what was a key when it was stored
}
