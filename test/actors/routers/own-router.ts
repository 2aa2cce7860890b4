/** A router as an application would write one. */
import type { CreateRouter } from '../../../actors/routers/custom.js'
import { mix32 } from '../../../runtime/hash.js'

export const createRouter: CreateRouter = ({ nodes }, options) => {
  const { salt } = options as { salt: number }
  let up = nodes
  return {
    nodes,
    owner: (key) => up[(mix32(key.hash + salt) >>> 0) % up.length],
    update: (now) => {
      up = now
    },
  }
}
