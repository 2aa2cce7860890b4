/** What transactions of the bank run, in the node's pool of function threads. */
import { defineFunctions, type Transaction } from 'scatterhoard'

export const bank = defineFunctions('bank', import.meta.url, {
  /** Moves money. Takes it first and looks then whether it was there: an error undoes all that the transaction wrote. */
  async transfer(tx: Transaction<number>, from: string, to: string, amount: number): Promise<void> {
    const left = await tx.decr(from, amount)
    await tx.incr(to, amount)
    if (left < 0) throw new RangeError(`${from} has ${left + amount}, not ${amount}`)
  },
})
