/** A worker thread of an application: attaches caches and does with them what it is told. */
import { attachCache, registerClass, registerFunction, type Cache, type CacheDescriptor, type CacheEvents, type EventsOptions, type RegisteredFunction } from 'scatterhoard'
import { parentPort, threadId } from 'node:worker_threads'
import { describeError } from '../../../runtime/errors.js'
import { Point } from '../point.js'

export type Command =
  | { id: number; do: 'attach'; cache: string; descriptor: CacheDescriptor }
  | { id: number; do: 'call'; cache: string; name: string; args: unknown[] }
  | { id: number; do: 'tell'; cache: string; message: unknown[] }
  | { id: number; do: 'sync'; cache: string; name: 'getSync' | 'existsSync'; key: unknown }
  | { id: number; do: 'collect'; cache: string; options: unknown }
  | { id: number; do: 'stop'; cache: string }
  | { id: number; do: 'register' }
  | { id: number; do: 'subscribe'; cache: string; options: EventsOptions }
  | { id: number; do: 'events'; cache: string; count: number }
  | { id: number; do: 'registerFunction'; name: string; each: boolean; says: string }
  | { id: number; do: 'unregister'; name: string }
  | { id: number; do: 'count' }

const caches = new Map<string, Cache<unknown>>()
const subscriptions = new Map<string, CacheEvents<unknown>>()
const functions = new Map<string, RegisteredFunction>()
/** Of registered functions. */
let calls = 0

/** What a registered function does: mostly it says where it ran, and with what. */
function registered(says: string, args: unknown[]): unknown {
  calls++
  switch (args.at(-1)) {
    case 'throw': throw new RangeError(says)
    case 'end': return parentPort!.close(), process.exit()
    case 'never': return new Promise(() => undefined)
    case 'hang': for (;;);
    default: return [says, threadId, ...args.map((arg) => typeof arg === 'object' && arg !== null && 'name' in arg ? arg.name : arg)]
  }
}

async function execute(command: Command): Promise<unknown> {
  if (command.do === 'attach') {
    caches.set(command.cache, await attachCache(command.descriptor))
    return undefined
  }
  if (command.do === 'register') return registerClass('Point', Point, { toData: ({ x, y }) => [x, y], fromData: ([x, y]) => new Point(x!, y!) })
  if (command.do === 'registerFunction') {
    functions.set(command.name, registerFunction(command.name, async (...args: unknown[]) => registered(command.says, args), { each: command.each }))
    return undefined
  }
  if (command.do === 'count') return calls
  if (command.do === 'unregister') return functions.get(command.name)!.unregister()
  const cache = caches.get(command.cache)!
  const methods = cache as unknown as Record<string, (...args: unknown[]) => unknown>
  switch (command.do) {
    case 'call': {
      const value = await methods[command.name]!(...command.args)
      return value instanceof Point ? `Point(${value.x}, ${value.y})` : value
    }
    case 'tell': return cache.tell(command.message as never)
    case 'sync': return methods[command.name]!(command.key)
    case 'collect': {
      const all: unknown[] = []
      for await (const item of cache.stream(command.options as never)) all.push(item)
      return all
    }
    case 'stop': return cache.stop()
    case 'subscribe':
      subscriptions.set(command.cache, cache.events(command.options))
      // Behind the subscription.
      return cache.size()
    case 'events': {
      const messages: unknown[] = []
      while (messages.length < command.count) messages.push((await subscriptions.get(command.cache)!.next()).value!.message)
      return messages
    }
  }
}

parentPort!.on('message', (command: Command) => {
  execute(command).then(
    (value) => parentPort!.postMessage({ id: command.id, value }),
    (error: unknown) => parentPort!.postMessage({ id: command.id, error: describeError(error) }),
  )
})
