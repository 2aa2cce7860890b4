/**
 * Machines for nodes: network namespaces with an address each, whose cables meet in a bridge that has a namespace of its own. All of it is made and
 * changed with `ip`, as root, and nothing of it is in the network of this machine.
 *
 *     hub   bridge ── to-a     to-b     to-c
 *                      │        │        │         pairs of virtual interfaces
 *     a, b, c        eth0     eth0     eth0        10.77.0.1, .2, .3
 *
 * Who is where is written down in each (permanent neighbours), so that nobody has to ask for an address again when a cable is back: how long the
 * system takes for that is not what is tested.
 */
import { execFileSync } from 'node:child_process'
import { freePort } from '../../bridge/free-port.js'

const PORT = 7100
const NETWORK = '10.77.0'
/** Of nobody. */
const NOWHERE = '02:00:00:00:00:ff'

let made = 0

/** What a node's process is started by, and where it listens. */
export interface Machines {
  readonly names: readonly string[]
  address(name: string): string
  /** What to put before a command that is to run there. */
  command(name: string): readonly string[]
  remove(): void
}

export class NetworkMachines implements Machines {
  readonly names: readonly string[]
  readonly #prefix = `hoard-${process.pid}-${++made}`
  readonly #spaces: string[] = []
  readonly #removeAtExit = (): void => this.remove()

  /** Throws if this system lets nobody make namespaces, or has no `ip`. */
  constructor(names: readonly string[]) {
    this.names = names
    process.once('exit', this.#removeAtExit)
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, this.#interrupted)
    try {
      this.#make()
    } catch (error) {
      this.remove()
      throw new Error('network namespaces need Linux, root and the command ip (iproute2)', { cause: error })
    }
  }

  readonly #interrupted = (): void => process.exit(130)

  #make(): void {
    this.#addSpace('hub')
    this.#in('hub', 'link add bridge type bridge')
    this.#in('hub', 'link set bridge up')
    for (const [index, name] of this.names.entries()) {
      this.#addSpace(name)
      this.#in('hub', `link add ${cable(name)} type veth peer name eth0 netns ${this.#space(name)}`)
      this.#in(name, `link set eth0 address ${hardware(index)}`)
      this.#in(name, `address add ${NETWORK}.${index + 1}/24 dev eth0`)
      this.#in(name, 'link set lo up')
      this.#in(name, 'link set eth0 up')
      this.plugIn(name)
      this.lift(name)
    }
    for (const name of this.names) this.findAll(name)
  }

  address(name: string): string {
    return `${NETWORK}.${this.names.indexOf(name) + 1}:${PORT}`
  }

  command(name: string): readonly string[] {
    return ['ip', 'netns', 'exec', this.#space(name)]
  }

  /** Takes the cable out of the hub: nothing passes, and neither end is told. */
  unplug(name: string): void {
    this.#in('hub', `link set ${cable(name)} nomaster`)
  }

  plugIn(name: string): void {
    this.#in('hub', `link set ${cable(name)} master bridge`)
  }

  /** Switches the cable off: nothing passes, and the machine's own end has no carrier. */
  drop(name: string): void {
    this.#in('hub', `link set ${cable(name)} down`)
  }

  lift(name: string): void {
    this.#in('hub', `link set ${cable(name)} up`)
  }

  /** What `from` sends to `to` gets lost from now on; what comes from there arrives. */
  lose(from: string, to: string): void {
    this.#neighbour(from, to, NOWHERE)
  }

  /** What that machine sends arrives again, wherever it is for. */
  findAll(from: string): void {
    for (const [index, to] of this.names.entries()) if (to !== from) this.#neighbour(from, to, hardware(index))
  }

  remove(): void {
    process.off('exit', this.#removeAtExit)
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, this.#interrupted)
    for (const space of this.#spaces.splice(0)) ip(`netns delete ${space}`)
  }

  #space(name: string): string {
    return `${this.#prefix}-${name}`
  }

  #addSpace(name: string): void {
    ip(`netns add ${this.#space(name)}`)
    this.#spaces.push(this.#space(name))
  }

  #neighbour(from: string, to: string, address: string): void {
    this.#in(from, `neighbour replace ${NETWORK}.${this.names.indexOf(to) + 1} lladdr ${address} dev eth0 nud permanent`)
  }

  #in(name: string, words: string): void {
    ip(`-n ${this.#space(name)} ${words}`)
  }
}

/** Nodes on this machine, each with a port of its own: for what needs no cables. */
export async function localMachines(names: readonly string[]): Promise<Machines> {
  const addresses: Record<string, string> = {}
  for (const name of names) addresses[name] = `127.0.0.1:${await freePort()}`
  return { names, address: (name) => addresses[name]!, command: () => [], remove: () => undefined }
}

function cable(name: string): string {
  return `to-${name}`
}

function hardware(index: number): string {
  return `02:00:00:00:00:0${index + 1}`
}

function ip(words: string): void {
  execFileSync('ip', words.split(' '), { stdio: ['ignore', 'ignore', 'pipe'] })
}
