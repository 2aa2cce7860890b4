import type { Action } from '../action.js'

/** Not public: does nothing, behind everything that the caller sent before. */
export const sync: Action = {
  name: 'sync', writes: false, arity: 0, options: [],
  call: () => undefined,
  apply: () => undefined,
}
