/** A bank: what its transactions run. */
import { defineFunctions, type Transaction } from 'scatterhoard'

export const bank = defineFunctions('bank', import.meta.url, {
  /** Moves money if there is enough. Writes to one account, thinks, and writes to the other one. */
  transfer: async (tx: Transaction<number>, from: string, to: string, amount: number): Promise<boolean> => {
    const [source, target] = await tx.getMany([from, to])
    if (source === undefined || target === undefined || source < amount) return false
    await tx.put(from, source - amount)
    await new Promise(setImmediate)
    await tx.put(to, target + amount)
    return true
  },
  /** The sum of all accounts. */
  sum: async (tx: Transaction<number>, accounts: string[]): Promise<number> => {
    let total = 0
    for (const balance of await tx.getMany(accounts)) total += balance ?? NaN
    return total
  },
})
