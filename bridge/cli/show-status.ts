/** What a node says of itself, as text for people: tables with a heading each, and the tree. */
import { formatBytes } from '../../actors/options.js'
import { formatTree } from '../../runtime/supervision/supervision-tree.js'
import type { NodeStatus } from '../peers/node-report.js'

const numbers = new Intl.NumberFormat('en')

export function showStatus({ node, cluster, transport, tls, address, incarnation, process, peers, caches, mailboxes, tree, missing }: NodeStatus): string {
  const lines = [
    `node ${node} of ${cluster}: process ${process.pid}, up ${time(process.uptimeMs)}, ${formatBytes(process.rssBytes)}`,
    '',
    ...table(['NODE', 'STATE', 'INCARNATION', 'SESSIONS', ''], [
      [node, 'this one', String(incarnation), '', `${transport}${tls ? ' with TLS' : ''}${address === null ? '' : ` at ${address.replace(/^nats /, '')}`}`],
      ...peers.map((peer) => [peer.node, peer.state, peer.incarnation === 0 ? '' : String(peer.incarnation), numbers.format(peer.sessions), peer.state === 'up' ? '' : peer.error ?? '']),
    ], [2, 3]),
    '',
    ...table(['CACHE', 'ROUTER', 'NODES', 'ENTRIES', 'BYTES', 'OF', 'SHARDS'], caches.map(({ name, router, nodes, entries, bytesUsed, capacityBytes, shards }) => [
      name, router, nodes.join(','), numbers.format(entries), formatBytes(bytesUsed), formatBytes(capacityBytes), numbers.format(shards.length),
    ]), [3, 4, 5, 6]),
    '',
    ...table(['MAILBOX', 'THREADS', 'MESSAGES', 'FULLEST', 'OF', 'BYTES'], mailboxes.map(({ actor, lanes, messages, fullest, bytes, capacity }) => [
      actor, numbers.format(lanes), numbers.format(messages), numbers.format(fullest), numbers.format(capacity.messages), formatBytes(bytes),
    ]), [1, 2, 3, 4, 5]),
    ...tree === null ? [] : ['', ...formatTree(tree).split('\n')],
    ...missing.length === 0 ? [] : ['', `did not come in time: ${missing.join(', ')}`],
  ]
  return lines.map(printed).join('\n')
}

/** Names are other people's: what would order a terminal about is not printed. */
function printed(line: string): string {
  return line.replace(/\p{C}/gu, '\uFFFD')
}

/** Lines of columns; those of `right` end below each other. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], right: readonly number[]): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)))
  return [head, ...rows].map((row) => row.map((cell, column) => right.includes(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)).join('  ').trimEnd())
}

const UNITS = [['d', 86_400_000], ['h', 3_600_000], ['min', 60_000], ['s', 1000]] as const

function time(ms: number): string {
  const [unit, unitMs] = UNITS.find(([, unitMs]) => ms >= unitMs) ?? UNITS[3]
  return `${Math.floor(ms / unitMs)} ${unit}`
}
