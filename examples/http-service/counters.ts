/** A function that runs inside the shard that owns the key: nothing comes between its reading and its writing. */
import { defineFunctions } from 'scatterhoard'

export interface Hits {
  count: number
  last: Date
}

export const counters = defineFunctions('counters', import.meta.url, {
  hit: (hits: Hits | undefined): Hits => ({ count: (hits?.count ?? 0) + 1, last: new Date() }),
})
