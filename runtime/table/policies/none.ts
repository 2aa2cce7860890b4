/** Nothing goes: a full table refuses what is new. */
import { SingleList } from './policy.js'

export class NoEviction extends SingleList {
  override victim(): number {
    return 0
  }
}
