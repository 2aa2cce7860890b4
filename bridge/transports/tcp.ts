/** Streams over TCP and Unix sockets, in the clear or in TLS 1.3 with both ends verified by the names of their nodes. */
import { chmodSync, rmSync } from 'node:fs'
import net from 'node:net'
import tls from 'node:tls'
import { CacheError, errorCode } from '../../runtime/errors.js'
import { isLoopback, showAddress, staysHere, type Address } from '../address.js'
import { MAX_FRAME_BYTES } from '../sessions/frame.js'
import type { Protection } from '../sessions/handshake.js'
import type { Connection, ConnectionHandlers, Transport } from './transport.js'

/** Certificates and keys, as PEM. */
export interface TlsSetting {
  readonly key: string
  readonly cert: string
  readonly ca: string
  /** Of the key. */
  readonly passphrase?: string
}

export interface TcpSetting {
  /** `undefined`: only connects. */
  readonly listen: Address | undefined
  readonly peers: Readonly<Record<string, Address>>
  readonly tls: TlsSetting | undefined
}

/** Connections that have not finished TLS; beyond it the oldest is ended. */
const MAX_HALF_OPEN = 128

/** Node's own limit for the TLS handshake is two minutes. */
const TLS_LIMIT_MS = 5000

/** While a socket has more bytes than this to send, it takes no more. */
const MAX_UNSENT_BYTES = 1 << 18

/** How long the other end has to end a connection that was closed here. */
const CLOSE_MS = 1000

/** RFC 8446, 7.5: both ends of one TLS session get the same bytes, and nobody else. */
const EXPORTER_LABEL = 'EXPORTER-scatterhoard-bridge'
const EXPORTER_BYTES = 32

export class TcpTransport implements Transport {
  readonly #setting: TcpSetting
  #server: net.Server | undefined
  #address: string | undefined
  #endHalfOpen = (): void => undefined

  constructor(setting: TcpSetting) {
    this.#setting = setting
  }

  get address(): string | undefined {
    return this.#address
  }

  reaches(peer: string): boolean {
    return Object.hasOwn(this.#setting.peers, peer)
  }

  async listen(accept: (connection: Connection) => void): Promise<void> {
    const { listen, tls: own } = this.#setting
    if (listen === undefined) return
    const server = own === undefined
      ? net.createServer((socket) => accept(new SocketConnection(socket)))
      : tls.createServer({ ...secured(own), requestCert: true, handshakeTimeout: TLS_LIMIT_MS }, (socket) => accept(new SocketConnection(socket)))
    if (own !== undefined) this.#endHalfOpen = capHalfOpen(server)
    try {
      await bind(server, listen)
    } catch (error) {
      if (!('path' in listen && errorCode(error) === 'EADDRINUSE' && await isAbandoned(listen.path))) throw cannotListen(listen, error)
      rmSync(listen.path)
      await bind(server, listen).catch((error: unknown) => {
        throw cannotListen(listen, error)
      })
    }
    // Failures to accept, for want of file descriptors: the next connection may succeed.
    server.on('error', (error: Error) => process.emitWarning(error))
    if ('path' in listen) chmodSync(listen.path, 0o600)
    const bound = server.address()
    this.#address = typeof bound === 'object' && bound !== null ? showAddress({ host: bound.address, port: bound.port }) : showAddress(listen)
    this.#server = server
  }

  async connect(peer: string, signal: AbortSignal): Promise<Connection> {
    const address = this.#setting.peers[peer]!
    const own = this.#setting.tls
    const socket = own === undefined
      ? net.connect(address)
      // The name is verified with the handshake, at both ends alike.
      : tls.connect({ ...address, ...secured(own), checkServerIdentity: () => undefined, ...isHostName(peer) && { servername: peer } })
    try {
      await connected(socket, own === undefined ? 'connect' : 'secureConnect', signal)
    } catch (error) {
      socket.destroy()
      throw cannotConnect(peer, address, error)
    }
    return new SocketConnection(socket)
  }

  async close(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return
    // Those that wait for their TLS handshake are nobody's; the others' owners end them.
    await new Promise((resolve) => {
      server.close(resolve)
      this.#endHalfOpen()
    })
  }
}

/** What both ends of TLS are given. */
function secured(own: TlsSetting): tls.SecureContextOptions & { rejectUnauthorized: true } {
  return { ...own, minVersion: 'TLSv1.3', rejectUnauthorized: true }
}

/** Names that may be sent as a server's name; the certificate is verified in any case. */
function isHostName(name: string): boolean {
  return net.isIP(name) === 0 && /^[a-z\d](?:[a-z\d-]*[a-z\d])?(?:\.[a-z\d](?:[a-z\d-]*[a-z\d])?)*$/i.test(name)
}

function bind(server: net.Server, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      server.off('listening', listening)
      reject(error)
    }
    const listening = (): void => {
      server.off('error', failed)
      resolve()
    }
    server.once('error', failed).once('listening', listening)
    server.listen(address)
  })
}

/** Whether nobody listens on a socket that is there: the process that made it was killed. */
function isAbandoned(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ path }, () => {
      socket.destroy()
      resolve(false)
    }).once('error', (error) => resolve(errorCode(error) === 'ECONNREFUSED'))
  })
}

/** Bounds the connections of a TLS server that are in their handshake. Returns what ends them all. */
function capHalfOpen(server: net.Server): () => void {
  const halfOpen = new Set<net.Socket>()
  server.on('connection', (socket: net.Socket) => {
    halfOpen.add(socket)
    socket.once('close', () => halfOpen.delete(socket))
    if (halfOpen.size > MAX_HALF_OPEN) [...halfOpen][0]!.destroy()
  })
  server.on('secureConnection', (socket: tls.TLSSocket) => halfOpen.delete(rawSocketOf(socket)))
  server.on('tlsClientError', (_error: Error, socket: tls.TLSSocket) => socket.destroy())
  return () => {
    for (const socket of halfOpen) socket.destroy()
  }
}

/** The socket below a TLS socket of a server: Node keeps it, and its types do not name it. */
function rawSocketOf(socket: tls.TLSSocket): net.Socket {
  return (socket as unknown as { _parent: net.Socket })._parent
}

function connected(socket: net.Socket, event: 'connect' | 'secureConnect', signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error): void => {
      signal.removeEventListener('abort', abort)
      socket.off('error', done).off(event, done).off('close', closed)
      if (error === undefined) resolve()
      else reject(error)
    }
    const abort = (): void => done(signal.reason as Error) // this library's own
    const closed = (): void => done(new Error('the connection was closed'))
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort)
    socket.once('error', done).once('close', closed).once(event, () => done())
  })
}

function cannotListen(address: Address, cause: unknown): CacheError {
  return new CacheError('ERR_INVALID_OPTION', `option 'listen' is '${showAddress(address)}', where this node cannot listen: ${(cause as Error).message}`, { option: 'listen', value: showAddress(address), cause })
}

function cannotConnect(peer: string, address: Address, cause: unknown): CacheError {
  const code = errorCode(cause) ?? ''
  const message = `node '${peer}' cannot be reached at ${showAddress(address)}: ${(cause as Error).message || code}`
  if (isTlsError(cause)) return new CacheError('ERR_UNAUTHENTICATED', message, { node: peer, cause })
  return new CacheError('ERR_NODE_UNREACHABLE', message, { node: peer, cause, refused: code === 'ECONNREFUSED' || code === 'ENOENT' })
}

/** Of certificates, or of the protocol: not of the network. */
function isTlsError(error: unknown): boolean {
  const code = errorCode(error) ?? ''
  return code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS') || code.startsWith('CERT_') || code.includes('CERT') || code.startsWith('UNABLE_TO')
}

class SocketConnection implements Connection {
  readonly messages = false
  readonly maxFrameBytes = MAX_FRAME_BYTES
  readonly remote: string
  readonly protection: Protection
  readonly #socket: net.Socket
  #closing = false

  constructor(socket: net.Socket) {
    this.#socket = socket
    // A connection may break before anybody listens.
    socket.on('error', () => undefined)
    socket.setNoDelay(true)
    const { remoteAddress, remotePort } = socket
    this.remote = remoteAddress === undefined ? 'a Unix socket' : showAddress({ host: remoteAddress, port: remotePort ?? 0 })
    this.protection = socket instanceof tls.TLSSocket
      ? { exporter: exporterOf(socket), code: false }
      : { exporter: undefined, code: remoteAddress !== undefined && !isLoopback(remoteAddress) }
  }

  verifyName(peer: string): void {
    const socket = this.#socket
    if (!(socket instanceof tls.TLSSocket)) return
    const certificate = socket.getPeerCertificate()
    const error = socket.authorized ? tls.checkServerIdentity(peer, certificate) : socket.authorizationError
    if (error === undefined) return
    throw new CacheError('ERR_UNAUTHENTICATED', `the certificate of ${this.remote} is not one of node '${peer}': give it the node's name as a DNS name in subjectAltName`, { node: peer, cause: error })
  }

  open(handlers: ConnectionHandlers): void {
    const socket = this.#socket
    let failure: Error | undefined
    socket.on('error', (error) => {
      failure = isTlsError(error) ? new CacheError('ERR_UNAUTHENTICATED', `${this.remote} refused this node's certificate, or TLS with it: ${error.message}`, { cause: error }) : error
    })
    socket.on('data', (bytes: Buffer) => {
      if (!this.#closing) handlers.data(bytes)
    })
    socket.on('drain', () => handlers.drain())
    if (socket.closed) setImmediate(() => handlers.closed(failure))
    else socket.once('close', () => handlers.closed(failure))
  }

  write(bytes: Buffer, release: () => void): boolean {
    const socket = this.#socket
    if (this.#closing || socket.destroyed) {
      release()
      return true
    }
    socket.write(bytes, release)
    return socket.writableLength < MAX_UNSENT_BYTES
  }

  close(): void {
    if (this.#closing) return
    this.#closing = true
    // So that the other end's last bytes do not hold it up.
    this.#socket.resume()
    this.#socket.end()
    const timer = setTimeout(() => this.#socket.destroy(), CLOSE_MS).unref()
    this.#socket.once('close', () => clearTimeout(timer))
  }

  destroy(): void {
    this.#closing = true
    this.#socket.destroy()
  }
}

function exporterOf(socket: tls.TLSSocket): Buffer {
  return socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, Buffer.alloc(0))
}

/** Whether what an address gets stays on this machine, or is protected by TLS. */
export function needsSecret(address: Address, own: TlsSetting | undefined): boolean {
  return own === undefined && !staysHere(address)
}
