/**
 * What a node's process notes of its calls, one line when a call begins and one when it is settled, in a file that is written before the call goes
 * out: so what a killed process had begun is known.
 *
 * Each key has one writer, who waits for a write to be settled before the next of that key, and numbers them upwards. So of two numbers the higher
 * one is the later write.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'

/** What a value says of itself. `fill` makes some of them long. */
export interface Written {
  readonly key: string
  readonly number: number
  readonly fill: string
}

/** A call, with moments on the clock that all processes of a machine share. */
export interface Call {
  readonly node: string
  readonly kind: 'read' | 'write'
  readonly key: string
  /** Of a write its own; of a read that of the write it saw, 0 if the key was missing, -1 if it saw what was no write of that key. */
  readonly number: number
  readonly timeoutMs: number
  readonly startMs: number
  /** `Infinity`: it was never settled. */
  readonly endMs: number
  /** `done`, or the code and the outcome of its error. `open` if it was never settled. */
  readonly ending: string
}

/** Milliseconds on the system's monotonic clock. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

export class Diary {
  readonly #file: number
  #calls = 0

  constructor(path: string) {
    this.#file = openSync(path, 'a')
  }

  /** The number to settle it by. `number` is that of a write, or 0. */
  begin(kind: Call['kind'], key: string, number: number, timeoutMs: number): number {
    const id = ++this.#calls
    writeSync(this.#file, `${id} ${nowMs()} ${kind} ${key} ${number} ${timeoutMs}\n`)
    return id
  }

  settle(id: number, number: number, ending: string): void {
    writeSync(this.#file, `${id} ${nowMs()} ${number} ${ending}\n`)
  }

  close(): void {
    closeSync(this.#file)
  }
}

/** The calls of a diary. A last line that was not written to its end says nothing. */
export function readDiary(node: string, path: string): Call[] {
  const open = new Map<string, Call>()
  const calls: Call[] = []
  for (const line of readFileSync(path, 'latin1').split('\n').slice(0, -1)) {
    const [id, at, ...words] = line.split(' ') as [string, string, ...string[]]
    if (words[0] === 'read' || words[0] === 'write') {
      open.set(id, { node, kind: words[0], key: words[1]!, number: Number(words[2]), timeoutMs: Number(words[3]), startMs: Number(at), endMs: Infinity, ending: 'open' })
      continue
    }
    const call = open.get(id)!
    open.delete(id)
    calls.push({ ...call, number: call.kind === 'write' ? call.number : Number(words[0]), endMs: Number(at), ending: words.slice(1).join(' ') })
  }
  return [...calls, ...open.values()]
}
