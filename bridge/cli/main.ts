#!/usr/bin/env node
/**
 * The command `scatterhoard`, on the main thread of a process of its own. Exits with 0 when all went well, with 1 after an error of the library,
 * in one line with its code, and with 2 if it was called wrongly.
 *
 * Secrets come from files or the environment, never from arguments, which every user of a machine can read.
 */
import { createRequire } from 'node:module'
import { HELP, readArguments, UsageError } from './arguments.js'
import { NODE_OPTIONS, runNode } from './node-command.js'
import { runStatus, STATUS_OPTIONS } from './status-command.js'
import { showError } from './show-error.js'

const [command, ...args] = process.argv.slice(2)
const wantsHelp = args.includes('--help') || args.includes('-h')

function version(): string {
  return (createRequire(import.meta.url)('scatterhoard/package.json') as { version: string }).version
}

async function run(): Promise<void> {
  switch (command) {
    case '--version': case '-v': return console.log(version())
    case '--help': case '-h': case 'help': return console.log(HELP.all)
    case 'node': return wantsHelp ? console.log(HELP.node) : runNode(readArguments(args, NODE_OPTIONS))
    case 'status': return wantsHelp ? console.log(HELP.status) : runStatus(readArguments(args, STATUS_OPTIONS))
    default: throw new UsageError(command === undefined ? 'a command is missing: node or status' : 'there is no such command, only node and status')
  }
}

try {
  await run()
} catch (error) {
  const isUsage = error instanceof UsageError
  console.error(isUsage ? `scatterhoard: ${error.message}\nSee 'scatterhoard ${command === 'node' || command === 'status' ? `${command} ` : ''}--help'.` : showError(error, args.includes('--json')))
  process.exitCode = isUsage ? 2 : 1
}
