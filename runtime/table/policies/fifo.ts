/** First in, first out: the entry that was inserted first goes first. Storing over an entry keeps its place. */
import { SingleList } from './policy.js'

export class Fifo extends SingleList {}
