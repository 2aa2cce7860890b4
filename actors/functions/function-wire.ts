/**
 * How a call of a function travels: three sections there (the key, the arguments, the header) and a tuple back. The system thread
 * passes arguments and results on as bytes, so they stand encoded inside.
 */
import { decodeKey } from '../../runtime/codec/key.js'
import type { Scratch } from '../../runtime/codec/scratch.js'
import { decodeValue, encodeValue } from '../../runtime/codec/value.js'
import type { ErrorDescription } from '../../runtime/errors.js'
import type { FunctionTask, Gift } from './function-call.js'
import type { Note } from '../watching/watched-call.js'

/** Arguments that are encoded already, each by itself: they may come from different places. */
export class EncodedArguments {
  readonly values: readonly Uint8Array[]

  constructor(values: readonly Uint8Array[]) {
    this.values = values
  }
}

/** What whoever runs a function knows of the call besides key and arguments. */
export interface CallHeader {
  readonly name: string
  readonly limitMs: number
  readonly cacheId: string
  readonly modules: readonly string[]
  readonly gift: Gift | undefined
  /** Its arguments are bytes, of a value each. */
  readonly encoded: boolean
  /** Nothing else is to run beside it on its thread: it may be what the thread died of before. */
  readonly alone: boolean
}

/** A call as it arrived. The bytes are its own. */
export interface ArrivedCall {
  readonly header: CallHeader
  readonly key: Buffer | undefined
  readonly args: Buffer
}

/** The sections of a call in a scratch, from 0: where the key ends, and where the arguments end. */
export interface WrittenCall {
  readonly keyEnd: number
  readonly argsEnd: number
}

/** A call that was lost with its thread, and may or may not have been what the thread died of. */
export interface LostCall {
  /** Its function was at work. */
  readonly wasAtWork: boolean
  /** Its time was up. */
  readonly isOverdue: boolean
  /** What the thread died of, if it died by itself. */
  readonly cause: ErrorDescription | undefined
}

/** A function's result. Of a transaction's function also what the hooks are to hear of if the transaction commits. */
export type ValueReply = readonly [kind: 'value' | 'commit' | 'ignore', expireMs: number | null | undefined, value: Uint8Array, notes?: readonly Note[]]

/**
 * What comes back: the function's result; or that it failed inside a transaction that may commit all the same; or that the call was lost with its
 * thread and may be made again.
 */
export type CallReply = ValueReply
  | readonly [kind: 'failed', error: ErrorDescription, notes: readonly Note[]]
  | readonly [kind: 'again', lost: LostCall]

/** Writes key and arguments, and nothing that a second attempt would have to write again. */
export function writeCall(task: FunctionTask, into: Scratch): WrittenCall {
  const { key, args } = task
  into.reset()
  if (key !== undefined) writeBytes(key, into)
  const keyEnd = into.end
  encodeValue(args instanceof EncodedArguments ? args.values : args, into)
  return { keyEnd, argsEnd: into.end }
}

/** Writes the header behind the arguments. */
export function writeHeader({ name, limitMs, cacheId, modules, gift, args }: FunctionTask, alone: boolean, { argsEnd }: WrittenCall, into: Scratch): void {
  into.end = argsEnd
  encodeValue([name, limitMs, cacheId, modules, gift, args instanceof EncodedArguments, alone], into)
}

/** Reads a call's sections and copies what is read later. */
export function readCall(bytes: Buffer, start: number, keyEnd: number, argsEnd: number, end: number): ArrivedCall {
  const [name, limitMs, cacheId, modules, gift, encoded, alone] = decodeValue(bytes, argsEnd, end) as [string, number, string, string[], Gift | undefined, boolean, boolean]
  return {
    header: { name, limitMs, cacheId, modules, gift, encoded, alone },
    key: keyEnd === start ? undefined : Buffer.from(bytes.subarray(start, keyEnd)),
    args: Buffer.from(bytes.subarray(keyEnd, argsEnd)),
  }
}

/** What the function is called with, gifts not included. Fails if a value is of a class that this thread does not know. */
export function argumentsOf({ header, key, args }: ArrivedCall): unknown[] {
  const values = decodeValue(args, 0, args.length) as unknown[]
  const further = header.encoded ? (values as Uint8Array[]).map((value) => decodeValue(Buffer.from(value.buffer, value.byteOffset, value.length), 0, value.length)) : values
  return key === undefined ? further : [decodeKey(key, 0, key.length), ...further]
}

function writeBytes(bytes: Uint8Array, into: Scratch): void {
  into.ensure(bytes.length)
  into.bytes.set(bytes, into.end)
  into.end += bytes.length
}
