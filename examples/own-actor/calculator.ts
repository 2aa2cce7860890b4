/**
 * An actor that does heavy work, on a thread of its own, and reports it to the journal.
 *
 * An error that a handler throws is the reply and does no harm. One that nobody catches ends the thread: then
 * the supervisor starts the actor again, with a fresh state.
 */
import { defineActor, type ActorContext } from 'scatterhoard/runtime'

export const calculator = defineActor('calculator', import.meta.url, {
  host: 'own',
  async init(context: ActorContext, unit: string) {
    // It is there: the supervisor starts it first.
    const journal = (await context.whereis('journal'))!
    journal.tell(['record', `calculator started, incarnation ${context.incarnation}`])
    return { journal, unit }
  },
  handlers: {
    async countPrimes({ journal, unit }, below: number): Promise<string> {
      if (!(below >= 0)) throw new RangeError(`there are no primes below ${below}`)
      const answer = `${countPrimes(below)} ${unit}`
      // Asked, not told: who has the answer finds it in the journal. Across senders there is no order but this one.
      await journal.ask(['record', `${answer} below ${below}`])
      return answer
    },
    /** Waits for something that fails where no handler can catch it. */
    stumble: () => new Promise<never>(() => {
      setImmediate(() => {
        throw new Error('a bug in a callback')
      })
    }),
  },
})

function countPrimes(below: number): number {
  const composite = new Uint8Array(below)
  let primes = 0
  for (let n = 2; n < below; n++) {
    if (composite[n] === 1) continue
    primes++
    for (let multiple = n * n; multiple < below; multiple += n) composite[multiple] = 1
  }
  return primes
}
