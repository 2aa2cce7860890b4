/**
 * `npm run bench`: times the cache beside its peers, prints the table, and writes it as JSON. Ends with 1 if a figure could
 * not be measured or an argument was refused; a target that was not met is a row of the table, because a shared machine's
 * numbers are no ground to fail a build.
 *
 *   --only get,put    figures or groups, by name
 *   --rounds 7        interleaved rounds, at least 5
 *   --quick           short rounds, to see that everything runs
 *   --json FILE       bench.json in the working directory
 *   --trace FILE --entries N   the trace that `hit-ratio` replays, and the entries of its caches
 */
import { writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { readArguments, type Arguments } from './arguments.js'
import { figures } from './figures.js'
import { Setting, type Figure } from './setting.js'
import { formatTable, type Row } from './table.js'

function argumentsOrExit(): Arguments<Figure> {
  try {
    return readArguments(process.argv.slice(2), figures)
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  }
}

const chosen = argumentsOrExit()
const notes: string[] = []
const rows: Row[] = []
const failures: string[] = []
const setting = new Setting(chosen, (line) => {
  notes.push(line)
  console.log(line)
})

// Peers' servers end with this process, also when it is interrupted.
process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))

for (const figure of chosen.figures) {
  const start = performance.now()
  try {
    rows.push(...(await figure.run(setting)))
    console.log(`${figure.name}: ${((performance.now() - start) / 1000).toFixed(1)} s`)
  } catch (error) {
    failures.push(figure.name)
    console.error(`${figure.name} could not be measured:`, error)
  }
}
await setting.close()

console.log(`\n${formatTable(rows)}\n`)
const { model = 'unknown' } = cpus()[0] ?? {}
const machine = { node: process.version, platform: `${process.platform}-${process.arch}`, cores: availableParallelism(), cpu: model }
const { rounds, sliceMs, quick } = setting
writeFileSync(chosen.json, `${JSON.stringify({ at: new Date().toISOString(), machine, rounds, sliceMs, quick, notes, failures, rows }, null, 2)}\n`)
console.log(`Node ${process.version}, ${machine.cores} cores, median of ${rounds} rounds of ${sliceMs} ms${quick ? ' (--quick: the numbers say little)' : ''}; written to ${chosen.json}`)
if (failures.length > 0) {
  console.error(`not measured: ${failures.join(', ')}`)
  process.exitCode = 1
}
