/**
 * Many strangers in a process of their own, none of whom finishes a handshake: `hostile-crowd.js PORT CONNECTIONS AT_ONCE`. Opens connections as fast
 * as it can, and another for each that is ended, until there were so many; holds each as long as it is let.
 */
import { randomBytes } from 'node:crypto'
import net from 'node:net'
import { FRAME_TYPE, makeFrame } from '../../bridge/sessions/frame.js'
import { HELLO_FLAG, writeHello } from '../../bridge/sessions/hello.js'
import { checksum } from '../../bridge/sessions/seal.js'

export interface CrowdReport {
  readonly ended: number
  readonly mostAtOnce: number
  readonly seconds: number
}

const [port, connections, atOnce] = process.argv.slice(2).map(Number) as [number, number, number]
const hello = makeFrame(FRAME_TYPE.hello, writeHello({ role: 'initiator', flags: HELLO_FLAG.secret, nonce: randomBytes(16), cluster: 'scatterhoard', name: 'stranger', for: 'target' }), 0, checksum)
const SLOW_MS = 100

/** What a stranger says. The last one says a byte at a time. */
const WORDS: readonly (Buffer | undefined)[] = [undefined, hello.subarray(0, hello.length >> 1), hello, randomBytes(3000), Buffer.from([0, 0x10, 0, 0, 1, FRAME_TYPE.data, 0, 0]), hello.subarray(0, 1)]

const begin = performance.now()
const slow = new Map<net.Socket, number>()
let opened = 0
let open = 0
let ended = 0
let mostAtOnce = 0

function next(): void {
  const words = WORDS[opened % WORDS.length]
  const isSlow = words?.length === 1
  opened++
  mostAtOnce = Math.max(mostAtOnce, ++open)
  const socket = net.connect(port, '127.0.0.1', () => {
    if (isSlow) slow.set(socket, 0)
    if (words !== undefined) socket.write(words)
  })
  // What it is told is read, so that its end is noticed.
  socket.on('error', () => undefined).on('data', () => undefined)
  socket.once('close', () => {
    slow.delete(socket)
    open--
    ended++
    if (opened < connections) next()
    else if (open === 0) finish()
  })
}

const dripping = setInterval(() => {
  for (const [socket, at] of slow) {
    socket.write(hello.subarray(at + 1, at + 2))
    slow.set(socket, at + 1)
  }
}, SLOW_MS)

function finish(): void {
  clearInterval(dripping)
  process.send!({ ended, mostAtOnce, seconds: (performance.now() - begin) / 1000 } satisfies CrowdReport)
  process.disconnect()
}

for (let index = 0; index < Math.min(atOnce, connections); index++) next()
