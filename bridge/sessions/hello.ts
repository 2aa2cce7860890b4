/**
 * The bodies of the frames of a handshake. Little-endian, whole; `read…` throws `ERR_FRAME` at anything else.
 *
 *   hello   u8 version │ u8 role: 1 initiator, 2 responder, 3 observer │ u8 flags │ u8 0 │ 16 bytes nonce │ cluster │ name │ the name of the one it is for, or of the observer itself
 *   proof   u64 incarnation │ u64 dead │ u8 verdict │ 3 × u8 0 │ u32 requests │ u64 bytes │ u64 message bytes │ 32 bytes HMAC
 *   refuse  u8 reason
 *
 * Texts are u16 length and UTF-8. An initiator's verdict is 0.
 */
import { CacheError } from '../../runtime/errors.js'
import { FRAME_VERSION } from './frame.js'
import { PROOF_BYTES, type Role } from './credentials.js'

export const NONCE_BYTES = 16
export const MAX_NAME_LENGTH = 255

/** How an end means to protect the session. What both do not say alike is refused; only the code of each frame may be asked for by one. */
export const HELLO_FLAG = { secret: 1, tls: 2, code: 4 } as const
const ALL_FLAGS = HELLO_FLAG.secret | HELLO_FLAG.tls | HELLO_FLAG.code

/** By their numbers. */
const ROLES: readonly (Role | undefined)[] = [undefined, 'initiator', 'responder', 'observer']

export interface Hello {
  role: Role
  flags: number
  nonce: Buffer
  cluster: string
  name: string
  for: string
}

/** What an end allows the other: bounds of what it has to keep for it. */
export interface Terms {
  /** Requests that may be unanswered. */
  requests: number
  /** Bytes of unanswered requests; a single one may be longer. */
  bytes: number
  /** Bytes of one message, in either direction. */
  messageBytes: number
}

export const VERDICT = {
  accepted: 0,
  /** There is a session already, or a better connection is being made. */
  duplicate: 1,
  /** This incarnation was declared down; `number` is the last one that was. Come back with a higher one. */
  stale: 2,
  stopping: 3,
} as const
export type Verdict = (typeof VERDICT)[keyof typeof VERDICT]

export interface Proof {
  incarnation: number
  /** The other's last incarnation that the sender has declared down; 0 if none. */
  dead: number
  verdict: Verdict
  terms: Terms
}

export const REFUSAL = { cluster: 1, name: 2, protection: 3, proof: 4, busy: 5 } as const
export type Refusal = (typeof REFUSAL)[keyof typeof REFUSAL]

export function writeHello(hello: Hello): Buffer {
  const texts = [hello.cluster, hello.name, hello.for].map((text) => Buffer.from(text))
  const body = Buffer.alloc(4 + NONCE_BYTES + texts.reduce((sum, { length }) => sum + 2 + length, 0))
  body[0] = FRAME_VERSION
  body[1] = ROLES.indexOf(hello.role)
  body[2] = hello.flags
  body.set(hello.nonce, 4)
  let at = 4 + NONCE_BYTES
  for (const text of texts) {
    at = body.writeUInt16LE(text.length, at)
    body.set(text, at)
    at += text.length
  }
  return body
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function readHello(body: Buffer): Hello {
  const role = body.length < 4 + NONCE_BYTES ? undefined : ROLES[body[1]!]
  if (role === undefined || body[0] !== FRAME_VERSION || body[3] !== 0 || (body[2]! & ~ALL_FLAGS) !== 0) return malformed('hello')
  let at = 4 + NONCE_BYTES
  const text = (): string => {
    if (at + 2 > body.length) malformed('hello')
    const start = at + 2
    at = start + body.readUInt16LE(at)
    if (at > body.length) malformed('hello')
    try {
      return utf8.decode(body.subarray(start, at))
    } catch {
      return malformed('hello')
    }
  }
  const [cluster, name, receiver] = [text(), text(), text()] as const
  if (at !== body.length || !isName(name) || !isName(receiver) || !isName(cluster)) malformed('hello')
  return { role, flags: body[2]!, nonce: Buffer.from(body.subarray(4, 4 + NONCE_BYTES)), cluster, name, for: receiver }
}

/** As the option `name` of a node. */
function isName(name: string): boolean {
  return name !== '' && name.length <= MAX_NAME_LENGTH && !name.includes('/')
}

const PROOF_HEAD_BYTES = 40

/** The proof without its HMAC, which covers it. */
export function writeProof({ incarnation, dead, verdict, terms }: Proof): Buffer {
  const body = Buffer.alloc(PROOF_HEAD_BYTES)
  body.writeBigUInt64LE(BigInt(incarnation), 0)
  body.writeBigUInt64LE(BigInt(dead), 8)
  body[16] = verdict
  body.writeUInt32LE(terms.requests, 20)
  body.writeBigUInt64LE(BigInt(terms.bytes), 24)
  body.writeBigUInt64LE(BigInt(terms.messageBytes), 32)
  return body
}

/** The two parts of a proof's body: what was said, and the HMAC of it. */
export function splitProof(body: Buffer): [said: Buffer, hmac: Buffer] {
  if (body.length !== PROOF_HEAD_BYTES + PROOF_BYTES) malformed('proof')
  return [body.subarray(0, PROOF_HEAD_BYTES), body.subarray(PROOF_HEAD_BYTES)]
}

export function readProof(said: Buffer): Proof {
  const number = (at: number): number => {
    const value = said.readBigUInt64LE(at)
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : malformed('proof')
  }
  const verdict = said[16]!
  if (verdict > VERDICT.stopping || said[17] !== 0 || said[18] !== 0 || said[19] !== 0) malformed('proof')
  const terms = { requests: said.readUInt32LE(20), bytes: number(24), messageBytes: number(32) }
  if (terms.requests === 0 || terms.requests > 0x1_0000 || terms.bytes === 0 || terms.messageBytes === 0) malformed('proof')
  return { incarnation: number(0), dead: number(8), verdict: verdict as Verdict, terms } // checked
}

export function readRefusal(body: Buffer): Refusal {
  const reason = body[0]
  if (body.length !== 1 || reason! < REFUSAL.cluster || reason! > REFUSAL.busy) malformed('refusal')
  return reason as Refusal // checked
}

function malformed(what: string): never {
  throw new CacheError('ERR_FRAME', `the peer sent a malformed ${what}`)
}
