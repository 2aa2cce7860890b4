/** The table that the benchmark prints, and the rows that it also writes as JSON. */

/** What has to be reached: of the ratio where there is a peer, of our own number where there is none. */
export type Target = { readonly atLeast: number } | { readonly atMost: number }

export interface Row {
  figure: string
  unit: 'op/s' | 'ms' | 'bytes' | 'count' | 'percent'
  ours?: number
  peer?: string
  theirs?: number
  /** Ours by theirs, of the medians over the rounds. */
  ratio?: number
  /** The median of the ratios within each round. */
  pairedRatio?: number
  target?: Target
  met?: boolean
  detail?: string
}

const HEAD = ['figure', 'ours', 'peer', "peer's", 'ratio', 'by round', 'target', 'met'] as const

/** Columns that hold numbers stand to the right. */
const RIGHT = new Set<number>([1, 3, 4, 5])

export function formatTable(rows: readonly Row[]): string {
  const lines = [[...HEAD], ...rows.map(cells)]
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  const print = (line: readonly string[]): string => line.map((cell, i) => (RIGHT.has(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join('  ').trimEnd()
  const rule = widths.map((width) => '-'.repeat(width)).join('  ')
  const printed = [print(lines[0]!), rule]
  for (const [i, row] of rows.entries()) {
    printed.push(print(lines[i + 1]!))
    if (row.detail !== undefined) printed.push(`  ${row.detail}`)
  }
  return printed.join('\n')
}

function cells(row: Row): string[] {
  const versus = row.peer !== undefined
  return [
    row.figure,
    formatValue(row.ours, row.unit),
    row.peer ?? '–',
    formatValue(row.theirs, row.unit),
    row.ratio === undefined ? '–' : formatRatio(row.ratio),
    row.pairedRatio === undefined ? '–' : formatRatio(row.pairedRatio),
    row.target === undefined ? '–' : formatTarget(row.target, versus, row.unit),
    row.met === undefined ? '–' : row.met ? 'yes' : 'NO',
  ]
}

function formatTarget(target: Target, versus: boolean, unit: Row['unit']): string {
  const [sign, value] = 'atLeast' in target ? ['≥', target.atLeast] : ['≤', target.atMost]
  return `${sign} ${versus ? `${Number(value.toFixed(2))} ×` : formatValue(value, unit)}`
}

function formatRatio(ratio: number): string {
  return ratio >= 100 ? ratio.toFixed(0) : ratio < 0.1 ? ratio.toFixed(3) : ratio.toFixed(2)
}

export function formatValue(value: number | undefined, unit: Row['unit']): string {
  if (value === undefined) return '–'
  switch (unit) {
    case 'op/s':
      return value >= 1e6 ? `${(value / 1e6).toFixed(2)} M/s` : `${(value / 1e3).toFixed(value >= 1e5 ? 0 : 1)} k/s`
    case 'ms':
      return value < 1 ? `${(value * 1000).toFixed(1)} µs` : `${value.toFixed(value < 100 ? 1 : 0)} ms`
    case 'bytes':
      return `${value.toFixed(1)} B`
    case 'count':
      return String(value)
    case 'percent':
      return `${value.toFixed(2)} %`
  }
}
