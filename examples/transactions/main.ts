/**
 * A bank whose accounts lie in several shards. Every transfer is a transaction over two of them: both sides change at once, or neither does.
 * An auditor adds up all accounts while transfers run and while a shard is killed, and never finds a cent too few or too many.
 *
 *     npm run build && node dist/examples/transactions/main.js
 */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { CacheError, formatTree, startNode } from 'scatterhoard'
import { bank } from './bank.js'

const ACCOUNTS = ['ada', 'bob', 'eve', 'tom', 'ida', 'max', 'lea', 'jan', 'mia', 'ben', 'zoe', 'kim']
const OPENING = 100
const TOTAL = ACCOUNTS.length * OPENING
const TRANSFERS = 200
/** So many run at a time. */
const CLERKS = 8

const node = await startNode({ name: 'bank', shardThreads: 3 })
const accounts = await node.startCache<number>('accounts', { memory: '16mb', limit: { policy: 'none' }, functions: [bank] })
await accounts.putMany(ACCOUNTS.map((account) => [account, OPENING]))

await accounts.transaction(['ada', 'bob'], bank.transfer, { args: ['ada', 'bob', 30] })
console.log(`ada pays bob 30      ada ${accounts.getSync('ada')}, bob ${accounts.getSync('bob')}`)

// What the function throws is the cause. What it had written is as if it had never been.
const refusal = await accounts.transaction(['ada', 'bob'], bank.transfer, { args: ['ada', 'bob', 1000] }).catch((error: unknown) => error)
assert(refusal instanceof CacheError && refusal.code === 'ERR_FUNCTION_FAILED' && refusal.cause instanceof RangeError)
console.log(`ada pays bob 1000    ada ${accounts.getSync('ada')}, bob ${accounts.getSync('bob')}: ${refusal.cause.message}`)

// A key that was not listed is not locked, and not to be had.
const stranger = await accounts.transaction(['ada', 'bob'], bank.transfer, { args: ['ada', 'eve', 1] }).catch((error: unknown) => error)
assert(stranger instanceof CacheError && stranger.code === 'ERR_KEY_NOT_LOCKED')
console.log(`ada pays eve         ada ${accounts.getSync('ada')}, eve ${accounts.getSync('eve')}: ${stranger.code}\n`)

console.log(`${TRANSFERS} transfers, ${CLERKS} at a time, and an auditor ...`)
const done = { moved: 0, refused: 0, repeated: 0 }
let open = TRANSFERS
let audits = 0
const clerks = Promise.all(Array.from({ length: CLERKS }, work))
const auditing = audit()
await half()
const victim = (await accounts.inspect('shards'))[0]!.actor
console.log(`killing the thread of ${victim} ...\n`)
await node.kill(victim)
await clerks
await auditing

const balances = await accounts.getMany(ACCOUNTS)
console.log(ACCOUNTS.map((account, index) => `${account} ${balances[index]}`).join(', '))
console.log(`
${String(done.moved).padStart(6)} transfers made
${String(done.refused).padStart(6)} refused for want of money
${String(done.repeated).padStart(6)} undone by the crash, and made again
${String(audits).padStart(6)} audits found ${TOTAL} in all accounts, and none anything else

${formatTree(await node.tree())}`)
assert.equal(done.moved + done.refused, TRANSFERS)
assert.equal(sum(balances), TOTAL)
assert(balances.every((balance) => balance! >= 0))
await node.stop()

/** Makes one transfer after the other between accounts drawn by lot. */
async function work(): Promise<void> {
  while (open-- > 0) {
    const from = draw(ACCOUNTS)
    const to = draw(ACCOUNTS.filter((account) => account !== from))
    await transfer(from, to, 1 + Math.floor(Math.random() * 40))
  }
}

async function transfer(from: string, to: string, amount: number): Promise<void> {
  for (;;) {
    try {
      await accounts.transaction([from, to], bank.transfer, { args: [from, to, amount] })
      done.moved++
      return
    } catch (error) {
      if (!(error instanceof CacheError)) throw error
      if (error.cause instanceof RangeError) {
        done.refused++
        return
      }
      // A message of the transaction's met the crash, or one of its function's, which then failed. Nothing of the transfer has happened: it may be made again.
      const crash = error.code === 'ERR_FUNCTION_FAILED' ? error.cause : error
      if (!(crash instanceof CacheError) || crash.code !== 'ERR_SHARD_CRASHED') throw error
      done.repeated++
    }
  }
}

/** All accounts, as of one moment each time. */
async function audit(): Promise<void> {
  while (done.moved + done.refused < TRANSFERS) {
    assert.equal(sum(await accounts.getMany(ACCOUNTS)), TOTAL)
    audits++
    await delay(2)
  }
}

async function half(): Promise<void> {
  while (open > TRANSFERS / 2) await delay(1)
}

function sum(amounts: (number | undefined)[]): number {
  return amounts.reduce<number>((total, amount) => total + amount!, 0)
}

function draw<T>(from: readonly T[]): T {
  return from[Math.floor(Math.random() * from.length)]!
}
