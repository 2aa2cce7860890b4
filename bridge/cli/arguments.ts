/** Arguments of the command line, and the help on them. What is wrong with them is a `UsageError`; what is wrong with a value the library says. */
import { parseArgs } from 'node:util'

/** The command was called wrongly. */
export class UsageError extends Error {}

/** How an option is given: with a text, with texts, as often as wanted, or alone. */
export type OptionKind = 'text' | 'texts' | 'flag'

/** The options of a command that were given. */
export interface Arguments {
  text(name: string): string | undefined
  texts(name: string): readonly string[]
  flag(name: string): boolean
}

/** What people try to hand over a secret with. */
const SECRETS = ['secret', 'password', 'token', 'passphrase', 'nats-password', 'nats-token']

/** Reads them. Throws `UsageError` for what is unknown, given twice, or without its value; a value is in no message. */
export function readArguments(args: readonly string[], options: Readonly<Record<string, OptionKind>>): Arguments {
  for (const argument of args) {
    const name = argument.replace(/^--/, '').split('=', 1)[0]!
    if (argument.startsWith('--') && SECRETS.includes(name)) throw new UsageError(`a secret is never an argument, because everybody on the machine can read it: use a file or the environment instead of --${name}`)
  }
  const values = parse(args, options)
  for (const [name, given] of Object.entries(values)) {
    if (options[name] === 'text' && given !== undefined && given.length > 1) throw new UsageError(`--${name} is given more than once`)
  }
  const texts = (name: string): string[] => (values[name] ?? []).map(String)
  return { texts, text: (name) => texts(name)[0], flag: (name) => values[name] !== undefined }
}

function parse(args: readonly string[], options: Readonly<Record<string, OptionKind>>): Record<string, (string | boolean)[] | undefined> {
  const config = Object.fromEntries(Object.entries(options).map(([name, kind]) => [name, { type: kind === 'flag' ? 'boolean' : 'string', multiple: true as const } as const]))
  try {
    return { ...parseArgs({ args: [...args], options: config, strict: true, allowPositionals: false }).values }
  } catch (error) {
    // What stands alone may be anything that was mistyped.
    if ((error as NodeJS.ErrnoException).code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL') throw new UsageError('there is an argument that belongs to no option')
    throw new UsageError((error as Error).message.split('. ')[0])
  }
}

const CONNECTION = `How nodes know each other
  --secret-file FILE      what all nodes know, at least 16 bytes; no others may read the file. Or the environment: SCATTERHOARD_SECRET
  --cluster NAME          nodes of different clusters do not talk to each other (scatterhoard)
  --tls-cert FILE --tls-key FILE --tls-ca FILE
                          TLS 1.3 with the certificate of this node, whose name is a DNS name in it, and the authority of all; with --nats, to the server
  --nats SERVER           over a NATS server, such as nats://10.0.0.9:4222, instead of TCP; as often as there are servers. Who may use it is told by the
                          environment: SCATTERHOARD_NATS_USER and SCATTERHOARD_NATS_PASSWORD, or SCATTERHOARD_NATS_TOKEN
  --nats-prefix WORD      the first part of all subjects (scatterhoard)`

export const HELP = {
  all: `Usage: scatterhoard node …      runs a node
       scatterhoard status …    shows how a node is doing
       scatterhoard --version

'scatterhoard COMMAND --help' tells the options of a command.`,
  node: `Usage: scatterhoard node --name NAME (--listen ADDRESS | --nats SERVER) --cache NAME … [options]

Runs a node until it gets SIGINT or SIGTERM, which stop it cleanly; a second one ends it at once.

  --name NAME             the name of this node; each node has its own
  --listen ADDRESS        10.0.0.1:7100, [::1]:7100, a port of this machine, or the path of a Unix socket
  --peer NAME=ADDRESS     another node; with --nats only its NAME. As often as there are others. The node itself may be among them
  --nodes NAME,NAME,…     the nodes that run the caches (this one and its peers)
  --start-with WHICH      which of them have to be there before it starts: all, majority, any (all)
  --connect-timeout TIME  how long they are waited for: 5000, 5s (5s)
  --failure-timeout TIME  how long a node may give no sign of life before it is down (5s)
  --shard-threads N       threads of all shards (cores - 1)
  --allow NAMES           functions that other nodes may call, such as 'people.*'; as often as wanted (all that are loaded)

${CONNECTION}

What it runs
  --cache NAME            a cache; as often as there are caches. The options below hold for all of them
  --memory BYTES          64mb, 1gb (256mb)
  --shards N              (as --shard-threads)
  --router NAME           jump, ring, rendezvous, mod, local (jump)
  --policy NAME           what goes when it is full: s3-fifo, w-tinylfu, lru, lrw, fifo, none (s3-fifo)
  --expire TIME           time to live of entries that are put without one: 5m (none)
  --functions FILE        a module of functions; as often as wanted
  --config FILE           JSON: options of startCache by name of cache, { "users": { "memory": "1gb" } }; they go before those above. Paths of
                          modules are seen from the file

  --json                  what happens as a line of JSON each`,
  status: `Usage: scatterhoard status --connect ADDRESS [options]
       scatterhoard status --nats SERVER --connect NAME [options]

Asks a running node how it is doing, and shows the nodes that it knows, its caches with their sizes, its mailboxes and its tree. Who asks
proves to know the secret, or has a certificate of the authority, as nodes do; it does not become a node.

  --connect ADDRESS       where the node listens: 10.0.0.1:7100, [::1]:7100, a port of this machine, or the path of a Unix socket; with --nats its name
  --local                 without the other nodes
  --timeout TIME          how long it has to answer: 5000, 5s (5s)
  --json                  all of it as one object of JSON

${CONNECTION}`,
} as const
