/** A module of functions of the consumer's own. */
import { commit, defineFunctions, ignore } from 'scatterhoard'

export interface Person {
  name: string
  visits: number
}

export const people = defineFunctions('people', import.meta.url, {
  visit: (person: Person | undefined, by: number) => (person === undefined ? ignore(undefined) : commit({ ...person, visits: person.visits + by })),
  // In a shard this ends the thread.
  crash: (person: Person | undefined): Person | undefined => (process.exit(1), person),
})
