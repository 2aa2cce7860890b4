/**
 * The proofs and keys of a handshake, from the shared secret, which itself is never sent.
 *
 * HKDF-SHA-256 (RFC 5869) over the secret gives one key for proofs, and one for each direction of a session, salted with the hash
 * of everything that was said in the handshake. A proof is an HMAC-SHA-256 over the same hash and the role of the one who proves.
 */
import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

/** The one who connects is an initiator, or an observer, which becomes no peer; the other one is the responder. */
export type Role = 'initiator' | 'observer' | 'responder'

export const PROOF_BYTES = 32

const PURPOSE = 'scatterhoard bridge 1'

export interface SessionKeys {
  /** Of the frames that this end sends. */
  readonly send: Buffer
  readonly receive: Buffer
}

/** SHA-256 of parts, each with its length in front, so that no two lists of parts are alike. */
export function transcriptHash(...parts: Uint8Array[]): Buffer {
  const hash = createHash('sha256')
  const length = Buffer.alloc(4)
  for (const part of parts) {
    length.writeUInt32LE(part.length)
    hash.update(length).update(part)
  }
  return hash.digest()
}

/** The proof of `role` for what `transcript` is the hash of. Without a secret it proves nothing: then the transport has to, or the machine's bounds. */
export function proofOf(secret: Uint8Array, role: Role, transcript: Uint8Array): Buffer {
  return createHmac('sha256', derive(secret, new Uint8Array(), `${role}'s proof`)).update(transcript).digest()
}

/** Compares in a time that does not depend on where they differ. */
export function sameProof(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

export function sessionKeys(secret: Uint8Array, role: Role, transcript: Uint8Array): SessionKeys {
  const ofInitiator = derive(secret, transcript, 'frames of the initiator')
  const ofResponder = derive(secret, transcript, 'frames of the responder')
  return role === 'responder' ? { send: ofResponder, receive: ofInitiator } : { send: ofInitiator, receive: ofResponder }
}

function derive(secret: Uint8Array, salt: Uint8Array, use: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, `${PURPOSE}: ${use}`, 32))
}
