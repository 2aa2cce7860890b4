/** The other node of a cluster of two, in a process of its own: owns about half of the keys. Arguments: its bridge as JSON. */
import { startClusterNode, type BridgeOption } from '../subject.js'

const { stop } = await startClusterNode('b', JSON.parse(process.argv[2]!) as BridgeOption)
process.once('disconnect', () => void stop())
process.send!('ready')
