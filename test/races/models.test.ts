import { expect } from 'chai'

import { MAILBOX_PROGRAMS, mailboxModel, type MailboxConfig, type MailboxPrograms } from './mailbox-model.js'
import { explore, layout, printCounterexample, type Model } from './model-checker.js'
import { PREPARED_PROGRAMS, preparedModel, type Item, type PreparedConfig } from './prepared-model.js'
import { TABLE_PROGRAMS, tableModel, type Programs, type TableConfig } from './table-model.js'

/** Explores a model whole and says in the test's title how much that was. */
function holds(model: Model, test: Mocha.Runnable | undefined): void {
  const { states, steps, depth, counterexample } = explore(model)
  if (test !== undefined) test.title += ` (${states} states, ${steps} steps, depth ${depth})`
  expect(counterexample && printCounterexample(counterexample)).to.equal(undefined)
}

/** Moves one instruction to just before another. */
function moved<T extends string>(program: readonly T[], instruction: T, before: T): T[] {
  return program.flatMap((each) => (each === instruction ? [] : each === before ? [instruction, each] : [each]))
}

function without<T extends string>(program: readonly T[], ...instructions: T[]): T[] {
  return program.filter((each) => !instructions.includes(each))
}

describe('the model checker', () => {
  const at = layout({ pc: 2, seen: 2, counter: 1 })

  /** Two processes that add one to a counter, in one step or with a load and a store. */
  function counting(atomic: boolean): Model {
    const run = (me: number): Model['processes'][string] => (state, step) => {
      if (state[at.pc + me] === 0) step('load', (next) => {
        if (atomic) next[at.counter]!++
        else next[at.seen + me] = next[at.counter]!
        next[at.pc + me] = atomic ? 2 : 1
        return undefined
      })
      if (state[at.pc + me] === 1) step('store', (next) => {
        next[at.counter] = next[at.seen + me]! + 1
        next[at.pc + me] = 2
        return undefined
      })
    }
    return {
      name: 'counting',
      initial: new Uint8Array(at.bytes),
      processes: { a: run(0), b: run(1) },
      violation: (state) => (state[at.pc] === 2 && state[at.pc + 1] === 2 && state[at.counter] !== 2 ? 'an addition is lost' : undefined),
      isFinal: (state) => state[at.counter] === 2,
    }
  }

  it('finds nothing wrong with atomic additions', () => {
    expect(explore(counting(true))).to.deep.equal({ states: 4, steps: 4, depth: 2, counterexample: undefined })
  })

  it('finds the shortest run that loses an addition, and names its steps', () => {
    expect(explore(counting(false)).counterexample).to.deep.equal({
      kind: 'violation', message: 'an addition is lost', trace: ['a: load', 'b: load', 'a: store', 'b: store'],
    })
  })

  it('finds a state in which nobody can step, also where only a misfortune could', () => {
    const stuck: Model = { ...counting(true), violation: () => undefined, isFinal: () => false }
    expect(explore(stuck).counterexample).to.include({ kind: 'deadlock' })
    expect(explore({ ...stuck, misfortunes: ['b'] }).counterexample).to.deep.include({ kind: 'deadlock', trace: ['a: load'] })
  })

  it('finds steps that can repeat forever', () => {
    const turn: Model['processes'][string] = (state, step) => step('turn', (next) => {
      next[at.counter] = (state[at.counter]! + 1) % 2
      return undefined
    })
    expect(explore({ ...counting(true), processes: { turn } }).counterexample).to.deep.include({ kind: 'livelock', trace: ['round: turn: turn', 'round: turn: turn'] })
  })

  it('refuses to call a part of a model the whole', () => {
    expect(() => explore(counting(true), 3)).to.throw('not explored whole')
  })
})

const LAYOUTS = {
  'in one bucket': { bucketOfKey: [0, 0], groupOfBucket: [0] },
  'in two buckets of a group': { bucketOfKey: [0, 1], groupOfBucket: [0, 0] },
  'in two groups': { bucketOfKey: [0, 1], groupOfBucket: [0, 1] },
} as const
const TABLE: Omit<TableConfig, 'name'> = {
  ...LAYOUTS['in two groups'],
  blocks: 3,
  operations: [['put', 0], ['put', 1], ['put', 0], ['put', 1], ['put', 0]],
  done: 2,
  readers: 1, readsEach: 1, retries: 1, kills: 2,
}

describe('the table’s protocol, every interleaving', () => {
  const scripts: Record<string, TableConfig['operations']> = {
    'puts': TABLE.operations,
    'a put, a delete and a put': [['put', 0], ['put', 1], ['put', 0], ['delete', 1], ['put', 1]],
    'a relocation and puts': [['put', 0], ['put', 1], ['relocate', 0], ['put', 1], ['put', 0]],
  }
  for (const [where, places] of Object.entries(LAYOUTS)) {
    for (const [what, operations] of Object.entries(scripts)) {
      const name = `${what}, two keys ${where}, one reader, two deaths`
      it(name, function () { holds(tableModel({ ...TABLE, ...places, operations, name }), this.test) })
    }
    const name = `puts, two keys ${where}, two readers, a death`
    it(name, function () {
      holds(tableModel({ ...TABLE, ...places, operations: TABLE.operations.slice(0, 4), readers: 2, retries: 0, kills: 1, name }), this.test)
    })
  }
  it('two reads of one reader, and a block to spare', function () {
    holds(tableModel({ ...TABLE, operations: TABLE.operations.slice(0, 4), blocks: 4, readsEach: 2, kills: 1, name: 'a block to spare' }), this.test)
  })

  // Not faults, and good to know: what matters is that no block is refilled before the bump that follows its unlinking.
  const everywhere = (change: <T extends string>(program: readonly (T | 'free' | 'bump' | 'acknowledge')[]) => (T | 'free' | 'bump' | 'acknowledge')[]): Partial<Programs> => ({
    put: change(TABLE_PROGRAMS.put), delete: change(TABLE_PROGRAMS.delete), relocate: change(TABLE_PROGRAMS.relocate),
  })
  const harmless: Record<string, Partial<Programs>> = {
    'freeing before the bump, in an operation that allocates nothing more': everywhere((program) => moved(program, 'free', 'bump')),
    'acknowledging between publication and bump': { put: moved(TABLE_PROGRAMS.put, 'acknowledge', 'bump'), delete: moved(TABLE_PROGRAMS.delete, 'acknowledge', 'bump') },
    'repairing the books before the versions': { repair: ['rebuild', 'bump group 0', 'bump group 1'] },
  }
  for (const [name, programs] of Object.entries(harmless)) {
    it(`also holds with ${name}`, function () { holds(tableModel({ ...TABLE, programs, name }), this.test) })
  }

  const { put, delete: remove, relocate } = TABLE_PROGRAMS
  const oneBucket = LAYOUTS['in one bucket']
  const faults: Record<string, { expects: RegExp; programs?: Partial<Programs>; config?: Partial<TableConfig> }> = {
    'a bump before the publication': { expects: /accepted/, programs: { put: moved(put, 'bump', 'publish') } },
    'no bump': { expects: /accepted/, programs: { put: without(put, 'bump') } },
    'a block freed and refilled before a bump that a batch makes later': {
      expects: /accepted/, programs: { relocate: without(relocate, 'bump') }, config: { operations: scripts['a relocation and puts']! },
    },
    'a block freed before the publication': { expects: /free and reachable/, programs: { put: moved(put, 'free', 'publish') } },
    'a delete without a bump': { expects: /accepted/, programs: { delete: without(remove, 'bump') }, config: { operations: scripts['a put, a delete and a put']! } },
    'an acknowledgement before the publication': { expects: /is acknowledged and not in the table/, programs: { put: moved(put, 'acknowledge', 'publish') } },
    'a publication before the value is filled': { expects: /not whole/, programs: { put: moved(put, 'publish', 'fill value') } },
    'a publication before the link': { expects: /leads out of the table/, programs: { put: moved(put, 'publish', 'link') }, config: oneBucket },
    'an overwrite in place': { expects: /not whole/, programs: { put: ['overwrite key', 'overwrite value', 'bump', 'acknowledge'] } },
    'a repair that bumps nothing': { expects: /accepted/, programs: { repair: ['rebuild'] } },
    'a repair that bumps one group': { expects: /accepted/, programs: { repair: ['bump group 0', 'rebuild'] } },
    'a repair that forgets that chains go on': { expects: /free and reachable/, programs: { repair: ['bump group 0', 'bump group 1', 'rebuild from heads'] }, config: oneBucket },
    'a reader that loads the head before the version': { expects: /accepted/, programs: { readFrom: 'head' } },
    'a reader that does not look again': { expects: /accepted/, programs: { readChecks: false } },
    'a reader that remembers where it found a key': { expects: /although #\d was known/, programs: { readRemembers: true }, config: { readsEach: 2 } },
    'a reader that notes what it read with a load and a store': { expects: /was published last|free and reachable|neither free/, programs: { readNotes: 'load and store' } },
    'a writer that takes the note of a read for a part of the block': { expects: /free and reachable/, programs: { masks: false } },
    'versions that wrap during a read': { expects: /accepted/, config: { versions: 2 } },
  }
  for (const [name, { expects, programs, config }] of Object.entries(faults)) {
    it(`catches ${name}`, () => {
      const { counterexample } = explore(tableModel({ ...TABLE, ...config, name, ...(programs && { programs }) }))
      expect(counterexample?.message).to.match(expects)
    })
  }
})

const PLACES = {
  'in one bucket': { writerOfKey: [0, 0], bucketOfKey: [0, 0], versionOfKey: [0, 0], blocks: 4 },
  'in two groups': { writerOfKey: [0, 0], bucketOfKey: [0, 1], versionOfKey: [0, 1], blocks: 4 },
  'in two tables': { writerOfKey: [0, 1], bucketOfKey: [0, 1], versionOfKey: [0, 1], blocks: 2 },
} as const
const PUTS: Item = { transaction: ['put', 'put'] }
const PREPARED: Omit<PreparedConfig, 'name'> = { ...PLACES['in two groups'], items: [PUTS, PUTS], present: [0, 1], reads: 'one key', retries: 1, kills: 0 }

describe('transactions in tables, every interleaving', () => {
  const removal: readonly Item[] = [{ transaction: ['remove', 'put'] }, { put: 0 }]
  for (const [where, places] of Object.entries(PLACES)) {
    const variants: Record<string, Partial<PreparedConfig>> = {
      'two transactions in one slot': { items: [PUTS, PUTS], kills: where === 'in two tables' ? 0 : 1 },
      'two transactions in one slot, a snapshot': { items: [PUTS, PUTS], reads: 'snapshot' },
      'a removal, and a put after it': { items: removal, kills: 1 },
      'a removal, and a put after it, a snapshot': { items: removal, reads: 'snapshot' },
      'a transaction of one key that is new, and one of both': { items: [{ transaction: ['put', 'leave'] }, { transaction: ['remove', 'put'] }], present: [1], kills: 1 },
      'a transaction and a put, a snapshot that does not try again': { items: [PUTS, { put: 1 }], reads: 'snapshot', retries: 0, kills: 1 },
    }
    for (const [what, variant] of Object.entries(variants)) {
      const name = `${what}, two keys ${where}${variant.kills === 1 ? ', a death' : ''}`
      it(name, function () { holds(preparedModel({ ...PREPARED, ...places, ...variant, name }), this.test) })
    }
  }

  it('also holds when preparing does not move the version, since nothing is taken out', function () {
    const tasks = { prepare: without(PREPARED_PROGRAMS.tasks.prepare, 'bump') }
    for (const reads of ['one key', 'snapshot'] as const) holds(preparedModel({ ...PREPARED, reads, programs: { tasks }, name: 'no bump' }), this.test)
  })

  const { finish, 'finish removal': finishRemoval, undo } = PREPARED_PROGRAMS.tasks
  const faults: Record<string, { expects: RegExp; programs: PreparedConfig['programs']; config?: Partial<PreparedConfig> }> = {
    'an entry that goes out before the version has moved since the commit': { expects: /did not hold meanwhile/, programs: { tasks: { finish: finish.slice(1) } } },
    'an entry that goes out and is freed without a bump': { expects: /did not hold meanwhile/, programs: { tasks: { finish: ['bump', 'unlink', 'untag', 'free'] } } },
    'a removal that is finished without a bump': { expects: /did not hold meanwhile/, programs: { tasks: { 'finish removal': without(finishRemoval, 'bump') } }, config: { items: removal } },
    'a tag that goes before the entry': { expects: /in the table twice/, programs: { tasks: { finish: moved(finish, 'untag', 'unlink') } }, config: { kills: 1 } },
    'a removal that goes before the entry': { expects: /key 0 reads as 1 and should hold 0/, programs: { tasks: { 'finish removal': moved(finishRemoval, 'take out', 'unlink') } }, config: { items: removal } },
    'something undone without a bump, and its block used for a key of another group': {
      expects: /did not hold meanwhile/, programs: { tasks: { undo: without(undo, 'bump') } },
      config: { items: [{ transaction: ['put', 'leave'] }, { transaction: ['leave', 'put'] }], blocks: 3 },
    },
    'a repair that bumps nothing': { expects: /did not hold meanwhile/, programs: { repair: ['rebuild'] }, config: { kills: 1 } },
    'a repair that undoes what is committed': { expects: /reads as 1 and should hold 2/, programs: { resolve: 'undo' }, config: { kills: 1 } },
    'a repair that leaves what is prepared': { expects: /carries a slot that is free/, programs: { resolve: 'nothing' }, config: { kills: 1 } },
    'a commit before all have prepared': { expects: /reads as 1 and should hold 2/, programs: { commit: 'when one has' }, config: PLACES['in two tables'] },
    'a slot that is free before all have finished': { expects: /reads as 1 and should hold 2/, programs: { release: 'at once' } },
    'a reader that takes what is prepared': { expects: /did not hold meanwhile/, programs: { reader: 'counts' } },
    'a reader that passes over what is committed': { expects: /did not hold meanwhile/, programs: { reader: 'passes over' } },
    'a reader that looks behind a removal': { expects: /did not hold meanwhile/, programs: { reader: 'passes over removals' }, config: { items: removal } },
    'a snapshot that looks at nothing again': { expects: /never were there together/, programs: { snapshot: 'nothing' }, config: { reads: 'snapshot' } },
    'a snapshot that looks at versions again, beside a commit': { expects: /never were there together/, programs: { snapshot: 'versions' }, config: { reads: 'snapshot' } },
    'a snapshot that looks at versions again, beside a put that is published and acted upon before its bump': {
      expects: /never were there together/, programs: { snapshot: 'versions' }, config: { ...PLACES['in two tables'], items: [{ put: 0 }, { put: 1 }], reads: 'snapshot' },
    },
  }
  for (const [name, { expects, programs, config }] of Object.entries(faults)) {
    it(`catches ${name}`, () => {
      const { counterexample } = explore(preparedModel({ ...PREPARED, ...config, name, ...(programs && { programs }) }))
      expect(counterexample?.message).to.match(expects)
    })
  }
})

const MAILBOX: Omit<MailboxConfig, 'name'> = { lanes: [['ask', 'ask', 'ask']], requestRoom: 1, replyRoom: 1, consumerKills: 1, clientKills: 0 }

describe('the mailbox’s protocol, every interleaving', () => {
  const configs: Record<string, Partial<MailboxConfig>> = {
    'three asks through rings of one frame, two deaths': { consumerKills: 2 },
    'three asks through a request ring of two, a death': { requestRoom: 2 },
    'four asks through rings of two, a death': { lanes: [['ask', 'ask', 'ask', 'ask']], requestRoom: 2, replyRoom: 2 },
    'tells and asks mixed, a death': { lanes: [['tell', 'ask', 'tell']], requestRoom: 2 },
    'a client that dies, and the consumer too': { lanes: [['ask', 'ask']], requestRoom: 2, clientKills: 1 },
    'two lanes, a death': { lanes: [['ask'], ['ask']] },
    'two lanes, two asks in one': { lanes: [['ask'], ['ask', 'ask']], consumerKills: 0 },
    'two lanes, of which one dies': { lanes: [['ask'], ['ask']], consumerKills: 0, clientKills: 1 },
    'asks answered later and at once, a death': { lanes: [['defer', 'ask', 'defer']] },
    'the same with room, a death': { lanes: [['defer', 'ask', 'defer']], requestRoom: 2, replyRoom: 2 },
    'the same of a consumer that keeps what it deferred, two deaths': { lanes: [['defer', 'ask', 'defer']], consumerKills: 2, durable: true },
    'two lanes, one answered later, a death': { lanes: [['defer'], ['ask']] },
    'a client that dies before it was answered, and the consumer too': { lanes: [['defer', 'defer']], requestRoom: 2, clientKills: 1 },
    'the same of a consumer that keeps what it deferred': { lanes: [['defer', 'defer']], requestRoom: 2, clientKills: 1, durable: true },
  }
  for (const [name, config] of Object.entries(configs)) {
    it(name, function () { holds(mailboxModel({ ...MAILBOX, ...config, name }), this.test) })
  }
  it('also holds when the bell is loaded between the flag and the look', function () {
    holds(mailboxModel({ ...MAILBOX, name: 'expect later', programs: { consumerSleep: ['flag', 'expect', 'look', 'wait'] } }), this.test)
  })

  const { send, handle, defer, answer, collect, restart, reap } = MAILBOX_PROGRAMS
  const tells: Partial<MailboxConfig> = { lanes: [['tell', 'tell']] }
  const later: Partial<MailboxConfig> = { lanes: [['defer', 'ask', 'defer']] }
  const dies: Partial<MailboxConfig> = { lanes: [['ask', 'ask']], requestRoom: 2, clientKills: 1 }
  const faults: Record<string, { expects: RegExp; programs: Partial<MailboxPrograms>; config?: Partial<MailboxConfig> }> = {
    'done before the reply is written': { expects: /next one due/, programs: { handle: moved(handle, 'done', 'write reply') } },
    'done before the reply is published': { expects: /next one due/, programs: { handle: moved(handle, 'done', 'publish reply') } },
    'a message that runs before it is taken': { expects: /runs twice/, programs: { handle: moved(handle, 'run', 'take') } },
    'the reply’s position noted after the message is taken': { expects: /next one due/, programs: { handle: moved(handle, 'take', 'note') } },
    'a client rung before done, which waits for room': {
      expects: /nobody can step/, programs: { handle: [...without(handle, 'done'), 'done'] }, config: tells,
    },
    'a notification without moving the client’s bell': { expects: /nobody can step/, programs: { handle: without(handle, 'ring') } },
    'a notification without moving the consumer’s bell': { expects: /nobody can step/, programs: { send: without(send, 'ring') } },
    'room that is free when the message is taken': { expects: /overwritten/, programs: { roomAfter: 'taken' } },
    'no room reserved for the reply': { expects: /overwritten/, programs: { reserves: false } },
    'a restart that does not ask whether the reply went out': { expects: /overwritten/, programs: { judge: 'never' } },
    'the same with room to spare': { expects: /next one due/, programs: { judge: 'never' }, config: { replyRoom: 2 } },
    'a restart that judges by the last reply in the ring, where the next one is being written': { expects: /next one due/, programs: { judge: 'by the last reply in the ring' } },
    'a restart that reports no unknown message': { expects: /next one due/, programs: { restart: without(restart, 'write crashed', 'publish crashed') } },
    'a restart that is done first, and dies': { expects: /next one due/, programs: { restart: moved(restart, 'done', 'write crashed') }, config: { consumerKills: 2 } },
    'a restart that rings nobody': { expects: /nobody can step/, programs: { restart: without(restart, 'ring', 'notify') } },
    'a consumer that does not look again before it sleeps': { expects: /nobody can step/, programs: { consumerSleep: ['expect', 'flag', 'wait'] } },
    'a consumer that looks again before it says so': { expects: /nobody can step/, programs: { consumerSleep: ['expect', 'look', 'flag', 'wait'] } },
    'a consumer that loads its bell after the last look': { expects: /nobody can step/, programs: { consumerSleep: ['flag', 'look', 'expect', 'wait'] } },
    'a client that does not look again before it waits': { expects: /nobody can step/, programs: { clientSleep: ['expect', 'flag', 'wait'] } },
    'a client that loads its bell after the last look': { expects: /nobody can step/, programs: { clientSleep: ['flag', 'look', 'expect', 'wait'] } },
    'a client that looks for a sleeper before it publishes': { expects: /nobody can step/, programs: { send: moved(send, 'look', 'publish') } },
    'a client that publishes before it writes': { expects: /overwritten/, programs: { send: moved(send, 'publish', 'write') } },
    'a client that frees a reply’s room and rings nobody': { expects: /nobody can step/, programs: { collect: ['settle', 'head'] } },
    'a client that frees a reply’s room before it read it': { expects: /next one due/, programs: { collect: moved(collect, 'head', 'settle') } },
    'a restart that does not say what is lost': { expects: /nobody can step/, programs: { lostUpTo: 'nothing' }, config: later },
    'a restart that calls lost what nobody has taken': { expects: /nobody died/, programs: { lostUpTo: 'tail' }, config: { ...later, requestRoom: 2 } },
    'a deferral marked after the message is done': { expects: /nobody can step/, programs: { defer: [...without(defer, 'mark'), 'mark'] }, config: later },
    'a deferred message kept after it is done': {
      expects: /nobody can step/, programs: { defer: [...without(defer, 'keep'), 'keep'] }, config: { ...later, durable: true },
    },
    'a deferred message forgotten before its reply is published': {
      expects: /nobody can step/, programs: { answer: moved(answer, 'forget', 'publish') }, config: { ...later, durable: true },
    },
    'a deferred reply that does not wait for room': { expects: /overwritten/, programs: { waitsForRoom: false }, config: { lanes: [['defer', 'defer']] } },
    'a deferred reply that rings nobody': { expects: /nobody can step/, programs: { answer: without(answer, 'ring', 'notify') }, config: later },
    'a dead client that is not noticed': { expects: /nobody can step/, programs: { reap: [] }, config: dies },
    'a dead client’s lane closed without a ring': { expects: /nobody can step/, programs: { reap: ['close'] }, config: dies },
    'a dead client’s lane closed after the ring': { expects: /nobody can step/, programs: { reap: [...without(reap, 'close'), 'close'] }, config: dies },
    'a dead client’s replies waiting for room': { expects: /nobody can step/, programs: { dropsReplies: false }, config: dies },
  }
  for (const [name, { expects, programs, config }] of Object.entries(faults)) {
    it(`catches ${name}`, () => {
      expect(explore(mailboxModel({ ...MAILBOX, ...config, name, programs })).counterexample?.message).to.match(expects)
    })
  }
})
