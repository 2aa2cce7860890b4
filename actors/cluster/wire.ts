/**
 * What nodes say to each other about caches: requests and their answers, as bytes. The bridge carries them, and adds the time that a
 * request has left.
 *
 * A call, little-endian:
 *
 *    0  u8   kind       call 1
 *    1  u16  length of the cache's name in bytes
 *    3  u8   length of the action's
 *    4  …    both names
 *    …  u8   flags      1: lends its function │ 2: has options │ 4: is a part of a transaction
 *    …  u8   hops
 *    …  u8   count of arguments
 *    …  u32  number of the transaction, if it is a part of one
 *    …  each argument, and the options: u32 length, encoded value
 *
 * Up to the flags it is the same for every call of an action. Each argument stands for itself, so that what is wrong with one is told by its
 * own path. Other requests are a byte and an encoded array. An answer is a byte, 0 or 1, and the encoded result, or the encoded
 * description of an error.
 */
import { Scratch } from '../../runtime/codec/scratch.js'
import { TAG } from '../../runtime/codec/tags.js'
import { decodeValue, encodeValue } from '../../runtime/codec/value.js'
import { CacheError, describeError } from '../../runtime/errors.js'
import type { Fingerprint } from './cluster-options.js'

/** An action of a cache, to be carried out on the node that gets it. */
export interface RemoteCall {
  readonly cache: string
  readonly action: string
  /** Positional ones. */
  readonly args: readonly unknown[]
  /** Its own options; `undefined` is none. */
  readonly options: Readonly<Record<string, unknown>> | undefined
  /** How often it was sent on because nodes did not agree on the owner. */
  readonly hops: number
  /** Whether the function that it names is one that a thread of the node has registered that the call is from: then it runs there. */
  readonly lends: boolean
  /** The number of the transaction of the receiver's that it is a part of. */
  readonly transaction: number | undefined
}

/** A function that the other node has lent with a call. */
export interface RemoteRun {
  readonly cache: string
  readonly name: string
  readonly args: readonly unknown[]
  readonly limitMs: number
  /** What it is run for: its first argument is the handle of that transaction of the sender's, or it loads that key, encoded. */
  readonly purpose: Readonly<{ transaction: number } | { load: Uint8Array }> | null
}

export type RunReply = readonly [kind: 'value' | 'commit' | 'ignore', expireMs: number | null | undefined, value: unknown]

export type NodeRequest =
  | ({ readonly kind: 'run' } & RemoteRun)
  | ({ readonly kind: 'call' } & RemoteCall)
  /** Whether the other node runs a cache as this one does. Answered with a `CheckReply`. */
  | { readonly kind: 'check'; readonly cache: string; readonly fingerprint: Fingerprint }

/** The other node's options of that cache; `null`: it does not run it. */
export type CheckReply = Fingerprint | null

export const ANSWER = { value: 0, error: 1 } as const

const KIND = { call: 1, run: 2, check: 3, status: 4 } as const

/** What an observer asks, who is no peer: how the node is doing. All of the request. Answered with a `NodeStatus`. */
export const STATUS_REQUEST = Buffer.of(KIND.status)
const FLAG = { lends: 1, options: 2, transaction: 4 } as const

/** No action has more. */
const MAX_ARGUMENTS = 4

/** How a call of an action begins. */
export function callHead(cache: string, action: string): Buffer {
  const head = Buffer.from(`\0\0\0\0${cache}${action}`)
  head[0] = KIND.call
  head.writeUInt16LE(Buffer.byteLength(cache), 1)
  head[3] = Buffer.byteLength(action)
  return head
}

/** Appends a call to a scratch, `head` being what `callHead` returned. Throws what `encodeValue` throws of an argument. */
export function writeCall(head: Buffer, { args, options, hops, lends, transaction }: Omit<RemoteCall, 'cache' | 'action'>, into: Scratch): void {
  into.ensure(head.length + 7)
  const { bytes } = into
  bytes.set(head, into.end)
  let at = into.end + head.length
  bytes[at++] = (lends ? FLAG.lends : 0) | (options === undefined ? 0 : FLAG.options) | (transaction === undefined ? 0 : FLAG.transaction)
  bytes[at++] = hops
  bytes[at++] = args.length
  if (transaction !== undefined) at = bytes.writeUInt32LE(transaction, at)
  into.end = at
  for (const argument of args) writePart(argument, into)
  if (options !== undefined) writePart(options, into)
}

function writePart(value: unknown, into: Scratch): void {
  into.ensure(4)
  const start = into.end += 4
  encodeValue(value, into)
  into.bytes.writeUInt32LE(into.end - start, start - 4)
}

export function writeRun({ cache, name, args, limitMs, purpose }: RemoteRun, into: Scratch): void {
  writeKind(KIND.run, into)
  encodeValue([cache, name, args, limitMs, purpose], into)
}

export function writeCheck(cache: string, fingerprint: Fingerprint, into: Scratch): void {
  writeKind(KIND.check, into)
  encodeValue([cache, fingerprint], into)
}

function writeKind(kind: number, into: Scratch): void {
  into.ensure(1)
  into.bytes[into.end++] = kind
}

/**
 * What a node has encoded for another one's bridge. Only values out of a table are ever compressed: a megabyte that could be hundreds of them
 * is refused here, before anything is made of it.
 */
export function decodePlain(bytes: Buffer, start: number, end: number): unknown {
  if (bytes[start] === TAG.compressed) throw malformed()
  return decodeValue(bytes, start, end)
}

/** Reads a request of a peer. Throws `ERR_FRAME` for anything else. */
export function readRequest(bytes: Buffer, start: number, end: number): NodeRequest {
  const kind = start < end ? bytes[start] : undefined
  if (kind === KIND.call) return readCall(bytes, start, end)
  if (kind !== KIND.run && kind !== KIND.check) throw malformed()
  const request = decodePlain(bytes, start + 1, end)
  if (!Array.isArray(request) || typeof request[0] !== 'string') throw malformed()
  const [cache, second, args, limitMs, purpose] = request as [string, ...unknown[]]
  if (kind === KIND.run && request.length === 5 && typeof second === 'string' && Array.isArray(args) && typeof limitMs === 'number' && limitMs > 0 && isPurpose(purpose)) {
    return { kind: 'run', cache, name: second, args, limitMs, purpose }
  }
  if (kind === KIND.check && request.length === 2 && isFingerprint(second)) return { kind: 'check', cache, fingerprint: second }
  throw malformed()
}

/** The arguments of a call that this node has written. */
export function argumentsOf(call: Buffer): readonly unknown[] {
  const request = readCall(call, 0, call.length)
  return request.kind === 'call' ? request.args : []
}

function readCall(bytes: Buffer, start: number, end: number): NodeRequest {
  if (end - start < 4) throw malformed()
  const cacheAt = start + 4
  const actionAt = cacheAt + bytes.readUInt16LE(start + 1)
  const flagsAt = actionAt + bytes[start + 3]!
  if (flagsAt + 3 > end) throw malformed()
  const cache = bytes.toString('utf8', cacheAt, actionAt)
  const action = bytes.toString('latin1', actionAt, flagsAt)
  const flags = bytes[flagsAt]!
  const count = bytes[flagsAt + 2]!
  if (flags > (FLAG.lends | FLAG.options | FLAG.transaction) || count > MAX_ARGUMENTS) throw malformed()
  const args: unknown[] = []
  const isPart = (flags & FLAG.transaction) !== 0
  let at = flagsAt + (isPart ? 7 : 3)
  if (at > end) throw malformed()
  let options: unknown
  for (let index = 0; index < count || (index === count && (flags & FLAG.options) !== 0); index++) {
    const from = at + 4
    if (from > end) throw malformed()
    at = from + bytes.readUInt32LE(at)
    if (at > end) throw malformed()
    const part = decodePlain(bytes, from, at)
    if (index < count) args.push(part)
    else options = part
  }
  if (at !== end) throw malformed()
  return { kind: 'call', cache, action, args, options: options === undefined ? undefined : readOptions(options), hops: bytes[flagsAt + 1]!, lends: (flags & FLAG.lends) !== 0, transaction: isPart ? bytes.readUInt32LE(flagsAt + 3) : undefined }
}

/** Writes the answer of a request that was carried out. A result that cannot be sent is answered with that error. */
export function writeResult(result: unknown, into: Scratch): void {
  into.reset()
  into.ensure(1)
  into.bytes[into.end++] = ANSWER.value
  try {
    encodeValue(result, into)
  } catch (error) {
    writeError(error, into)
  }
}

export function writeError(error: unknown, into: Scratch): void {
  into.reset()
  into.ensure(1)
  into.bytes[into.end++] = ANSWER.error
  encodeValue(describeError(error), into)
}

function readOptions(options: unknown): Record<string, unknown> {
  if (typeof options === 'object' && options !== null && Object.getPrototypeOf(options) === Object.prototype) return options as Record<string, unknown>
  throw malformed()
}

function isFingerprint(value: unknown): value is Fingerprint {
  return typeof value === 'object' && value !== null && Object.values(value).every((text) => typeof text === 'string')
}

function isPurpose(value: unknown): value is RemoteRun['purpose'] {
  if (typeof value !== 'object') return false
  const { transaction, load } = (value ?? {}) as { transaction?: unknown; load?: unknown }
  return value === null || typeof transaction === 'number' || load instanceof Uint8Array
}

function malformed(): CacheError {
  return new CacheError('ERR_FRAME', 'the peer sent what is no request')
}
