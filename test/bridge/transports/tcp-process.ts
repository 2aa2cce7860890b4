/** A node of its own process that gives back what it gets, until it is killed: `tcp-process.js ADDRESS SECRET`. */
import { tcp } from '../../../bridge/index.js'
import { createMembership } from '../../../bridge/transports/transports.js'

const [listen, secret] = process.argv.slice(2) as [string, string]
const membership = createMembership(tcp({ listen, secret }).settings(), {
  name: 'b', failureTimeoutMs: 500, connectTimeoutMs: 2000,
  handlers: { event: () => undefined, note: () => undefined, request: (peer, ticket, _, bytes, start, end) => peer.reply(ticket, bytes, start, end) },
})
await membership.start()
process.send!('ready')
process.once('disconnect', () => process.exit())
