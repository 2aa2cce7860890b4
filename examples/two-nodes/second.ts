/** The second node, in a process of its own. */
import { startOn } from './settings.js'

const { node } = await startOn('b', process.argv[2]!)
process.send!('ready')
// The first process ends: so does this one.
process.once('disconnect', () => void node.stop())
