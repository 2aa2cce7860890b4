/** Routers that break the contract, each in its way. */
import type { CreateRouter } from '../../../actors/routers/custom.js'

export const createRouter: CreateRouter = ({ nodes }, options) => {
  switch (options) {
    case 'throws': throw new Error('no map')
    case 'nothing': return undefined as never
    case 'no owner': return { nodes } as never
    case 'owner throws': return { nodes, owner: () => { throw new Error('no way') } }
    case 'stranger': return { nodes, owner: () => 'z' }
    case 'promise': return { nodes, owner: () => Promise.resolve('a') as never }
    default: return { nodes, owner: (key) => nodes[key.bytes.length % nodes.length] }
  }
}
