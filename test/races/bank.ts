/**
 * A bank of 100 accounts, and transfers from two threads, while the threads of shards and of the function pool are killed. Money is
 * neither made nor lost: not in any `getMany` of all accounts, not in any transaction, not at the end; and every call settles.
 *
 *     node dist/test/races/bank.js --transfers 10000 --kills 200 --seed 1
 */
import { startNode, type Cache } from 'scatterhoard'
import { setTimeout as sleep } from 'node:timers/promises'
import { bank } from './bank-functions.js'
import { transfer, transferOnThread, type TransferReport } from './bank-thread.js'
import { randomOf, runScript, Violations, type Outcome } from './script.js'
import { looksWhole, SHARDS } from './under-fire.js'

export interface Bank extends Record<string, number> {
  transfers: number
  kills: number
  seed: number
}

const ACCOUNTS = Array.from({ length: 100 }, (_, index) => `account:${index}`)
const OPENING = 100
const TOTAL = ACCOUNTS.length * OPENING

export async function transferUnderFire({ transfers, kills, seed }: Bank): Promise<Outcome> {
  const random = randomOf(seed)
  const violations = new Violations()
  await using node = await startNode({ shardThreads: SHARDS, pool: { threads: 2 } })
  const cache: Cache<number> = await node.startCache<number>('bank', {
    shards: SHARDS, memory: '16mb', limit: { policy: 'none' }, functions: [bank], supervision: { maxRestarts: 1e6, backoff: { then: 1, max: 1 } },
  })
  await cache.putMany(ACCOUNTS.map((account) => [account, OPENING]))
  // With this the pool stands.
  await cache.transaction(ACCOUNTS, bank.sum, { args: [ACCOUNTS] })
  const given = { accounts: ACCOUNTS, total: TOTAL, transfers: transfers / 2, inFlight: 16 }
  const over = new AbortController()
  const reports = Promise.all([transfer(cache, { ...given, seed: seed + 1 }), transferOnThread(cache, { ...given, seed: seed + 2 })]).finally(() => over.abort())

  const victims = ['cache:bank/shards/shard-0', 'cache:bank/shards/shard-1', 'functions/function-thread-0', 'functions/function-thread-1']
  let killed = 0
  for (; killed < kills && !over.signal.aborted; killed++) {
    await sleep(random(30))
    const victim = victims[random(victims.length)]!
    await node.kill(victim).catch((error: unknown) => violations.add(`killing ${victim}: ${String(error)}`))
    // One that is killed again before it stands would hold everything up, and try nothing.
    await cache.transaction(ACCOUNTS.slice(0, 2), bank.sum, { args: [ACCOUNTS.slice(0, 2)], timeout: 60_000 }).catch(() => undefined)
  }
  const [own, others] = await reports
  const balances = await cache.getMany(ACCOUNTS)
  const sum = balances.reduce<number>((total, balance) => total + (balance ?? NaN), 0)
  violations.check(sum === TOTAL, () => `the accounts hold ${sum} at the end, not ${TOTAL}`)
  violations.check(balances.every((balance) => balance! >= 0), () => 'an account is overdrawn')
  for (const report of [own, others]) checkReport(report, violations)
  for (let shard = 0; shard < SHARDS; shard++) looksWhole(node, `cache:bank/shards/shard-${shard}`, violations)
  // Nothing is locked any more.
  for (const account of ACCOUNTS) await cache.put(account, 0, { timeout: 5000 }).catch((error: unknown) => violations.add(`${account} is still locked: ${String(error)}`))
  return {
    figures: { killed, done: own.done + others.done, sums: own.sums + others.sums, errors: JSON.stringify([own.errors, others.errors]) },
    violations: violations.list,
  }
}

function checkReport({ wrongSums, errors, sums }: TransferReport, violations: Violations): void {
  violations.check(wrongSums.length === 0, () => `the accounts were seen to hold ${wrongSums.slice(0, 5).join(', ')}, not ${TOTAL}`)
  violations.check(sums > 0, () => 'no sum was seen')
  for (const what of Object.keys(errors)) {
    violations.check(/^(ERR_SHARD_CRASHED|ERR_FUNCTION_FAILED|ERR_ACTOR_CRASHED) /.test(what), () => `a call failed with ${what}`)
  }
}

await runScript(import.meta.url, { transfers: 10_000, kills: 200, seed: 1 }, transferUnderFire)
