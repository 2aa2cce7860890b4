/** What `npm run bench -- …` understands. Anything else is refused before anything is timed. */
import { parseArgs } from 'node:util'

export interface Named {
  readonly name: string
  readonly group: string
}

export interface Arguments<F extends Named> {
  readonly figures: readonly F[]
  readonly rounds: number
  /** Short rounds: shows that everything runs; the numbers say little. */
  readonly quick: boolean
  readonly json: string
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
    },
    allowPositionals: false,
  })
  const rounds = Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < FEWEST_ROUNDS) throw new RangeError(`--rounds is a whole number, at least ${FEWEST_ROUNDS}, not '${values.rounds}'`)
  if (values.json === '') throw new RangeError('--json is the path of a file')
  return { figures: values.only === undefined ? all : choose(values.only.join(','), all), rounds, quick: values.quick, json: values.json }
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
