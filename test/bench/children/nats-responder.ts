/** A service that answers each request of NATS with a text of the benchmark, as one would build it without a cache that spans nodes. */
import { connect } from '@nats-io/transport-node'
import { keys, texts } from '../data.js'

const [servers, subject] = process.argv.slice(2) as [string, string]
const store = new Map(keys.map((key, i) => [key, texts[i]!]))
const connection = await connect({ servers })
connection.subscribe(subject, { callback: (error, message) => void (error ?? message.respond(store.get(message.string()))) })
await connection.flush()
process.once('disconnect', () => void connection.close())
process.send!('ready')
