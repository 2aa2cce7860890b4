/** A new process that has loaded nothing yet: imports the package, starts a cache with two shards, and has it answer. */
import { startSubject } from '../subject.js'

const start = performance.now()
const cache = await startSubject<number>('bench-start', { shards: 2 })
await cache.put('a', 1)
const took = performance.now() - start
const reply = (message: unknown): void => void process.send!(message)
process.on('message', () => reply(took))
process.once('disconnect', () => void cache.stop())
reply('ready')
