import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'

/** What each example has to print, in this order. */
const EXAMPLES: Record<string, RegExp[]> = {
  'quickstart': [
    /^Loading \d+ packages from disk, in \d+ threads that share one cache/m,
    /─ cache:packages +rest_for_one/,
    /^Killing the thread of cache:packages\/shards\/shard-\d+/m,
    /─ shard-\d+ .*1 restart$/m,
    /^from disk +([\d,]+) +\1 +[\d.]+ ms$/m,
    /^from cache +[\d,]+ +0 +[\d.]+ µs$/m,
    /^ +[\d,]+ reads a second by \d+ threads, beside [\d,]+ writes$/m,
    /^ +0 failed reads$/m,
    /^ +0 lost entries of [1-9]\d*$/m,
    /^ +[\d,]+ ms until it wrote again$/m,
    /^Nothing was lost\.$/m,
  ],
  'own-actor': [
    /^asked: 78498 primes below a million$/m,
    /^refused: there are no primes below -1$/m,
    /^ {3}└─ calculator +on office\/calculator$/m,
    /^crashed: ERR_ACTOR_CRASHED, outcome unknown$/m,
    /^watched: office\/calculator \(error\)$/m,
    /^asked again: 168 primes below 1000$/m,
    /─ calculator .*1 restart$/m,
    /^stopped: office\/calculator \(shutdown\), then office\/journal \(shutdown\)$/m,
  ],
  'http-service': [
    /^first +0 +4 +[\d.]+ ms$/m,
    /^again +12 +0 +[\d.]+ ms$/m,
    /^expired +0 +4 +[\d.]+ ms$/m,
    /^piscina +5 times$/m,
    /^stopped$/m,
  ],
  'read-through': [
    /^a database of 40 authors and 20000 books$/m,
    /^first +2000 answers +40 loads +\d+ ms$/m,
    /^again +2000 answers +0 loads +\d+ ms$/m,
    /^Author 0: 500 books, \d+ pages, the latest 2019 Volume 479$/m,
    /^Nobody: not there, which the cache knows for \d+ s$/m,
  ],
  'hooks-and-warmers': [
    /^warm +[1-9]\d* packages before the first request, mocha \d+\.\d+\.\d+ among them$/m,
    /^put +[1-9]\d* under MIT, 1 under WTFPL$/m,
    /^taken +[1-9]\d* under MIT, 0 under WTFPL$/m,
    /^renamed +ms to milliseconds; chai to mocha not: there is a package mocha$/m,
    /^event +\["expired","brief"\]$/m,
    /^journal +put left-pad, take left-pad, take ms, put milliseconds, put brief, expired brief$/m,
  ],
  'two-nodes': [
    /^on a: \w+/m,
    /^on b: \w+/m,
    /^all +10 of them; on a alone \d$/m,
    /^get +\w+: 1 visit, read from b$/m,
    /^tags +\{(\w+)\}:home and \{\1\}:work are both on b$/m,
    /^apart .*: ERR_CROSS_SLOT, outcome none$/m,
    /^event b is down$/m,
    /^get +\w+: ERR_NODE_DOWN, outcome none$/m,
    /^get +\w+: 1 visit$/m,
    /^size +ERR_PARTIAL: \d on the others$/m,
    /^event b is up$/m,
    /^again \w+: 1 visit$/m,
  ],
  'transactions': [
    /^ada pays bob 30 +ada 70, bob 130$/m,
    /^ada pays bob 1000 +ada 70, bob 130: ada has 70, not 1000$/m,
    /^ada pays eve +ada 70, eve 100: ERR_KEY_NOT_LOCKED$/m,
    /^killing the thread of cache:accounts\/shards\/shard-0 /m,
    /^ada \d+, bob \d+, .*kim \d+$/m,
    /^ +[1-9]\d* transfers made$/m,
    /^ +[1-9]\d* audits found 1200 in all accounts, and none anything else$/m,
    /─ shard-0 .*1 restart$/m,
  ],
}

describe('examples', () => {
  for (const [name, lines] of Object.entries(EXAMPLES)) {
    it(`${name} runs, shows what it says, and ends by itself`, async () => {
      const { code, output, errors } = await run(name)
      expect(errors).to.equal('')
      expect(code, output).to.equal(0)
      let rest = output
      for (const line of lines) {
        expect(rest).to.match(line)
        const { index, 0: { length } } = line.exec(rest)!
        rest = rest.slice(index + length)
      }
    })
  }
})

function run(example: string): Promise<{ code: number | null; output: string; errors: string }> {
  const file = fileURLToPath(new URL(`../../examples/${example}/main.js`, import.meta.url))
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [file], { timeout: 25_000 }, (_error, output, errors) => {
      resolve({ code: child.exitCode, output, errors })
    })
  })
}
