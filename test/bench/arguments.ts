/** What `npm run bench -- …` understands. Anything else is refused before anything is timed. */
import { parseArgs } from 'node:util'

export interface Named {
  readonly name: string
  readonly group: string
  readonly needsTrace?: boolean
}

export interface Trace {
  readonly path: string
  /** Entries of the cache that it is replayed against. */
  readonly entries: number
}

export interface Arguments<F extends Named> {
  readonly figures: readonly F[]
  readonly rounds: number
  /** Short rounds: shows that everything runs; the numbers say little. */
  readonly quick: boolean
  readonly json: string
  readonly trace: Trace | undefined
}

export const FEWEST_ROUNDS = 5

/** Reads the command line. `--only` takes names of figures and of groups, separated by commas. */
export function readArguments<F extends Named>(argv: readonly string[], all: readonly F[]): Arguments<F> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: 'string', multiple: true },
      rounds: { type: 'string', default: String(FEWEST_ROUNDS) },
      json: { type: 'string', default: 'bench.json' },
      quick: { type: 'boolean', default: false },
      trace: { type: 'string' },
      entries: { type: 'string' },
    },
    allowPositionals: false,
  })
  const rounds = Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < FEWEST_ROUNDS) throw new RangeError(`--rounds is a whole number, at least ${FEWEST_ROUNDS}, not '${values.rounds}'`)
  if (values.json === '') throw new RangeError('--json is the path of a file')
  const trace = readTraceArguments(values.trace, values.entries)
  const chosen = values.only === undefined ? all : choose(values.only.join(','), all)
  const needing = chosen.find((figure) => figure.needsTrace === true)
  if (trace === undefined && needing !== undefined && values.only !== undefined) throw new RangeError(`${needing.name} needs --trace FILE --entries N`)
  return { figures: chosen.filter((figure) => trace !== undefined || figure.needsTrace !== true), rounds, quick: values.quick, json: values.json, trace }
}

function readTraceArguments(path: string | undefined, entries: string | undefined): Trace | undefined {
  if (path === undefined && entries === undefined) return undefined
  const count = Number(entries)
  if (path === undefined || path === '' || !Number.isSafeInteger(count) || count < 1) throw new RangeError('--trace FILE and --entries N go together: the file of a trace, and a whole number of entries')
  return { path, entries: count }
}

/** The figures of these names and groups, each once, in the order of the table. */
export function choose<F extends Named>(only: string, all: readonly F[]): F[] {
  const names = only.split(',').map((name) => name.trim())
  for (const name of names) {
    if (!all.some((figure) => figure.name === name || figure.group === name)) {
      const known = [...new Set(all.flatMap((figure) => [figure.group, figure.name]))].join(', ')
      throw new RangeError(`--only does not know '${name}'; it takes any of: ${known}`)
    }
  }
  return all.filter((figure) => names.includes(figure.name) || names.includes(figure.group))
}
