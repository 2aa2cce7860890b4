/** Addresses as users write them: `'10.0.0.1:7100'`, `'[::1]:7100'`, `7100` on this machine, or the path of a Unix socket. */
import { isIP } from 'node:net'
import { invalidOption } from '../runtime/option-checks.js'

export type Address = { readonly host: string; readonly port: number } | { readonly path: string }

const ALLOWED = "'host:port', '[IPv6]:port', a port of this machine, or the path of a Unix socket, such as '/run/cache.sock'"

/** Linux takes 107 bytes, others 103. */
const MAX_PATH_BYTES = 103

/** Reads an address. Throws `ERR_INVALID_OPTION`. `anyPort`: 0 lets the system choose. */
export function readAddress(value: unknown, option: string, anyPort: boolean): Address {
  const wrong = (): never => {
    throw invalidOption(option, value, ALLOWED)
  }
  const readPort = (text: string | number): number => {
    const port = Number(text)
    return /^\d{1,5}$/.test(String(text)) && port <= 0xffff && (port > 0 || anyPort) ? port : wrong()
  }
  if (typeof value === 'number') return { host: '127.0.0.1', port: readPort(value) }
  if (typeof value !== 'string') return wrong()
  if (value.startsWith('unix:') || value.includes('/')) {
    const path = value.replace(/^unix:/, '')
    return path === '' || path.endsWith('/') || path.includes('\0') || Buffer.byteLength(path) > MAX_PATH_BYTES ? wrong() : { path }
  }
  const [, v6, name, port] = /^(?:\[([\da-f:.]+)\]|([^\s:[\]@]+)):(\d+)$/i.exec(value) ?? []
  if (port === undefined || (v6 !== undefined && isIP(v6) !== 6)) return wrong()
  return { host: (v6 ?? name)!, port: readPort(port) } // one of them matched
}

/** Whether what is sent there stays on this machine. A name other than `localhost` may be anywhere. */
export function staysHere(address: Address): boolean {
  return 'path' in address || address.host === 'localhost' || isLoopback(address.host)
}

export function isLoopback(ip: string): boolean {
  const plain = ip.replace(/^::ffff:(?=[\d.]+$)/i, '')
  return isIP(plain) === 4 ? plain.startsWith('127.') : /^(?:0*:)*:?0*1$/.test(plain) && isIP(plain) === 6
}

export function showAddress(address: Address): string {
  if ('path' in address) return address.path
  return `${isIP(address.host) === 6 ? `[${address.host}]` : address.host}:${address.port}`
}
