/**
 * What nodes say to each other about caches: requests and their answers, as bytes. The bridge carries them, and adds the time that a
 * request has left.
 *
 * A request is an encoded array that begins with its kind. Arguments are encoded one by one inside it, so that what is wrong with one is
 * told by its own path. An answer is a byte, 0 or 1, and the encoded result, or the encoded description of an error.
 */
import { Scratch } from '../../runtime/codec/scratch.js'
import { decodeValue, encodeValue } from '../../runtime/codec/value.js'
import { CacheError, describeError } from '../../runtime/errors.js'
import type { Fingerprint } from './cluster-options.js'

/** An action of a cache, to be carried out on the node that gets it. */
export interface RemoteCall {
  readonly cache: string
  readonly action: string
  /** Positional ones. */
  readonly args: readonly unknown[]
  /** Its own options. */
  readonly options: Readonly<Record<string, unknown>>
  /** How often it was sent on because nodes did not agree on the owner. */
  readonly hops: number
  /** Whether the function that it names is one that a thread of the node has registered that the call is from: then it runs there. */
  readonly lends: boolean
}

/** A function that the other node has lent with a call. */
export interface RemoteRun {
  readonly cache: string
  readonly name: string
  readonly args: readonly unknown[]
  readonly limitMs: number
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

/** Appends a request to a scratch. Throws what `encodeValue` throws of an argument. */
export function writeCall({ cache, action, args, options, hops, lends }: RemoteCall, into: Scratch): void {
  encodeValue(['call', cache, action, args.map(packed), packed(options), hops, lends], into)
}

export function writeRun({ cache, name, args, limitMs }: RemoteRun, into: Scratch): void {
  encodeValue(['run', cache, name, packed(args), limitMs], into)
}

export function writeCheck(cache: string, fingerprint: Fingerprint, into: Scratch): void {
  encodeValue(['check', cache, fingerprint], into)
}

/** Reads a request of a peer. Throws `ERR_FRAME` for anything else. */
export function readRequest(bytes: Buffer, start: number, end: number): NodeRequest {
  const request = decodeValue(bytes, start, end)
  if (!Array.isArray(request)) throw malformed()
  const [kind, cache, third, args, options, hops, lends] = request as unknown[]
  if (typeof cache !== 'string') throw malformed()
  if (kind === 'call' && request.length === 7 && typeof hops === 'number' && typeof lends === 'boolean' && typeof third === 'string' && Array.isArray(args) && args.length <= MAX_ARGUMENTS) {
    return { kind, cache, action: third, args: args.map(unpacked), options: readOptions(unpacked(options)), hops, lends }
  }
  if (kind === 'run' && request.length === 5 && typeof third === 'string' && typeof options === 'number' && options > 0) {
    const all = unpacked(args)
    if (Array.isArray(all)) return { kind, cache, name: third, args: all, limitMs: options }
  }
  if (kind === 'check' && request.length === 3 && isFingerprint(third)) return { kind, cache, fingerprint: third }
  throw malformed()
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

/** No action has more. */
const MAX_ARGUMENTS = 4

function packed(value: unknown): Uint8Array {
  const scratch = new Scratch(128)
  encodeValue(value, scratch)
  return Uint8Array.from(scratch.bytes.subarray(0, scratch.end))
}

function unpacked(bytes: unknown): unknown {
  if (!(bytes instanceof Uint8Array)) throw malformed()
  return decodeValue(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length)
}

function readOptions(options: unknown): Record<string, unknown> {
  if (typeof options === 'object' && options !== null && Object.getPrototypeOf(options) === Object.prototype) return options as Record<string, unknown>
  throw malformed()
}

function isFingerprint(value: unknown): value is Fingerprint {
  return typeof value === 'object' && value !== null && Object.values(value).every((text) => typeof text === 'string')
}

function malformed(): CacheError {
  return new CacheError('ERR_FRAME', 'the peer sent what is no request')
}
