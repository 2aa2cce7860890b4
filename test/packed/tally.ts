/** An actor of the consumer's own. */
import { defineActor, type ActorContext } from 'scatterhoard/runtime'

interface State {
  n: number
}

export const tally = defineActor('tally', import.meta.url, {
  host: 'own',
  init: (_context: ActorContext, n: number): State => ({ n }),
  handlers: {
    add: (state: State, by: number): number => (state.n += by),
    crash: (): never => process.exit(1),
  },
})
