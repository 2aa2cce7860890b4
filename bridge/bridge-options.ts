/**
 * The options that `tcp`, `nats` and `memory` have in common, and how secrets are read: no error, no `inspect` and no JSON shows one.
 */
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { readPatterns, type NamePattern } from '../actors/name-patterns.js'
import { CacheError, invalidArgument } from '../runtime/errors.js'
import { inside, invalidOption, ownOptions } from '../runtime/option-checks.js'
import { MAX_NAME_LENGTH } from './sessions/hello.js'
import type { TlsSetting } from './transports/tcp.js'

/** A secret is not shorter, in bytes: as much as the nonces have. */
export const MIN_SECRET_BYTES = 16

/** No message is longer, in bytes; a frame's counters and lengths would allow more. */
const MAX_MESSAGE_BYTES = 2 ** 30
const MIN_MESSAGE_BYTES = 2 ** 16
const DEFAULT_MESSAGE_BYTES = 64 * 2 ** 20

export interface BridgeOptions {
  /** What all nodes of the cluster know, at least 16 bytes; it is never sent. Needed wherever others can listen or connect. */
  secret?: string | Uint8Array
  /** Nodes of different clusters do not talk to each other. Default `'scatterhoard'`. */
  cluster?: string
  /** Names of functions that peers may call here: `'people.*'`, with `*` for any characters and `?` for one. Default: all that are registered. */
  allow?: readonly string[]
  /** Bytes of the longest message between nodes, 64 KB to 1 GB; each node says what it takes. Default 64 MB. */
  maxMessage?: number
}

export const BRIDGE_NAMES = ['secret', 'cluster', 'allow', 'maxMessage'] as const

export interface BridgeSetting {
  readonly secret: Uint8Array | undefined
  readonly cluster: string
  /** To be asked with `matchesAny`; `undefined`: every name. */
  readonly allow: readonly NamePattern[] | undefined
  readonly maxMessageBytes: number
}

/** @param own what `ownOptions` returned */
export function readBridgeOptions(own: Record<string, unknown>): BridgeSetting {
  const { cluster = 'scatterhoard', allow, maxMessage = DEFAULT_MESSAGE_BYTES } = own
  if (typeof maxMessage !== 'number' || !Number.isSafeInteger(maxMessage) || maxMessage < MIN_MESSAGE_BYTES || maxMessage > MAX_MESSAGE_BYTES) {
    throw invalidOption('maxMessage', maxMessage, `a whole number of bytes from ${MIN_MESSAGE_BYTES} to ${MAX_MESSAGE_BYTES}`)
  }
  return { secret: readSecret(own['secret']), cluster: readNodeName(cluster, 'cluster'), allow: readAllow(allow), maxMessageBytes: maxMessage }
}

/** A refusal that does not show the value. */
export function invalidSecret(option: string, allowed: string): CacheError {
  return new CacheError('ERR_INVALID_OPTION', `option '${option}' cannot be used (it is not shown); allowed: ${allowed}`, { option, value: '[hidden]', allowed })
}

function readSecret(secret: unknown): Uint8Array | undefined {
  if (secret === undefined) return undefined
  const bytes = typeof secret === 'string' ? Buffer.from(secret) : secret instanceof Uint8Array ? Buffer.from(secret) : undefined
  if (bytes === undefined || bytes.length < MIN_SECRET_BYTES) {
    throw invalidSecret('secret', `a string or bytes, at least ${MIN_SECRET_BYTES} of them: for example 32 random ones`)
  }
  return new Uint8Array(bytes)
}

export function readNodeName(value: unknown, option: string): string {
  if (typeof value === 'string' && value !== '' && !value.includes('/') && value.length <= MAX_NAME_LENGTH) return value
  throw invalidOption(option, value, `a string of 1 to ${MAX_NAME_LENGTH} characters without "/"`)
}

function readAllow(value: unknown): NamePattern[] | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value)) throw invalidOption('allow', value, 'an array of names of functions, such as [\'people.*\']')
  return value.flatMap((name: unknown, index) => {
    if (typeof name === 'string' && name !== '') return readPatterns(name, 'allow')
    throw invalidOption(inside('allow', String(index)), name, 'the name of a function, such as \'people.load\', or \'people.*\'')
  })
}

/** Names of nodes, each once. */
export function readNodeNames(value: unknown, option: string): string[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw invalidOption(option, value, 'an array of names of nodes')
  return [...new Set(value.map((name: unknown, index) => readNodeName(name, inside(option, String(index)))))]
}

/** A key, a certificate, or several in one text. */
export type Pem = string | Uint8Array

export interface TlsOptions {
  /** The node's private key: the path of a PEM file, or its content. */
  key: Pem
  /** Its certificate, and those between it and the authority; a DNS name in `subjectAltName` is the node's name. */
  cert: Pem
  /** The authority that has to have signed the peers' certificates. */
  ca: Pem
  /** If the key is encrypted. */
  passphrase?: string
}

/** Reads keys and certificates, and makes sure that they can be used together. */
export function readTls(value: unknown, option = 'tls'): TlsSetting {
  const own = ownOptions(value, ['key', 'cert', 'ca', 'passphrase'], option)
  const { passphrase } = own
  if (passphrase !== undefined && (typeof passphrase !== 'string' || passphrase === '')) throw invalidSecret(inside(option, 'passphrase'), 'a string that is not empty')
  const setting: TlsSetting = {
    key: readPem(own['key'], inside(option, 'key')), cert: readPem(own['cert'], inside(option, 'cert')), ca: readPem(own['ca'], inside(option, 'ca')),
    ...passphrase !== undefined && { passphrase },
  }
  try {
    createSecureContext({ ...setting, minVersion: 'TLSv1.3' })
  } catch (error) {
    // OpenSSL's words have nothing of the key in them.
    throw invalidSecret(option, `a key, its certificate and an authority's, as PEM (${(error as Error).message})`)
  }
  return setting
}

/** The content of a PEM file, or what is one already. Nothing of it is shown. */
export function readPem(value: unknown, option: string): string {
  const allowed = 'the path of a PEM file that can be read, or its content'
  if (value instanceof Uint8Array) return checkPem(Buffer.from(value).toString('latin1'), option, allowed)
  if (typeof value !== 'string' || value === '') throw invalidSecret(option, allowed)
  if (value.includes('-----BEGIN')) return value
  let content: string
  try {
    content = readFileSync(value, 'latin1')
  } catch (error) {
    // The path may be a key that was pasted wrongly: only the kind of failure is shown.
    throw invalidSecret(option, `${allowed} (${String((error as NodeJS.ErrnoException).code)})`)
  }
  return checkPem(content, option, allowed)
}

function checkPem(content: string, option: string, allowed: string): string {
  if (content.includes('-----BEGIN')) return content
  throw invalidSecret(option, allowed)
}

/** The options of a bridge, which may be left out. */
export function bridgeOptions(options: unknown, names: readonly string[]): Record<string, unknown> {
  if (options !== undefined && (typeof options !== 'object' || options === null)) throw invalidArgument('a bridge is made with an object of options')
  return ownOptions(options === undefined ? {} : options, names)
}
