/** `scatterhoard status`: asks a node how it is doing, and shows it in tables or as one object of JSON. */
import { positiveDuration } from '../../runtime/duration.js'
import { observe, observerName } from '../peers/observe.js'
import { realTimers } from '../sessions/real-timers.js'
import { createTransport } from '../transports/transports.js'
import { UsageError, type Arguments, type OptionKind } from './arguments.js'
import { BRIDGE_OPTIONS, readBridge, readPort, readTime } from './bridge-arguments.js'
import { showStatus } from './show-status.js'

export const STATUS_OPTIONS = { ...BRIDGE_OPTIONS, 'connect': 'text', 'local': 'flag', 'timeout': 'text', 'json': 'flag' } as const satisfies Record<string, OptionKind>

export async function runStatus(given: Arguments): Promise<void> {
  const connect = given.text('connect')
  if (connect === undefined) throw new UsageError('--connect is missing')
  // Over NATS it is a name; otherwise nobody has to know the name, and errors call the node by its address.
  const target = given.texts('nats').length > 0 ? connect : connect.slice(connect.lastIndexOf('/') + 1)
  const bridge = readBridge(given, { peers: { [target]: readPort(connect) } }).settings()
  const timeoutMs = positiveDuration(readTime(given.text('timeout') ?? '5s'), 'timeout')
  const name = observerName(bridge)
  const status = await observe({ transport: createTransport(name, bridge, realTimers), target, name, bridge, timeoutMs, timers: realTimers })
  const shown = given.flag('local') ? { ...status, peers: [] } : status
  console.log(given.flag('json') ? JSON.stringify(shown, undefined, 2) : showStatus(shown))
}
