/**
 * The table's protocol, modelled: one writer that may be killed between any two steps, a repair that takes up what it left
 * (and may be killed as well), and readers that take no lock.
 *
 *   bucket ──▶ block ──▶ block ──▶ nil        a bucket's head and a block's `next` each are one word
 *   version of the group                      a group is a few buckets; its version says "something here was replaced"
 *
 * WRITE  (put, delete, and relocation, which is a put of the same bytes in another place)
 *
 *   1. allocate a block, from private books; nobody else can reach it
 *   2. fill it, in any order, with as many plain stores as it takes, its `next` last
 *   3. publish it: one atomic store into the pointer before it, which drops the old block from the chain in the same instant
 *   4. bump the group's version
 *   5. free the old block, for any bucket of any group
 *   6. acknowledge
 *
 * READ
 *
 *   1. load the version    2. follow the pointers, copy the entry    3. load the version again: moved? then from the start
 *   4. note in the bucket's head that it was read: an atomic "or" with a bit that no block's number has
 *
 * Before step 3 nothing that was read means anything: a pointer may lead nowhere or in circles, a length may be absurd. So
 * a reader checks every number that it uses as a place, and counts its hops; both ways out lead to the version check.
 *
 * REPAIR, before a new writer's first step: walk the index and mark what is reachable; bump every version; everything
 * unmarked is free. What was published stays, acknowledged or not, since a reader may have seen it.
 *
 * | word               | writer                             | readers                  | why that is enough                            |
 * |--------------------|------------------------------------|--------------------------|-----------------------------------------------|
 * | version of a group | `Atomics.add`, writer and repair   | `Atomics.load`, twice    | a block that a reader can still hold is       |
 * |                    |                                    |                          | refilled only after a bump that its second    |
 * |                    |                                    |                          | load sees                                     |
 * | head of a bucket   | `Atomics.store` publishes          | `Atomics.load`           | who loads the pointer sees the filled block   |
 * | read bit of a head | with the head                      | `Atomics.or`             | no other bit of the head can change with it   |
 * | `next` of a block  | plain before publication;          | `Atomics.load`,          | the same; in a block that was freed it may be |
 * |                    | `Atomics.store` in a chain         | bounds checked           | anything, and the version tells               |
 * | key and value of   | plain, before publication only     | plain, between the two   | never stored to between publication and bump; |
 * | a block            |                                    | version loads            | torn bytes fail the second version load       |
 * | free list, books   | plain, private to the writer       | never                    | rebuilt from the index by repair, so no crash |
 * |                    |                                    |                          | can leave them wrong                          |
 *
 * MEMORY MODEL. Atomics are sequentially consistent. Plain stores before a publication are ordered by it. The plain loads before
 * the second version load are in order on x64 (loads are not reordered with loads), which is what is modelled here. On other processors the
 * second version load has to be a read-modify-write (`Atomics.add(…, 0)`), because the language does not order
 * plain loads before an atomic load. A store buffer needs no modelling: what the writer stores plainly is late by
 * no more than its next atomic access, and nobody can tell that from a writer that is slower.
 *
 * WHAT THE ORDER OF BUMP AND FREE MEANS. Inside one operation they may change places unseen, for the books are private and
 * every operation and every repair bumps before anything is allocated again. What matters is: **no store into an unlinked block before the
 * bump that follows its unlinking.** An operation that unlinks and then allocates (a batch, a compaction, an eviction that makes
 * room) must bump in between; one bump for the whole batch is a seeded fault. An acknowledgement may come before the bump.
 *
 * VERSIONS WRAP. A reader that sleeps through exactly 2^32 bumps of one group accepts what it should not. `versions: 2` shows it.
 *
 * What is checked is said in `violation` (every state) and `acceptRead` (every accepted read).
 */

import { layout, type Model, type OfferStep, type State } from './model-checker.js'

export type Operation = readonly ['put' | 'delete' | 'relocate', key: number]

type WriteInstruction =
  | 'allocate' | 'scribble' | 'fill key' | 'fill value' | 'link' | 'publish' | 'bump' | 'free' | 'acknowledge'
  | 'overwrite key' | 'overwrite value'
type RepairInstruction = 'bump group 0' | 'bump group 1' | 'rebuild' | 'rebuild from heads'
type ReadInstruction = 'start' | 'version' | 'head' | 'key' | 'value' | 'next' | 'check' | 'note' | 'store'

export interface TableConfig {
  readonly name: string
  /** The bucket of each key, and the group of each bucket. */
  readonly bucketOfKey: readonly number[]
  readonly groupOfBucket: readonly number[]
  readonly blocks: number
  /** What the writer does, in order; each operation's number, from 1, is what it writes. At most 7. */
  readonly operations: readonly Operation[]
  /** How many of the operations are done before the search begins. */
  readonly done: number
  readonly readers: number
  readonly readsEach: number
  /** How often a read starts anew before it gives up as busy. */
  readonly retries: number
  readonly kills: number
  /** The order of the steps; a seeded fault is another order. */
  readonly programs?: Partial<Programs>
  /** Versions count modulo this. */
  readonly versions?: number
}

export interface Programs {
  readonly put: readonly WriteInstruction[]
  readonly delete: readonly WriteInstruction[]
  readonly relocate: readonly WriteInstruction[]
  readonly repair: readonly RepairInstruction[]
  /** What a reader does first. */
  readonly readFrom: 'version' | 'head'
  /** Whether a reader goes straight to the block in which it found its last entry. */
  readonly readRemembers: boolean
  /** Whether a reader loads the version again. */
  readonly readChecks: boolean
  /** How a reader notes that it has read: not at all, in one step, or with a load and a store. */
  readonly readNotes: 'never' | 'or' | 'load and store'
  /** Whether the writer tells the read bit from the block in a head. */
  readonly masks: boolean
}

/** The protocol as it is meant. */
export const TABLE_PROGRAMS: Programs = {
  put: ['allocate', 'scribble', 'fill key', 'fill value', 'link', 'publish', 'bump', 'free', 'acknowledge'],
  delete: ['publish', 'bump', 'free', 'acknowledge'],
  relocate: ['allocate', 'scribble', 'fill key', 'fill value', 'link', 'publish', 'bump', 'free'],
  repair: ['bump group 0', 'bump group 1', 'rebuild'],
  readFrom: 'version',
  readRemembers: false,
  readChecks: true,
  readNotes: 'or',
  masks: true,
}

const NIL = 0
/** A `next` that another size class left there: not a block. */
const ABSURD = 255
/** In a head: that its bucket was read. */
const WAS_READ = 128
const MODE = { writing: 0, dead: 1, repairing: 2 } as const
const READ: readonly ReadInstruction[] = ['start', 'version', 'head', 'key', 'value', 'next', 'check', 'note', 'store']
const PC = Object.fromEntries(READ.map((name, i) => [name, i])) as Record<ReadInstruction, number> // one number for each name of READ

export function tableModel(config: TableConfig): Model {
  const { bucketOfKey, groupOfBucket, blocks, operations, readers } = config
  const programs = { ...TABLE_PROGRAMS, ...config.programs }
  const versions = config.versions ?? 256
  const keys = bucketOfKey.length
  const at = layout({
    // shared memory
    version: 2, head: groupOfBucket.length, next: blocks + 1, key: blocks + 1, value: blocks + 1,
    // the writer: `operation` is an index, `free` its books as a bit set
    mode: 1, operation: 1, pc: 1, fresh: 1, old: 1, free: 1, kills: 1,
    // each reader
    rPc: readers, rKey: readers, rVersion: readers, rBlock: readers, rFound: readers, rHops: readers, rRetries: readers, rReads: readers, rLast: readers,
    // for judging only: the operations that were published as a bit set, the newest operation of each key that was acknowledged
    // or seen by a read that ended, and what that was when each reader began
    published: 1, known: keys, rFloor: readers,
  })

  const keyOf = (id: number): number => operations[id - 1]![1]
  const groupOf = (key: number): number => groupOfBucket[bucketOfKey[key]!]!
  const blockOf = (pointer: number): number => (programs.masks && pointer !== ABSURD ? pointer & ~WAS_READ : pointer)
  const isBlock = (pointer: number): boolean => pointer >= 1 && pointer <= blocks

  /** The entry of a key, as the writer finds it: the place of the pointer to it, the block (or nil) and what follows. */
  function locate(state: State, key: number): { pointer: number; block: number; after: number } {
    const head = at.head + bucketOfKey[key]!
    let pointer = head
    for (let hops = 0; hops <= blocks; hops++) {
      const block = blockOf(state[pointer]!)
      if (!isBlock(block)) break
      if (state[at.key + block] !== 0 && keyOf(state[at.key + block]!) === key) return { pointer, block, after: state[at.next + block]! }
      pointer = at.next + block
    }
    return { pointer: head, block: NIL, after: blockOf(state[head]!) }
  }

  function reachable(state: State): number {
    let marked = 0
    for (let bucket = 0; bucket < groupOfBucket.length; bucket++) {
      for (let block = blockOf(state[at.head + bucket]!); isBlock(block) && (marked & (1 << block)) === 0; block = state[at.next + block]!) marked |= 1 << block
    }
    return marked
  }

  const complement = (marked: number): number => ~marked & (((1 << blocks) - 1) << 1)
  const see = (state: State, key: number, id: number): void => void (state[at.known + key] = Math.max(state[at.known + key]!, id))

  function endOperation(next: State): void {
    next[at.operation]!++
    next[at.pc] = next[at.fresh] = next[at.old] = 0
  }

  function bump(next: State, group: number): void {
    next[at.version + group] = (next[at.version + group]! + 1) % versions
  }

  function write(state: State, step: OfferStep): void {
    if (state[at.mode] !== MODE.writing || state[at.operation] === operations.length) return
    const id = state[at.operation]! + 1
    const [kind, key] = operations[id - 1]!
    const instruction = programs[kind][state[at.pc]!]!
    const say = `${kind} #${id} of key ${key}: ${instruction}`
    const go = (label: string, change: (next: State) => void): void => step(label, (next) => {
      next[at.pc]!++
      change(next)
      if (next[at.pc] === programs[kind].length) endOperation(next)
    })
    const fresh = state[at.fresh]!
    const entry = locate(state, key)
    const source = kind === 'relocate' ? entry.block : NIL

    switch (instruction) {
      case 'allocate': {
        const free = state[at.free]!
        if (free === 0 || (kind === 'relocate' && source === NIL)) return step(`${say}: nothing to do it with`, endOperation)
        for (let block = 1; block <= blocks; block++) {
          if ((free & (1 << block)) === 0) continue
          go(`${say} block ${block}`, (next) => {
            next[at.fresh] = block
            next[at.free] = free & ~(1 << block)
          })
        }
        return
      }
      case 'scribble': return go(`${say} over its next`, (next) => void (next[at.next + fresh] = ABSURD))
      case 'fill key': return go(say, (next) => void (next[at.key + fresh] = source === NIL ? id : state[at.key + source]!))
      case 'fill value': return go(say, (next) => void (next[at.value + fresh] = source === NIL ? id : state[at.value + source]!))
      case 'link': return go(say, (next) => void (next[at.next + fresh] = entry.block === NIL ? entry.after : state[at.next + entry.block]!))
      case 'publish': return go(say, (next) => {
        next[at.old] = entry.block
        const wasRead = entry.pointer < at.next ? state[entry.pointer]! & WAS_READ : 0
        if (kind !== 'delete') next[entry.pointer] = fresh | wasRead
        else if (entry.block !== NIL) next[entry.pointer] = entry.after | wasRead
        if (kind !== 'relocate') next[at.published]! |= 1 << id
      })
      case 'bump': return go(say, (next) => bump(next, groupOf(key)))
      case 'free': return go(`${say} ${state[at.old] === NIL ? 'nothing' : `block ${state[at.old]}`}`, (next) => {
        const old = next[at.old] === NIL && !hasPublished(programs[kind], state[at.pc]!) ? entry.block : next[at.old]!
        if (old !== NIL) next[at.free]! |= 1 << old
      })
      case 'acknowledge': return go(say, (next) => see(next, key, id))
      case 'overwrite key': return go(say, (next) => void (next[at.key + entry.block] = id))
      case 'overwrite value': return go(say, (next) => {
        next[at.value + entry.block] = id
        next[at.published]! |= 1 << id
      })
    }
  }

  function kill(state: State, step: OfferStep): void {
    if (state[at.kills] === 0 || state[at.mode] === MODE.dead) return
    if (state[at.mode] === MODE.writing && state[at.operation] === operations.length) return
    step('the writer dies', (next) => {
      next[at.kills]!--
      // the operation at work fails as unknown and is not run again; its reply, if any, was the acknowledgement
      if (next[at.mode] === MODE.writing && next[at.pc]! > 0) endOperation(next)
      next[at.mode] = MODE.dead
      next[at.free] = next[at.pc] = 0
    })
  }

  function repair(state: State, step: OfferStep): void {
    if (state[at.mode] === MODE.dead) return step('a new writer begins to repair', (next) => void (next[at.mode] = MODE.repairing))
    if (state[at.mode] !== MODE.repairing) return
    const instruction = programs.repair[state[at.pc]!]!
    step(instruction, (next) => {
      if (instruction === 'rebuild') next[at.free] = complement(reachable(next))
      else if (instruction === 'rebuild from heads') next[at.free] = complement(headsOnly(next))
      else bump(next, instruction === 'bump group 0' ? 0 : 1)
      if (++next[at.pc]! === programs.repair.length) {
        next[at.mode] = MODE.writing
        next[at.pc] = 0
      }
    })
  }

  /** A wrong mark, for a seeded fault: it forgets that chains go on. */
  function headsOnly(state: State): number {
    let marked = 0
    for (let bucket = 0; bucket < groupOfBucket.length; bucket++) if (blockOf(state[at.head + bucket]!) !== NIL) marked |= 1 << blockOf(state[at.head + bucket]!)
    return marked
  }

  function read(reader: number, state: State, step: OfferStep): void {
    const word = (offset: number): number => state[offset + reader]!
    const set = (next: State, offset: number, value: number): void => void (next[offset + reader] = value)
    const key = word(at.rKey)
    const block = word(at.rBlock)
    const group = groupOf(key)

    const loadVersion = (next: State, of: number): void => {
      set(next, at.rVersion, next[at.version + of]!)
      set(next, at.rPc, programs.readFrom === 'version' ? PC.head : block === NIL ? PC.check : PC.key)
    }
    const loadHead = (next: State, of: number): void => {
      set(next, at.rHops, 0)
      follow(next, word(at.rLast) === NIL ? next[at.head + bucketOfKey[of]!]! & ~WAS_READ : word(at.rLast))
      if (programs.readFrom === 'head') set(next, at.rPc, PC.version)
    }
    /** Goes to the block that a pointer names; a pointer that names none, or one hop too many, is left to the version check. */
    const follow = (next: State, pointer: number): void => {
      const lost = pointer !== NIL && (!isBlock(pointer) || next[at.rHops + reader]! >= blocks)
      set(next, at.rBlock, lost ? ABSURD : pointer)
      if (lost || pointer === NIL) set(next, at.rHops, 0)
      else next[at.rHops + reader]!++
      set(next, at.rPc, lost || pointer === NIL ? PC.check : PC.key)
    }
    const rest = (next: State): void => {
      for (const offset of [at.rPc, at.rKey, at.rVersion, at.rBlock, at.rFound, at.rHops, at.rRetries, at.rFloor]) set(next, offset, 0)
      next[at.rReads + reader]!++
    }

    switch (READ[word(at.rPc)]!) {
      case 'start':
        if (word(at.rReads) === config.readsEach) return
        for (let wanted = 0; wanted < keys; wanted++) {
          step(`reads key ${wanted}, loads the ${programs.readFrom} first`, (next) => {
            set(next, at.rKey, wanted)
            set(next, at.rFloor, next[at.known + wanted]!)
            if (programs.readFrom === 'version') loadVersion(next, groupOf(wanted))
            else loadHead(next, wanted)
          })
        }
        return
      case 'version': return step('loads the version', (next) => loadVersion(next, group))
      case 'head': return step('loads the head', (next) => loadHead(next, key))
      case 'key': return step(`reads the key in block ${block}`, (next) => {
        const id = next[at.key + block]!
        const match = id !== 0 && keyOf(id) === key
        set(next, at.rFound, match ? id : 0)
        set(next, at.rPc, match ? PC.value : PC.next)
      })
      case 'value': return step(`reads the value in block ${block}`, (next) => {
        // only whether the value belongs to the key matters later
        if (next[at.value + block] !== word(at.rFound)) set(next, at.rFound, ABSURD)
        if (programs.readRemembers) set(next, at.rLast, block)
        set(next, at.rBlock, NIL)
        set(next, at.rHops, 0)
        set(next, at.rPc, PC.check)
      })
      case 'next': return step(`loads the next of block ${block}`, (next) => follow(next, next[at.next + block]!))
      case 'check': return step('loads the version again', (next) => {
        if (!programs.readChecks || next[at.version + group] === word(at.rVersion)) {
          const wrong = acceptRead(next, reader)
          if (programs.readNotes === 'never' || next[at.rFound + reader] === 0) rest(next)
          else set(next, at.rPc, PC.note)
          return wrong
        }
        if (word(at.rRetries) === config.retries) rest(next)
        else {
          for (const offset of [at.rVersion, at.rBlock, at.rFound, at.rHops]) set(next, offset, 0)
          next[at.rRetries + reader]!++
          set(next, at.rPc, programs.readFrom === 'version' ? PC.version : PC.head)
        }
        return undefined
      })
      case 'note': return step(programs.readNotes === 'or' ? 'notes that it has read' : 'loads the head again', (next) => {
        const head = at.head + bucketOfKey[key]!
        if (programs.readNotes === 'or') {
          next[head]! |= WAS_READ
          rest(next)
        } else {
          set(next, at.rBlock, next[head]! | WAS_READ)
          set(next, at.rPc, PC.store)
        }
      })
      case 'store': return step('stores the head with its note', (next) => {
        next[at.head + bucketOfKey[key]!] = block
        rest(next)
      })
    }
  }

  /** An accepted read is whole, was published for its key, and is not older than what was known when the read began. */
  function acceptRead(next: State, reader: number): string | undefined {
    const key = next[at.rKey + reader]!
    const floor = next[at.rFloor + reader]!
    const found = next[at.rFound + reader]!
    if (next[at.rBlock + reader] === ABSURD) return 'a read whose pointers lead nowhere was accepted'
    if (found === ABSURD) return 'a torn read was accepted'
    if (found !== 0) {
      if ((next[at.published]! & (1 << found)) === 0) return `an accepted read returned #${found}, which was never published`
      if (found < floor) return `an accepted read returned #${found} although #${floor} was known before it began`
      see(next, key, found)
      return undefined
    }
    // absent: as it was at first, or since one of the deletes; the oldest that fits leaves later reads the most room
    if (floor === 0) return undefined
    for (let id = floor; id <= operations.length; id++) {
      const [kind, of] = operations[id - 1]!
      if (kind !== 'delete' || of !== key || (next[at.published]! & (1 << id)) === 0) continue
      see(next, key, id)
      return undefined
    }
    return `an accepted read found key ${key} absent although #${floor} was known before it began`
  }

  function violation(state: State): string | undefined {
    let marked = 0
    const content = new Uint8Array(keys)
    for (let bucket = 0; bucket < groupOfBucket.length; bucket++) {
      for (let block = state[at.head + bucket]! & ~WAS_READ; block !== NIL; block = state[at.next + block]!) {
        if (!isBlock(block)) return `the chain of bucket ${bucket} leads out of the table`
        if ((marked & (1 << block)) !== 0) return `block ${block} is linked twice`
        marked |= 1 << block
        const id = state[at.key + block]!
        if (id === 0 || id !== state[at.value + block]) return `block ${block} is reachable and not whole`
        if (bucketOfKey[keyOf(id)] !== bucket) return `block ${block} is in a bucket of another key`
        if (content[keyOf(id)] !== 0) return `key ${keyOf(id)} is in the table twice`
        content[keyOf(id)] = id
      }
    }
    for (let key = 0; key < keys; key++) {
      let last = 0
      operations.forEach(([kind, of], i) => {
        if (of === key && kind !== 'relocate' && (state[at.published]! & (1 << (i + 1))) !== 0) last = i + 1
      })
      const expected = last !== 0 && operations[last - 1]![0] === 'put' ? last : 0
      if (content[key] !== expected) return `key ${key} holds #${content[key]} although #${last} was published last`
      if (state[at.known + key]! > last) return `#${state[at.known + key]} of key ${key} is acknowledged and not in the table`
    }
    if ((state[at.free]! & marked) !== 0) return 'a block is free and reachable'
    if (state[at.mode] === MODE.writing && state[at.pc] === 0 && state[at.free] !== complement(marked)) return 'a block is neither free nor reachable'
    return undefined
  }

  const initial = new Uint8Array(at.bytes)
  initial[at.kills] = config.kills
  let used = 0
  operations.slice(0, config.done).forEach(([, key], i) => {
    const head = at.head + bucketOfKey[key]!
    used++
    initial[at.key + used] = initial[at.value + used] = i + 1
    initial[at.next + used] = initial[head]!
    initial[head] = used
    initial[at.published]! |= 1 << (i + 1)
    initial[at.known + key] = i + 1
  })
  initial[at.operation] = config.done
  initial[at.free] = complement(reachable(initial))

  return {
    name: config.name,
    initial,
    processes: {
      writer: write,
      kill,
      repair,
      ...Object.fromEntries(Array.from({ length: readers }, (_, reader) => [`reader ${reader}`, (state: State, step: OfferStep) => read(reader, state, step)])),
    },
    violation,
    misfortunes: ['kill'],
    isFinal: (state) => state[at.operation] === operations.length && state[at.mode] === MODE.writing,
  }
}

function hasPublished(program: readonly WriteInstruction[], pc: number): boolean {
  return program.indexOf('publish') < pc
}
