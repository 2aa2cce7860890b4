/** Transfers from one thread: on the main thread, or on one attached to the cache. What it saw go wrong is its last message. */
import { attachCache, CacheError, type Cache, type CacheDescriptor } from 'scatterhoard'
import { once } from 'node:events'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { bank } from './bank-functions.js'
import { randomOf } from './script.js'

export interface Transfers {
  readonly accounts: readonly string[]
  /** What all accounts hold together. */
  readonly total: number
  readonly transfers: number
  readonly inFlight: number
  readonly seed: number
}

export interface TransferReport {
  done: number
  /** Errors by code and outcome. */
  readonly errors: Record<string, number>
  sums: number
  readonly wrongSums: number[]
}

const TIMEOUT_MS = 60_000

export async function transfer(cache: Cache<number>, { accounts, total, transfers, inFlight, seed }: Transfers): Promise<TransferReport> {
  const random = randomOf(seed)
  const report: TransferReport = { done: 0, errors: {}, sums: 0, wrongSums: [] }
  const attempt = async <T>(call: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof CacheError)) throw error
      const what = `${error.code} ${error.outcome}`
      report.errors[what] = (report.errors[what] ?? 0) + 1
      return undefined
    }
  }
  const see = (sum: number | undefined): void => {
    if (sum === undefined) return
    report.sums++
    if (sum !== total) report.wrongSums.push(sum)
  }
  let left = transfers
  const line = async (): Promise<void> => {
    while (left-- > 0) {
      const from = random(accounts.length)
      const to = (from + 1 + random(accounts.length - 1)) % accounts.length
      const [a, b] = [accounts[from]!, accounts[to]!]
      if (await attempt(() => cache.transaction([a, b], bank.transfer, { args: [a, b, random(30)], timeout: TIMEOUT_MS })) !== undefined) report.done++
      if (left % 20 === 0) {
        const balances = await attempt(() => cache.getMany(accounts, { timeout: TIMEOUT_MS }))
        see(balances?.reduce<number>((sum, balance) => sum + (balance ?? NaN), 0))
      }
      if (left % 200 === 0) see(await attempt(() => cache.transaction(accounts, bank.sum, { args: [[...accounts]], timeout: TIMEOUT_MS })))
    }
  }
  await Promise.all(Array.from({ length: inFlight }, line))
  return report
}

/** The same on a thread of its own. */
export async function transferOnThread(cache: Cache<number>, transfers: Transfers): Promise<TransferReport> {
  const { descriptor, transfer: transferList } = cache.attachment()
  const worker = new Worker(new URL(import.meta.url), { workerData: { bank: { descriptor, transfers } }, transferList })
  const exited = once(worker, 'exit')
  const [report] = await once(worker, 'message') as [TransferReport]
  await exited
  return report
}

const given = (workerData as { bank?: { descriptor: CacheDescriptor; transfers: Transfers } } | null)?.bank
if (parentPort !== null && given !== undefined) {
  const report = await transfer(await attachCache<number>(given.descriptor), given.transfers)
  parentPort.postMessage(report)
}
