/** An actor for tests: counts, waits, fails and dies on demand. */
import { defineActor, type ActorContext } from 'scatterhoard/runtime'

interface State {
  n: number
  context: ActorContext
}

const handlers = {
  add: (state: State, by: number) => (state.n += by),
  get: (state: State) => state.n,
  incarnation: (state: State) => state.context.incarnation,
  echo: (_state: State, value: unknown) => value,
  fail: (_state: State, message: string) => {
    throw new RangeError(message)
  },
  exit: (_state: State, code: number) => process.exit(code),
  spin: (_state: State, ms: number) => {
    const until = performance.now() + ms
    while (performance.now() < until);
    return ms
  },
}

export const counter = defineActor('counter', import.meta.url, { init: (context: ActorContext, n?: number): State => ({ n: n ?? 0, context }), handlers })
export const blockingCounter = defineActor('blocking-counter', import.meta.url, { host: 'blocking', init: (context: ActorContext, n?: number): State => ({ n: n ?? 0, context }), handlers })
export const ownCounter = defineActor('own-counter', import.meta.url, {
  host: 'own', init: (context: ActorContext, n?: number): State => ({ n: n ?? 0, context }),
  handlers: { ...handlers, later: async (state: State, ms: number) => { await new Promise((r) => setTimeout(r, ms)); return state.n } },
})
