/**
 * Transactions over the table's protocol, modelled: blocks that are prepared beside the entries that they will replace, one
 * store that commits them all, writers that may be killed between any two steps, and readers of one key or of several at one
 * moment. What the table does without transactions is `table-model.ts`; here a block is filled in one step.
 *
 *   slot ──▶ free | running | committed | aborted          one word, shared by all tables
 *   bucket ──▶ prepared block (tag: the slot) ──▶ entry of its key (tag 0) ──▶ nil
 *
 * OWNER of a transaction
 *
 *   1. slot := running, let the writers prepare    2. slot := committed, when all have; or aborted, for whatever reason
 *   3. let them finish or undo                     4. slot := free, when all have; now it may be another's
 *
 * WRITER of a table, for each of its keys; after it was killed while it finished or undid, the next one does so by the slot
 *
 *   2. prepare: fill a block with the tag, publish it in front of the entry, bump
 *   3. finish:  bump, since a reader that has passed the block over before the commit counts on the entry; take the entry out of
 *               the chain; tag := 0, bump, free. A removal: take the entry and the block out of the chain, bump, free
 *      undo:    take the prepared block out of the chain, bump, free
 *
 * READ of a key: load the version, walk the chain, load the version again. A block with a tag is what the key holds if the slot
 * is committed, and passed over otherwise.
 *
 * SNAPSHOT of several keys: read each; then, for each, see whether the version is the one seen and whether the chain leads to the same
 * block under it; read anew those that fail, and look at all once more. It ends after a round in which none failed.
 *
 * What is checked: in every state, that a read that took no time would see what is committed; and of every accepted read or snapshot,
 * that what it returns is what the keys held at one moment between its beginning and its end.
 */
import { layout, type Model, type OfferStep, type State } from './model-checker.js'

/** What a transaction does to each of the two keys; or a put outside of any. */
export type Item = { readonly transaction: readonly ['put' | 'remove' | 'leave', 'put' | 'remove' | 'leave'] } | { readonly put: 0 | 1 }

type Instruction = 'fill' | 'publish' | 'bump' | 'unlink' | 'untag' | 'take out' | 'free'

export interface PreparedPrograms {
  readonly tasks: Readonly<Record<'put' | 'prepare' | 'finish' | 'finish removal' | 'undo', readonly Instruction[]>>
  readonly repair: readonly ('bump' | 'rebuild')[]
  /** What a new writer does with what it finds prepared. */
  readonly resolve: 'by the slot' | 'undo' | 'nothing'
  readonly commit: 'when all have prepared' | 'when one has'
  readonly release: 'when all have finished' | 'at once'
  /** What a reader makes of a block with a tag. */
  readonly reader: 'by the slot' | 'counts' | 'passes over' | 'passes over removals'
  /** What a snapshot looks at again. */
  readonly snapshot: 'chains' | 'versions' | 'nothing'
}

/** The protocol as it is meant. */
export const PREPARED_PROGRAMS: PreparedPrograms = {
  tasks: {
    'put': ['fill', 'publish', 'bump', 'free'],
    'prepare': ['fill', 'publish', 'bump'],
    'finish': ['bump', 'unlink', 'untag', 'bump', 'free'],
    'finish removal': ['unlink', 'take out', 'bump', 'free'],
    'undo': ['take out', 'bump', 'free'],
  },
  repair: ['bump', 'rebuild'],
  resolve: 'by the slot',
  commit: 'when all have prepared',
  release: 'when all have finished',
  reader: 'by the slot',
  snapshot: 'chains',
}

export interface PreparedConfig {
  readonly name: string
  /** The writer, the bucket and the version of each of the two keys. Writers have no bucket and no version in common. */
  readonly writerOfKey: readonly [number, number]
  readonly bucketOfKey: readonly [number, number]
  readonly versionOfKey: readonly [number, number]
  /** What happens, one after the other; item i, from 0, writes the value i + 2. At most 6. */
  readonly items: readonly Item[]
  /** Keys that are there at first, with the value 1. */
  readonly present: readonly (0 | 1)[]
  /** Blocks of each writer. */
  readonly blocks: number
  readonly reads: 'one key' | 'snapshot'
  /** How often a read starts anew, or a snapshot looks at something anew, before it gives up. */
  readonly retries: number
  readonly kills: number
  readonly programs?: Partial<Omit<PreparedPrograms, 'tasks'>> & { readonly tasks?: Partial<PreparedPrograms['tasks']> }
}

const NIL = 0
const TAG = 1
/** Also what a removal has for a value. */
const MISSING = 0
/** What a key holds is below this. */
const VALUES = 8
const SLOT = { free: 0, running: 1, committed: 2, aborted: 3 } as const
const MODE = { writing: 0, dead: 1, repairing: 2 } as const
const TASK = { none: 0, put: 1, prepare: 2, finish: 3, undo: 4 } as const
const OWNER = { begin: 0, decide: 1, release: 2, wait: 3 } as const
const READ = { rest: 0, version: 1, head: 2, key: 3, tag: 4, slot: 5, value: 6, next: 7, check: 8 } as const
/** What a snapshot does with a key: reads it, looks whether it still holds, or reads it anew since it does not. */
const LOOK = { first: 0, again: 1, anew: 2 } as const

export function preparedModel(config: PreparedConfig): Model {
  const { writerOfKey, bucketOfKey, versionOfKey, items, blocks } = config
  const programs: PreparedPrograms = { ...PREPARED_PROGRAMS, ...config.programs, tasks: { ...PREPARED_PROGRAMS.tasks, ...config.programs?.tasks } }
  const writers = Math.max(...writerOfKey) + 1
  const total = writers * blocks
  const at = layout({
    version: 2, head: 2, next: total + 1, key: total + 1, value: total + 1, tag: total + 1, slot: 1,
    // each writer: `key` is the one that its task is at, plus 1; `free` its books as a bit set
    mode: writers, task: writers, key1: writers, pc: writers, target: writers, old: writers, free: writers,
    failed: 1, kills: 1, item: 1, owner: 1,
    // the reader
    read: 1, ended: 1, wanted: 1, look: 1, moved: 1, retries: 1, hops: 1, block: 1, sawVersion: 2, sawBlock: 2, sawValue: 2,
    // for judging only: what each key holds, and, as a bit set, the pairs of that since the read began
    content: 2, moments: VALUES,
  })

  const keysOf = (writer: number): (0 | 1)[] => ([0, 1] as const).filter((key) => writerOfKey[key] === writer)
  const transactionOf = (item: Item | undefined): readonly ('put' | 'remove' | 'leave')[] => (item !== undefined && 'transaction' in item ? item.transaction : [])
  const bitOf = (block: number): number => 1 << ((block - 1) % blocks)

  /** The pointer to the first block of a key with a tag, or without, but for one; and that block. NIL and the head if there is none. */
  function find(state: State, key: number, tag: number, except: number = NIL): { pointer: number; block: number } {
    const head = at.head + bucketOfKey[key]!
    let pointer = head
    for (let hops = 0; hops <= total && state[pointer] !== NIL; hops++) {
      const block = state[pointer]!
      if (block !== except && state[at.key + block] === key + 1 && state[at.tag + block] === tag) return { pointer, block }
      pointer = at.next + block
    }
    return { pointer: head, block: NIL }
  }

  function reachable(state: State, writer: number): number {
    let marked = 0
    for (const key of keysOf(writer)) {
      for (let block = state[at.head + bucketOfKey[key]]!, hops = 0; block !== NIL && hops < total; block = state[at.next + block]!, hops++) marked |= bitOf(block)
    }
    return marked
  }

  const unreachable = (state: State, writer: number): number => ~reachable(state, writer) & ((1 << blocks) - 1)

  /** Notes what the keys hold now, for the read that is under way. */
  function remember(next: State): void {
    if (next[at.read] === READ.rest) return
    const pair = next[at.content]! * VALUES + next[at.content + 1]!
    next[at.moments + (pair >> 3)]! |= 1 << (pair & 7)
  }

  const isIdle = (state: State, writer: number): boolean => state[at.task + writer] === TASK.none && state[at.mode + writer] === MODE.writing
  const involved = (item: Item): number[] => [...new Set('put' in item ? [writerOfKey[item.put]] : ([0, 1] as const).filter((key) => item.transaction[key] !== 'leave').map((key) => writerOfKey[key]))]

  function own(state: State, step: OfferStep): void {
    const item = items[state[at.item]!]
    if (item === undefined) return
    const mine = involved(item)
    const order = (next: State, task: number): void => mine.forEach((writer) => void (next[at.task + writer] = task))
    const following = (next: State): void => {
      next[at.item]!++
      next[at.owner] = OWNER.begin
      next[at.failed] = 0
    }
    const name = `item ${state[at.item]}`
    switch (state[at.owner]) {
      case OWNER.begin:
        if (!mine.every((writer) => isIdle(state, writer))) return
        if ('put' in item) return step(`${name} begins: a put of key ${item.put}`, (next) => {
          order(next, TASK.put)
          next[at.owner] = OWNER.wait
        })
        return step(`${name} begins: the slot runs`, (next) => {
          next[at.slot] = SLOT.running
          order(next, TASK.prepare)
          next[at.owner] = OWNER.decide
        })
      case OWNER.wait: {
        // Whoever sees what is published may act upon it, before it is acknowledged.
        const key = (item as { put: 0 | 1 }).put
        if (state[at.content + key] === state[at.item]! + 2 || isIdle(state, mine[0]!)) step(`${name} is seen`, following)
        return
      }
      case OWNER.decide: {
        const prepared = mine.filter((writer) => isIdle(state, writer)).length
        if (prepared === mine.length) step(`${name} is aborted`, (next) => {
          next[at.slot] = SLOT.aborted
          order(next, TASK.undo)
          next[at.owner] = OWNER.release
        })
        if (state[at.failed] !== 0 || prepared < (programs.commit === 'when one has' ? 1 : mine.length)) return
        return step(`${name} is committed`, (next) => {
          next[at.slot] = SLOT.committed
          transactionOf(item).forEach((write, key) => {
            if (write !== 'leave') next[at.content + key] = write === 'put' ? state[at.item]! + 2 : MISSING
          })
          remember(next)
          order(next, TASK.finish)
          next[at.owner] = OWNER.release
        })
      }
      case OWNER.release:
        if (programs.release === 'when all have finished' && !mine.every((writer) => isIdle(state, writer))) return
        return step(`the slot of ${name} is free`, (next) => {
          next[at.slot] = SLOT.free
          following(next)
        })
    }
  }

  /** The key that a task goes on with; none when it is done. */
  function keyOf(state: State, writer: number): 0 | 1 | undefined {
    const item = items[state[at.item]!]
    const task = state[at.task + writer]!
    if (state[at.key1 + writer] !== 0) return state[at.key1 + writer] === 1 ? 0 : 1
    if (task === TASK.put) return item !== undefined && 'put' in item ? item.put : undefined
    if (task !== TASK.prepare) return keysOf(writer).find((key) => find(state, key, TAG).block !== NIL)
    return keysOf(writer).find((key) => {
      const write = transactionOf(item)[key]
      const needed = write === 'put' || (write === 'remove' && find(state, key, 0).block !== NIL)
      return needed && find(state, key, TAG).block === NIL
    })
  }

  function write(writer: number, state: State, step: OfferStep): void {
    const word = (offset: number): number => state[offset + writer]!
    const task = word(at.task)
    if (word(at.mode) !== MODE.writing || task === TASK.none) return
    const key = keyOf(state, writer)
    const end = (next: State): void => {
      for (const offset of [at.task, at.key1, at.pc, at.target, at.old]) next[offset + writer] = 0
    }
    if (key === undefined) return step('is done', end)

    const pc = word(at.pc)
    const tagged = find(state, key, TAG)
    const target = pc === 0 ? tagged.block : word(at.target)
    const entry = find(state, key, 0, target)
    const kind = task === TASK.put ? 'put' : task === TASK.prepare ? 'prepare' : task === TASK.undo ? 'undo' : state[at.value + target] === MISSING ? 'finish removal' : 'finish'
    const program = programs.tasks[kind]
    const instruction = program[pc]!
    if (instruction === 'fill' && word(at.free) === 0) return

    step(`${kind} of key ${key}: ${instruction}`, (next) => {
      if (pc === 0) next[at.target + writer] = target
      next[at.key1 + writer] = key + 1
      run(next, instruction)
      let after = pc + 1
      // The books are the writer's own: nobody can tell when they change.
      if (program[after] === 'free') run(next, program[after++]!)
      next[at.pc + writer] = after
      if (after < program.length) return
      for (const offset of [at.key1, at.pc, at.target, at.old]) next[offset + writer] = 0
      if (task === TASK.put) end(next)
    })

    function run(next: State, what: Instruction): void {
      const id = state[at.item]! + 2
      switch (what) {
        case 'fill': {
          const block = 1 + writer * blocks + Math.log2(word(at.free) & -word(at.free))
          next[at.free + writer]! &= ~bitOf(block)
          next[at.target + writer] = block
          next[at.key + block] = key! + 1
          next[at.value + block] = transactionOf(items[state[at.item]!])[key!] === 'remove' ? MISSING : id
          next[at.tag + block] = kind === 'prepare' ? TAG : 0
          next[at.next + block] = kind === 'prepare' || entry.block === NIL ? state[entry.pointer]! : state[at.next + entry.block]!
          return
        }
        case 'publish':
          next[at.old + writer] = kind === 'put' ? entry.block : NIL
          next[entry.pointer] = target
          if (kind !== 'put') return
          next[at.content + key!] = id
          return remember(next)
        case 'unlink':
          next[at.old + writer] = entry.block
          if (entry.block !== NIL) next[entry.pointer] = state[at.next + entry.block]!
          return
        case 'untag': return void (next[at.tag + target] = 0)
        case 'take out': return void (next[tagged.pointer] = state[at.next + target]!)
        case 'bump': return void next[at.version + versionOfKey[key!]]!++
        case 'free':
          if (next[at.old + writer] !== NIL) next[at.free + writer]! |= bitOf(next[at.old + writer]!)
          if (kind === 'undo' || kind === 'finish removal') next[at.free + writer]! |= bitOf(target)
      }
    }
  }

  function kill(writer: number, state: State, step: OfferStep): void {
    if (state[at.kills] === 0 || state[at.mode + writer] === MODE.dead || state[at.item] === items.length) return
    step(`writer ${writer} dies`, (next) => {
      next[at.kills]!--
      next[at.mode + writer] = MODE.dead
      // What it was working on fails as unknown; finishing and undoing are done again.
      const task = next[at.task + writer]!
      if (task === TASK.prepare) next[at.failed] = 1
      if (task === TASK.prepare || task === TASK.put) next[at.task + writer] = TASK.none
      for (const offset of [at.key1, at.pc, at.target, at.old, at.free]) next[offset + writer] = 0
    })
  }

  function repair(writer: number, state: State, step: OfferStep): void {
    const mode = state[at.mode + writer]
    if (mode === MODE.dead) return step(`a new writer ${writer} begins to repair`, (next) => void (next[at.mode + writer] = MODE.repairing))
    if (mode !== MODE.repairing) return
    const instruction = programs.repair[state[at.pc + writer]!]!
    step(`${writer}: ${instruction}`, (next) => {
      if (instruction === 'rebuild') next[at.free + writer] = unreachable(state, writer)
      else for (const version of new Set(keysOf(writer).map((key) => versionOfKey[key]))) next[at.version + version]!++
      if (++next[at.pc + writer]! < programs.repair.length) return
      next[at.mode + writer] = MODE.writing
      next[at.pc + writer] = 0
      if (programs.resolve === 'undo' && next[at.task + writer] === TASK.finish) next[at.task + writer] = TASK.undo
      if (programs.resolve === 'nothing') next[at.task + writer] = TASK.none
    })
  }

  function read(state: State, step: OfferStep): void {
    const { wanted, look, block } = { wanted: state[at.wanted]!, look: state[at.look]!, block: state[at.block]! }
    const isSnapshot = config.reads === 'snapshot'
    const go = (pc: number) => (next: State): void => void (next[at.read] = pc)
    const giveUp = (next: State): void => {
      for (let offset = at.read; offset < at.content; offset++) next[offset] = 0
      for (let offset = at.moments; offset < at.bytes; offset++) next[offset] = 0
      next[at.ended] = 1
    }
    /** Reads the key anew. */
    const anew = (next: State): void => {
      if (next[at.retries] === config.retries) return giveUp(next)
      next[at.retries]!++
      next[at.look] = look === LOOK.again ? LOOK.anew : look
      if (look === LOOK.again) next[at.moved] = 1
      next[at.read] = READ.version
    }
    const accept = (next: State): string | undefined => {
      const [first, second] = [next[at.sawValue]!, next[at.sawValue + 1]!]
      let held = false
      for (let pair = 0; pair < VALUES * VALUES; pair++) {
        if ((next[at.moments + (pair >> 3)]! & (1 << (pair & 7))) === 0) continue
        const is = [pair >> 3, pair & 7]
        held ||= isSnapshot ? is[0] === first && is[1] === second : is[wanted] === next[at.sawValue + wanted]
      }
      const objection = held ? undefined : isSnapshot ? `a snapshot of ${first} and ${second} was accepted, which never were there together` : `an accepted read of key ${wanted} returned ${next[at.sawValue + wanted]}, which it did not hold meanwhile`
      giveUp(next)
      return objection
    }
    /** The key has been read, or still holds. */
    const onward = (next: State): string | undefined => {
      if (!isSnapshot) return accept(next)
      next[at.read] = READ.version
      if (look === LOOK.first) {
        if (wanted === 1 && programs.snapshot === 'nothing') return accept(next)
        next[at.wanted] = 1 - wanted
        if (wanted === 1) next[at.look] = LOOK.again
        return undefined
      }
      next[at.look] = LOOK.again
      next[at.wanted] = 1 - wanted
      if (wanted === 0) return undefined
      if (next[at.moved] === 0) return accept(next)
      next[at.moved] = 0
      return undefined
    }
    const result = (next: State, found: number, value: number): void => {
      next[at.block] = next[at.hops] = 0
      if (look === LOOK.again && next[at.sawBlock + wanted] !== found) return anew(next)
      next[at.sawBlock + wanted] = found
      if (look !== LOOK.again) next[at.sawValue + wanted] = value
      next[at.read] = READ.check
    }
    const loadVersion = (next: State): string | undefined => {
      const version = next[at.version + versionOfKey[next[at.wanted]!]!]!
      if (look === LOOK.again) {
        if (version !== next[at.sawVersion + wanted]) return void anew(next)
        if (programs.snapshot === 'versions') return onward(next)
      }
      next[at.sawVersion + next[at.wanted]!] = version
      next[at.read] = READ.head
      return undefined
    }

    switch (state[at.read]) {
      case READ.rest:
        if (state[at.ended] !== 0) return
        for (const key of isSnapshot ? [0] : [0, 1]) {
          step(`begins at key ${key}`, (next) => {
            next[at.wanted] = key
            next[at.read] = READ.version
            remember(next)
          })
        }
        return
      case READ.version: return step(`loads the version of key ${wanted}`, loadVersion)
      case READ.head: return step('loads the head', (next) => {
        next[at.block] = next[at.head + bucketOfKey[wanted]!]!
        if (next[at.block] === NIL) result(next, NIL, MISSING)
        else next[at.read] = READ.key
      })
      case READ.key: return step(`reads the key in block ${block}`, go(state[at.key + block] === wanted + 1 ? READ.tag : READ.next))
      case READ.tag: return step(`reads the tag in block ${block}`, (next) => {
        if (next[at.tag + block] === 0 && look === LOOK.again) result(next, block, 0)
        else if (next[at.tag + block] === 0 || programs.reader === 'counts') next[at.read] = READ.value
        else next[at.read] = programs.reader === 'passes over' ? READ.next : READ.slot
      })
      case READ.slot: return step('loads the slot', go(state[at.slot] === SLOT.committed ? READ.value : READ.next))
      case READ.value: return step(`reads the value in block ${block}`, (next) => {
        const value = next[at.value + block]!
        if (value === MISSING && programs.reader === 'passes over removals') next[at.read] = READ.next
        else result(next, value === MISSING ? NIL : block, value)
      })
      case READ.next: return step(`loads the next of block ${block}`, (next) => {
        next[at.block] = next[at.next + block]!
        if (next[at.block] === NIL) result(next, NIL, MISSING)
        else if (++next[at.hops]! > total) anew(next)
        else next[at.read] = READ.key
      })
      case READ.check: return step('loads the version again', (next) => {
        if (next[at.version + versionOfKey[wanted]!] === next[at.sawVersion + wanted]) return onward(next)
        return void anew(next)
      })
    }
  }

  /** What a read that takes no time sees, and whether the books are right. */
  function violation(state: State): string | undefined {
    for (const key of [0, 1]) {
      let block = state[at.head + bucketOfKey[key]!]!
      let hops = 0
      while (block !== NIL && hops++ <= total && !(state[at.key + block] === key + 1 && (state[at.tag + block] === 0 || state[at.slot] === SLOT.committed))) block = state[at.next + block]!
      if (hops > total) return `the chain of key ${key} is a circle`
      const seen = block === NIL ? MISSING : state[at.value + block]!
      if (seen !== state[at.content + key]) return `key ${key} reads as ${seen} and should hold ${state[at.content + key]}`
    }
    for (let writer = 0; writer < writers; writer++) {
      if (state[at.mode + writer] !== MODE.writing) continue
      if ((state[at.free + writer]! & reachable(state, writer)) !== 0) return 'a block is free and reachable'
      if (isIdle(state, writer) && state[at.free + writer] !== unreachable(state, writer)) return 'a block is neither free nor reachable'
      if (isIdle(state, writer) && keysOf(writer).some((key) => isTwice(state, key))) return 'a key is in the table twice'
      if (isIdle(state, writer) && state[at.slot] === SLOT.free && keysOf(writer).some((key) => find(state, key, TAG).block !== NIL)) return 'a block carries a slot that is free'
    }
    return undefined
  }

  function isTwice(state: State, key: number): boolean {
    let entries = 0
    for (let block = state[at.head + bucketOfKey[key]!]!, hops = 0; block !== NIL && hops++ < total; block = state[at.next + block]!) {
      if (state[at.key + block] === key + 1 && state[at.tag + block] === 0) entries++
    }
    return entries > 1
  }

  const initial = new Uint8Array(at.bytes)
  initial[at.kills] = config.kills
  for (const key of config.present) {
    const block = 1 + writerOfKey[key] * blocks + keysOf(writerOfKey[key]).indexOf(key)
    const head = at.head + bucketOfKey[key]
    initial[at.key + block] = key + 1
    initial[at.value + block] = initial[at.content + key] = 1
    initial[at.next + block] = initial[head]!
    initial[head] = block
  }
  for (let writer = 0; writer < writers; writer++) initial[at.free + writer] = unreachable(initial, writer)

  const each = (what: string, run: (writer: number, state: State, step: OfferStep) => void): Model['processes'] =>
    Object.fromEntries(Array.from({ length: writers }, (_, writer) => [`${what} ${writer}`, (state: State, step: OfferStep) => run(writer, state, step)]))
  const kills = each('kill', kill)
  return {
    name: config.name,
    initial,
    processes: { owner: own, ...each('writer', write), ...kills, ...each('repair', repair), reader: read },
    violation,
    misfortunes: Object.keys(kills),
    isFinal: (state) => state[at.item] === items.length && Array.from({ length: writers }, (_, writer) => writer).every((writer) => isIdle(state, writer)),
  }
}
