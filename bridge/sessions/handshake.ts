/**
 * The handshake, as a state machine without time or transport: bodies of frames in, bodies of frames out.
 *
 *     initiator                                                responder
 *     hello: nonce, cluster, names, protection      ──────▶
 *                                                   ◀──────    hello: the same
 *     proof: incarnation, terms, HMAC               ──────▶
 *                                                   ◀──────    proof: verdict, incarnation, terms, HMAC
 *
 * An observer is an initiator that becomes no peer. It may not know whom it will find, and its name, which TLS alone proves, may be that of a node.
 *
 * The one who connects proves first: whoever scans ports learns nothing to test guesses of the secret on. Each HMAC covers both hellos
 * as they were sent, so versions, roles, names, nonces and protection; with TLS the session's exporter (RFC 8446, 7.5), so
 * that nobody can stand between; and what the proof says. The responder's covers the initiator's proof too. Nothing that the
 * other says counts before its proof was right; until then only its frames' sizes and its names were looked at.
 *
 * Everything wrong throws: `ERR_UNAUTHENTICATED`, `ERR_NODE_UNREACHABLE` for another node than the one that was
 * meant, or `ERR_FRAME`. `refusal` is then what may be told the other side.
 */
import { randomBytes } from 'node:crypto'
import { CacheError } from '../../runtime/errors.js'
import { proofOf, sameProof, sessionKeys, transcriptHash, type Role, type SessionKeys } from './credentials.js'
import { FRAME_TYPE, type FrameType } from './frame.js'
import { HELLO_FLAG, NONCE_BYTES, readHello, readProof, readRefusal, REFUSAL, splitProof, VERDICT, writeHello, writeProof, type Hello, type Proof, type Refusal, type Terms, type Verdict } from './hello.js'

/** What of the connection the handshake has to know. */
export interface Protection {
  /** Key material of the TLS session (its exporter), which both ends and nobody else have; `undefined` without TLS. */
  readonly exporter: Uint8Array | undefined
  /** Whether each frame needs a code: the transport is shared, or not encrypted and leaves the machine. Without a secret there can be none. */
  readonly code: boolean
}

/** The numbers of this node and of the other, as this node sees them. */
export interface Incarnations {
  /** This node's, for that peer. */
  readonly own: number
  /** The peer's last one that this node has declared down; 0 if none. */
  readonly dead: number
}

export interface HandshakeSetting {
  readonly role: Role
  readonly name: string
  /** The node that an initiator means; an observer means any. */
  readonly peer?: string
  readonly cluster: string
  readonly secret: Uint8Array | undefined
  readonly protection: Protection
  readonly terms: Terms
  /** For a peer whose name is known and not yet proved. */
  readonly incarnations: (peer: string) => Incarnations
  /** Throws if the transport knows who the peer is, by its certificate, and it is somebody else. */
  readonly verifyName: (peer: string) => void
}

/** What the two have agreed on. */
export interface Agreement {
  readonly peer: string
  /** The peer's, and this node's, in this session. */
  readonly incarnation: number
  readonly ownIncarnation: number
  /** What the peer allows this node. */
  readonly terms: Terms
  readonly verdict: Verdict
  /** With the verdict `stale`: the incarnation that the peer has declared down. */
  readonly dead: number
  /** `undefined`: frames carry checksums. */
  readonly keys: SessionKeys | undefined
}

type State = 'hello' | 'proof' | 'verdict' | 'done' | 'failed'

const NO_SECRET = new Uint8Array()

export class Handshake {
  /** What the other side may be told of a failure. */
  refusal: Refusal | undefined
  /** When it has succeeded. */
  agreement: Agreement | undefined
  /** What an initiator said, when it was proved: a responder has to judge it now. */
  claim: Proof | undefined
  readonly #setting: HandshakeSetting
  readonly #own: Hello
  readonly #ownBody: Buffer
  #state: State
  #peer = ''
  /** The role of the one who connects. */
  #caller: Role
  #useCode: boolean
  #transcript: Buffer = Buffer.alloc(0)
  #claimed = 0

  constructor(setting: HandshakeSetting) {
    const { role, name, cluster, secret, protection } = setting
    this.#setting = setting
    this.#useCode = protection.code && secret !== undefined
    const flags = (secret === undefined ? 0 : HELLO_FLAG.secret) | (protection.exporter === undefined ? 0 : HELLO_FLAG.tls) | (this.#useCode ? HELLO_FLAG.code : 0)
    this.#own = { role, flags, nonce: randomBytes(NONCE_BYTES), cluster, name, for: setting.peer ?? name }
    this.#ownBody = writeHello(this.#own)
    this.#caller = role
    this.#state = 'hello'
  }

  /** A responder's: whether the other only wants to look. Not proved before `claim` is there. */
  get isObserved(): boolean {
    return this.#setting.role === 'responder' && this.#caller === 'observer'
  }

  /** The initiator's first frame. */
  hello(): Buffer {
    return this.#ownBody
  }

  /** The name that the other says it has; `''` before it did. Not proved before `claim` or `agreement` is there. */
  get peer(): string {
    return this.#peer
  }

  /** Takes a frame and returns the answer to it, if there is one to give at once. */
  receive(type: FrameType, body: Buffer): [type: FrameType, body: Buffer] | undefined {
    const state = this.#state
    this.#state = 'failed'
    const { role } = this.#setting
    if (type === FRAME_TYPE.refuse && role !== 'responder') throw this.#refused(readRefusal(body))
    if (type === FRAME_TYPE.hello && state === 'hello') return this.#receiveHello(body)
    if (type === FRAME_TYPE.proof && state === 'proof') return role === 'responder' ? this.#receiveClaim(body) : this.#receiveVerdict(body)
    throw new CacheError('ERR_FRAME', 'the peer sent something else than its part of the handshake')
  }

  /**
   * The responder's judgement of an initiator's claim, and its last frame. `accepted` sets `agreement`.
   *
   * @param incarnation this node's, for that peer
   */
  judge(verdict: Verdict, incarnation: number): Buffer {
    const { secret = NO_SECRET, terms } = this.#setting
    const claim = this.claim!
    const { dead } = this.#setting.incarnations(this.#peer)
    const said = writeProof({ incarnation, dead, verdict, terms })
    const transcript = transcriptHash(this.#transcript, said)
    this.#agree(claim, incarnation, verdict, dead, transcript)
    return Buffer.concat([said, proofOf(secret, 'responder', transcript)])
  }

  #receiveHello(body: Buffer): [FrameType, Buffer] {
    const hello = readHello(body)
    const { role, name, cluster, peer, protection } = this.#setting
    if ((hello.role === 'responder') === (role === 'responder')) throw new CacheError('ERR_UNAUTHENTICATED', 'the peer answered with its own greeting or with this node\'s')
    if (hello.cluster !== cluster) throw this.#fail(REFUSAL.cluster, `node '${hello.name}' belongs to the cluster '${hello.cluster}', this one to '${cluster}'; give all nodes the same 'cluster'`)
    if (role === 'initiator' && hello.name !== peer) throw notThatNode(peer, hello.name)
    const observes = role === 'observer' || hello.role === 'observer'
    if (hello.for !== (hello.role === 'observer' ? hello.name : name)) throw this.#fail(REFUSAL.name, `node '${hello.name}' looks for a node '${hello.for}' here, and this is '${name}'; correct its 'peers'`)
    if (hello.name === name && !observes) throw this.#fail(REFUSAL.name, `there is another node '${name}', or this one has connected to itself; give every node a name of its own`)
    if (((hello.flags ^ this.#own.flags) & ~HELLO_FLAG.code) !== 0) throw this.#fail(REFUSAL.protection, `node '${hello.name}' and this one do not protect their connection alike: both need the secret or neither, both TLS or neither`)
    this.#setting.verifyName(hello.name)
    this.#useCode ||= (hello.flags & HELLO_FLAG.code) !== 0 && this.#setting.secret !== undefined
    this.#peer = hello.name
    this.#own.for = hello.name
    this.#state = 'proof'
    const exporter = protection.exporter ?? NO_SECRET
    if (role !== 'responder') {
      this.#transcript = transcriptHash(this.#ownBody, body, exporter)
      return [FRAME_TYPE.proof, this.#claim()]
    }
    this.#caller = hello.role
    const ownBody = writeHello(this.#own)
    this.#transcript = transcriptHash(body, ownBody, exporter)
    return [FRAME_TYPE.hello, ownBody]
  }

  #claim(): Buffer {
    const { secret = NO_SECRET, terms, incarnations } = this.#setting
    const { own, dead } = incarnations(this.#peer)
    this.#claimed = own
    const said = writeProof({ incarnation: own, dead, verdict: VERDICT.accepted, terms })
    this.#transcript = transcriptHash(this.#transcript, said)
    return Buffer.concat([said, proofOf(secret, this.#caller, this.#transcript)])
  }

  #receiveClaim(body: Buffer): undefined {
    const [said, hmac] = splitProof(body)
    this.#transcript = transcriptHash(this.#transcript, said)
    if (!sameProof(hmac, proofOf(this.#setting.secret ?? NO_SECRET, this.#caller, this.#transcript))) {
      throw this.#fail(REFUSAL.proof, `node '${this.#peer}' does not know this node's secret; give all nodes the same one`)
    }
    this.claim = readProof(said)
    this.#state = 'verdict'
  }

  #receiveVerdict(body: Buffer): undefined {
    const [said, hmac] = splitProof(body)
    const transcript = transcriptHash(this.#transcript, said)
    if (!sameProof(hmac, proofOf(this.#setting.secret ?? NO_SECRET, 'responder', transcript))) {
      throw new CacheError('ERR_UNAUTHENTICATED', `node '${this.#peer}' does not know this node's secret; give all nodes the same one`, { node: this.#peer })
    }
    const proof = readProof(said)
    this.#agree(proof, this.#claimed, proof.verdict, proof.dead, transcript)
  }

  #agree(other: Proof, ownIncarnation: number, verdict: Verdict, dead: number, transcript: Buffer): void {
    const { role, secret } = this.#setting
    this.#state = 'done'
    this.agreement = {
      peer: this.#peer, incarnation: other.incarnation, ownIncarnation, terms: other.terms, verdict, dead,
      keys: this.#useCode && secret !== undefined ? sessionKeys(secret, role, transcript) : undefined,
    }
  }

  #fail(refusal: Refusal, message: string): CacheError {
    this.refusal = refusal
    return new CacheError(refusal === REFUSAL.name ? 'ERR_NODE_UNREACHABLE' : 'ERR_UNAUTHENTICATED', message, this.#peer === '' ? {} : { node: this.#peer })
  }

  /** What an initiator is told proves nothing: anybody could have said it. */
  #refused(reason: Refusal): CacheError {
    const { peer, role } = this.#setting
    const details = peer === undefined ? {} : { node: peer }
    const refuser = peer === undefined ? 'the node' : `node '${peer}'`
    const unauthenticated = (why: string): CacheError => new CacheError('ERR_UNAUTHENTICATED', `${refuser} refused the connection: ${why}`, details)
    switch (reason) {
      case REFUSAL.cluster: return unauthenticated('it belongs to another cluster; give all nodes the same \'cluster\'')
      case REFUSAL.protection: return unauthenticated('one of the two has a secret or TLS and the other has not; set both alike')
      case REFUSAL.proof: return unauthenticated('it has another secret, or somebody changed what was said; give all nodes the same secret')
      case REFUSAL.name: return notThatNode(peer, undefined)
      case REFUSAL.busy: return new CacheError('ERR_NODE_UNREACHABLE', `${refuser} has as many ${role === 'observer' ? 'observers' : 'peers'} as it can have`, details)
    }
  }
}

function notThatNode(peer: string | undefined, other: string | undefined): CacheError {
  return new CacheError('ERR_NODE_UNREACHABLE', `at the address of node '${peer}' there is ${other === undefined ? 'another node' : `node '${other}'`}; correct 'peers'`, { node: peer })
}
