/**
 * The mailbox's protocol, modelled: lanes from clients to one consumer, a reply ring beside each, and two doorbells. The consumer
 * may be killed between any two steps and is started again; a client may be killed and is not.
 *
 *   client ── request ring ──▶ consumer          done ≤ taken ≤ tail      the room before `done` is free
 *     ▲                           │
 *     └────── reply ring ◀────────┘              replyHead ≤ replyTail    the room before `replyHead` is free
 *
 * SEND      load `done`: is there room? · write the frame · store `tail` · load `sleeping`: if 1, ring the consumer
 * HANDLE    load `tail`, load `replyHead`: is there a request, and room for its reply? (a tell needs none, nor a closed lane)
 *           store `replyFrom` = replyTail · store `taken` · run · write the reply · store `replyTail` · store `done` ·
 *           load `armed`: if 1, ring the client. So one ring, after `done`, tells of the reply and of the room alike
 * COLLECT   load `replyTail` · read the reply, settle · store `replyHead` · load `sleeping`: if 1, ring the consumer: it
 *           may be waiting for just this room
 * RING      Atomics.add to the bell, then Atomics.notify
 * SLEEP     load the bell · store `sleeping` (or `armed`) = 1 · look again at everything that could be work ·
 *           wait(bell, what was loaded), which returns at once if the bell moved · store 0
 * RESTART   for each lane: if taken ≠ done, one message is in doubt. If replyTail ≠ replyFrom its reply went out; if not, and
 *           it is an ask of a living client, publish `crashed` in the room that was reserved. Store done = taken. Ring
 *           the client, whatever its flag says: the consumer before may have died just before it would have rung
 * DEFER     as HANDLE up to `run` · keep the message · store `defers` = 1 · store `done`, without a reply · ring. Later, between messages, in any
 *           order, when there is room: write the reply · store `replyTail` · forget the message · ring
 * LOSS      a restart whose lane has `defers` set, of a consumer that kept its deferred messages only in its own memory: before anything
 *           else of that lane, when there is room, publish `lost` with the position `done` as it was found. What the client
 *           sent up to there and has no answer to never gets one. A consumer that keeps them in shared memory answers them instead
 * REAP      a client is dead: store `closed` · ring the consumer, for the client may have died before it did. What it
 *           published runs, without replies; when the lane is empty the consumer gives it back
 *
 * | word        | writer                           | readers                      | why that is enough                            |
 * |-------------|----------------------------------|------------------------------|-----------------------------------------------|
 * | request     | client, plain, in the room       | consumer, plain, once `tail` | not reused before `done`, which the client    |
 * | frames      | between tail and done + capacity | covers them                  | loads before it writes                        |
 * | tail        | client, `Atomics.store`          | consumer                     | publishes the frame                           |
 * | taken       | consumer, `Atomics.store`        | the next consumer            | stored before the message can have an effect  |
 * | done        | consumer, `Atomics.store`        | client; the next consumer    | stored after the reply is published, so a     |
 * |             |                                  |                              | message between done and taken is in doubt    |
 * | replyFrom   | consumer, `Atomics.store` before | the next consumer            | replyTail moves by one store; comparing two   |
 * |             | taken                            |                              | positions cannot be wrong halfway             |
 * | reply       | consumer, plain, in the room     | client, plain, once          | room was seen before `taken`, and only the    |
 * | frames      | that it reserved                 | `replyTail` covers them      | client makes more                             |
 * | replyTail   | consumer, `Atomics.store`        | client; the next consumer    | publishes the reply                           |
 * | replyHead   | client, `Atomics.store`; the     | consumer                     | frees the room after the reply was copied     |
 * |             | consumer on giving back          |                              |                                               |
 * | sleeping    | consumer, `Atomics.store`        | clients after each publish   | flag then look, against publish then flag: in |
 * | armed       | client, `Atomics.store`          | consumer after `done`        | a sequential order one of the two sees        |
 * | bells       | `Atomics.add` and notify         | `Atomics.wait`, `waitAsync`  | loaded before the last look, so a ring after  |
 * |             |                                  |                              | it makes the wait return at once              |
 * | defers      | consumer, plain, before `done`   | the next consumer            | a thread's end orders what it wrote before    |
 * | closed      | the reaper, then the consumer    | consumer                     | never set back while the client's words are   |
 * |             |                                  |                              | in use                                        |
 *
 * CHOICES THAT LOOK LIKE MISTAKES
 *
 * - The restart compares positions and does not read the last reply's sequence number out of the ring: an unpublished reply may
 *   already have overwritten it, and would pass for published. Nor does it publish `crashed` on suspicion and leave it to the client to drop
 *   duplicates: only one reply's room was reserved.
 * - The client is rung after `done`, not after `replyTail`: one that waits for room would look at the old `done` and sleep on.
 *   Tells ring too, for the same reason.
 * - The consumer is rung for room in the reply ring, not for requests alone.
 * - A deferred reply may come twice from a consumer that keeps what it deferred: it died between publishing and forgetting. The client
 *   drops the second one.
 *
 * Positions and rings are counted in frames here; bytes change nothing but the arithmetic. The consumer neither spins nor
 * polls in the model, nor does the client: every time it finds nothing it goes to sleep, which is the worst case. A wait never wakes without reason here.
 *
 * MEMORY MODEL. All words but the frames go through sequentially consistent Atomics, and the doorbells need that: a flag and a look that are only
 * acquire and release can pass each other. Frames are read after an atomic load that covered them.
 *
 * What is checked is said where it is checked: `run`, `settle`, `violation` and `isFinal`; that nobody sleeps on work is
 * the search's own check for deadlock.
 */

import { layout, type Model, type OfferStep, type State } from './model-checker.js'

type HandleInstruction = 'note' | 'take' | 'run' | 'write reply' | 'publish reply' | 'keep' | 'mark' | 'done' | 'look' | 'ring' | 'notify'
type AnswerInstruction = 'write' | 'publish' | 'forget' | 'look' | 'ring' | 'notify'
type RestartInstruction = 'judge' | 'write crashed' | 'publish crashed' | 'done' | 'ring' | 'notify'
type SendInstruction = 'write' | 'publish' | 'look' | 'ring' | 'notify'
type CollectInstruction = 'settle' | 'head' | 'look' | 'ring' | 'notify'
type SleepInstruction = 'expect' | 'flag' | 'look' | 'wait'
type ReapInstruction = 'close' | 'ring' | 'notify'

export interface MailboxPrograms {
  readonly send: readonly SendInstruction[]
  readonly handle: readonly HandleInstruction[]
  readonly defer: readonly HandleInstruction[]
  /** A deferred reply, and `lost`. */
  readonly answer: readonly AnswerInstruction[]
  readonly collect: readonly CollectInstruction[]
  readonly consumerSleep: readonly SleepInstruction[]
  readonly clientSleep: readonly SleepInstruction[]
  readonly restart: readonly RestartInstruction[]
  readonly reap: readonly ReapInstruction[]
  /** How a restarted consumer knows whether a reply went out. */
  readonly judge: 'by position' | 'by the last reply in the ring' | 'never'
  /** The word that frees a request's room. */
  readonly roomAfter: 'done' | 'taken'
  /** Whether a request is handled only if there is room for its reply. */
  readonly reserves: boolean
  /** Whether a closed lane is drained without replies. */
  readonly dropsReplies: boolean
  /** Whether a deferred reply waits for room. */
  readonly waitsForRoom: boolean
  /** The position that a restart says what is lost by. */
  readonly lostUpTo: 'done' | 'tail' | 'nothing'
}

/** The protocol as it is meant. */
export const MAILBOX_PROGRAMS: MailboxPrograms = {
  send: ['write', 'publish', 'look', 'ring', 'notify'],
  handle: ['note', 'take', 'run', 'write reply', 'publish reply', 'done', 'look', 'ring', 'notify'],
  collect: ['settle', 'head', 'look', 'ring', 'notify'],
  defer: ['note', 'take', 'run', 'keep', 'mark', 'done', 'look', 'ring', 'notify'],
  answer: ['write', 'publish', 'forget', 'look', 'ring', 'notify'],
  consumerSleep: ['expect', 'flag', 'look', 'wait'],
  clientSleep: ['expect', 'flag', 'look', 'wait'],
  restart: ['judge', 'write crashed', 'publish crashed', 'done', 'ring', 'notify'],
  reap: ['close', 'ring', 'notify'],
  judge: 'by position',
  roomAfter: 'done',
  reserves: true,
  dropsReplies: true,
  waitsForRoom: true,
  lostUpTo: 'done',
}

export interface MailboxConfig {
  readonly name: string
  /** What each client sends, in order: at most 6 each. `defer` is an ask that is answered later. */
  readonly lanes: readonly (readonly ('ask' | 'tell' | 'defer')[])[]
  /** Whether what is deferred survives the consumer. */
  readonly durable?: boolean
  /** The room of a ring, in frames. */
  readonly requestRoom: number
  readonly replyRoom: number
  readonly consumerKills: number
  readonly clientKills: number
  readonly programs?: Partial<MailboxPrograms>
}

const CONSUMER = { scanning: 0, handling: 1, settingOut: 2, asleep: 3, waking: 4, dead: 5, restarting: 6, answering: 7 } as const
const CLIENT = { choosing: 0, nothingToCollect: 1, nothingToSend: 2, sending: 3, collecting: 4, settingOut: 5, lookingForRoom: 6, asleep: 7, waking: 8, dead: 9 } as const
/** What `replying` says of a message that is answered later. */
const DEFERRED = 2
const OPEN = 0
const CLOSED = 1
const GIVEN_BACK = 2
const REPLY = { result: 1, crashed: 2, lost: 3 } as const

export function mailboxModel(config: MailboxConfig): Model {
  const { requestRoom, replyRoom } = config
  const programs = { ...MAILBOX_PROGRAMS, ...config.programs }
  const lanes = config.lanes.length
  const at = layout({
    // shared memory, for each lane; a frame is the number of its message, from 1, and for a reply what it says
    tail: lanes, taken: lanes, done: lanes, replyFrom: lanes, replyTail: lanes, replyHead: lanes, armed: lanes, bell: lanes, closed: lanes,
    defers: lanes,
    requests: lanes * requestRoom, replies: lanes * replyRoom,
    // shared memory of the mailbox
    sleeping: 1, consumerBell: 1,
    // what is deferred, a bit set: in shared memory or the consumer's own; and the position + 1 that it owes a `lost` for
    deferred: lanes, owes: lanes,
    // the consumer: the message at work and whether it writes a reply
    phase: 1, pc: 1, lane: 1, message: 1, replying: 1, consumerKills: 1,
    // each client, whether it found nobody to ring, and who reaps it
    cPhase: lanes, cPc: lanes, cQuiet: lanes, clientKills: 1, reaperPc: lanes,
    // for judging only, each a bit set of messages: run, settled with a result, settled as unknown, in doubt when the consumer died
    ran: lanes, settled: lanes, unknown: lanes, doubted: lanes,
  })
  const isAsk = (lane: number, message: number): boolean => config.lanes[lane]![message - 1] !== 'tell'
  const isDeferred = (lane: number, message: number): boolean => config.lanes[lane]![message - 1] === 'defer'
  const sent = (lane: number): number => config.lanes[lane]!.length
  const has = (bits: number, message: number): boolean => (bits & (1 << message)) !== 0

  /** The messages of a lane, up to the newest published, that are asks and not settled. */
  function waitingFor(state: State, lane: number): number[] {
    const settled = state[at.settled + lane]! | state[at.unknown + lane]!
    return range(state[at.tail + lane]!).filter((message) => isAsk(lane, message) && !has(settled, message))
  }

  // ── the consumer ────────────────────────────────────────────────────────────────────────────────────────────────────

  // Two words are read in one step here. Both only grow, and only the consumer makes the condition false again, so
  // reading one after the other finds the same.
  function workIn(state: State, lane: number): 'message' | 'lost' | 'give back' | undefined {
    const done = state[at.done + lane]!
    const closed = state[at.closed + lane]!
    if (closed === GIVEN_BACK) return undefined
    if (state[at.owes + lane] !== 0) return closed === CLOSED || hasReplyRoom(state, lane) ? 'lost' : undefined
    if (state[at.tail + lane] === done) return closed === CLOSED && state[at.deferred + lane] === 0 ? 'give back' : undefined
    const room = !programs.reserves || hasReplyRoom(state, lane)
    return room || !isAsk(lane, done + 1) || (closed === CLOSED && programs.dropsReplies) ? 'message' : undefined
  }

  function hasReplyRoom(state: State, lane: number): boolean {
    return state[at.replyTail + lane]! - state[at.replyHead + lane]! < replyRoom
  }

  /** What was deferred and can be answered now. */
  function answerable(state: State, lane: number): number[] {
    if (state[at.owes + lane] !== 0) return []
    if (state[at.closed + lane] === OPEN && programs.waitsForRoom && !hasReplyRoom(state, lane)) return []
    return range(sent(lane)).filter((message) => has(state[at.deferred + lane]!, message))
  }

  function scan(next: State): void {
    next[at.phase] = CONSUMER.scanning
    next[at.pc] = next[at.lane] = next[at.message] = next[at.replying] = next[at.consumerBell] = 0
  }

  function consumer(state: State, step: OfferStep): void {
    const lane = state[at.lane]!
    switch (state[at.phase]) {
      case CONSUMER.scanning: {
        const work = workIn(state, lane)
        const answers = answerable(state, lane)
        for (const message of answers) {
          step(`answers message ${message} in lane ${lane}`, (next) => {
            if (next[at.closed + lane] === OPEN) beginAnswer(next, message)
            else next[at.deferred + lane]! &= ~(1 << message)
          })
        }
        if (work === 'lost') {
          return step(`says what is lost in lane ${lane}`, (next) => {
            if (next[at.closed + lane] === OPEN) beginAnswer(next, 0)
            else next[at.owes + lane] = 0
          })
        }
        if (work === 'message') {
          return step(`finds message ${state[at.done + lane]! + 1} in lane ${lane}`, (next) => {
            next[at.phase] = CONSUMER.handling
            const message = next[at.done + lane]! + 1
            const replies = isAsk(lane, message) && (next[at.closed + lane] === OPEN || !programs.dropsReplies)
            next[at.replying] = isDeferred(lane, message) ? DEFERRED : replies ? 1 : 0
          })
        }
        if (work === 'give back') {
          return step(`gives lane ${lane} back`, (next) => {
            next[at.replyHead + lane] = next[at.replyTail + lane]!
            next[at.closed + lane] = GIVEN_BACK
            scan(next)
          })
        }
        if (answers.length > 0) return
        return step(`finds nothing in lane ${lane}`, (next) => {
          if (++next[at.lane]! < lanes) return
          scan(next)
          next[at.phase] = CONSUMER.settingOut
        })
      }
      case CONSUMER.handling: return handle(lane, state, step)
      case CONSUMER.answering: return answer(lane, state, step)
      case CONSUMER.settingOut: {
        const instruction = programs.consumerSleep[state[at.pc]!]!
        return step(`sleep: ${instruction}${instruction === 'look' ? ` at lane ${lane}` : ''}`, (next) => {
          next[at.pc]!++
          if (instruction === 'expect') next[at.consumerBell] = 0
          else if (instruction === 'flag') next[at.sleeping] = 1
          else if (instruction === 'wait') {
            next[at.phase] = next[at.consumerBell] === 0 ? CONSUMER.asleep : CONSUMER.waking
            next[at.pc] = next[at.consumerBell] = 0
          } else if (workIn(next, lane) !== undefined || answerable(next, lane).length > 0) next[at.phase] = CONSUMER.waking
          else if (++next[at.lane]! < lanes) next[at.pc]!--
          else next[at.lane] = 0
        })
      }
      case CONSUMER.waking: return step('is awake', (next) => {
        next[at.sleeping] = 0
        scan(next)
      })
      case CONSUMER.dead: return step('is started again', (next) => void (next[at.phase] = CONSUMER.restarting))
      case CONSUMER.restarting: return restart(lane, state, step)
    }
  }

  function handle(lane: number, state: State, step: OfferStep): void {
    const program = state[at.replying] === DEFERRED ? programs.defer : programs.handle
    const instruction = program[state[at.pc]!]!
    step(`lane ${lane}: ${instruction}`, (next) => {
      let wrong: string | undefined
      switch (instruction) {
        case 'note': next[at.replyFrom + lane] = next[at.replyTail + lane]!; break
        case 'take': next[at.taken + lane] = next[at.done + lane]! + 1; break
        case 'run': wrong = run(next, lane); break
        case 'write reply': wrong = writeReply(next, lane, REPLY.result); break
        case 'publish reply': next[at.replyTail + lane]!++; break
        case 'keep': next[at.deferred + lane]! |= 1 << next[at.message]!; break
        case 'mark': next[at.defers + lane] = 1; break
        case 'done': next[at.done + lane]!++; break
        case 'look': if (next[at.armed + lane] === 0) next[at.pc] = program.lastIndexOf('notify'); break
        case 'ring': moveClientBell(next, lane); break
        case 'notify': wakeClient(next, lane); break
      }
      do next[at.pc]!++
      while (next[at.replying] === 0 && program[next[at.pc]!]?.endsWith('reply') === true)
      if (next[at.pc]! >= program.length) scan(next)
      return wrong
    })
  }

  /** `message` 0: says what is lost. */
  function beginAnswer(next: State, message: number): void {
    next[at.phase] = CONSUMER.answering
    next[at.message] = message
  }

  function answer(lane: number, state: State, step: OfferStep): void {
    const instruction = programs.answer[state[at.pc]!]!
    const message = state[at.message]!
    step(`lane ${lane}, ${message === 0 ? 'lost' : `deferred ${message}`}: ${instruction}`, (next) => {
      let wrong: string | undefined
      switch (instruction) {
        case 'write':
          wrong = message === 0 ? writeFrame(next, lane, (next[at.owes + lane]! - 1) * 4 + REPLY.lost) : writeReply(next, lane, REPLY.result)
          break
        case 'publish': next[at.replyTail + lane]!++; break
        case 'forget':
          if (message === 0) next[at.owes + lane] = 0
          else next[at.deferred + lane]! &= ~(1 << message)
          break
        case 'look': if (next[at.armed + lane] === 0) next[at.pc] = programs.answer.lastIndexOf('notify'); break
        case 'ring': moveClientBell(next, lane); break
        case 'notify': wakeClient(next, lane); break
      }
      if (++next[at.pc]! >= programs.answer.length) scan(next)
      return wrong
    })
  }

  /** A message runs once, whole, and after all that its sender sent before. */
  function run(next: State, lane: number): string | undefined {
    const wanted = next[at.done + lane]! + 1
    const message = next[at.requests + lane * requestRoom + ((wanted - 1) % requestRoom)]!
    next[at.message] = message
    if (message !== wanted) return `message ${wanted} was overwritten by ${message} before it ran`
    if (has(next[at.ran + lane]!, message)) return `message ${message} runs twice`
    if (next[at.ran + lane]! >> message !== 0) return `message ${message} runs after a later one`
    next[at.ran + lane]! |= 1 << message
    return undefined
  }

  function writeReply(next: State, lane: number, kind: number): string | undefined {
    return writeFrame(next, lane, next[at.message]! * 4 + kind)
  }

  function writeFrame(next: State, lane: number, frame: number): string | undefined {
    const position = next[at.replyTail + lane]!
    next[at.replies + lane * replyRoom + (position % replyRoom)] = frame
    return position - next[at.replyHead + lane]! >= replyRoom ? 'a reply is overwritten before it was read' : undefined
  }

  function restart(lane: number, state: State, step: OfferStep): void {
    const instruction = programs.restart[state[at.pc]!]!
    step(`restart, lane ${lane}: ${instruction}`, (next) => {
      let wrong: string | undefined
      switch (instruction) {
        case 'judge':
          if (next[at.defers + lane] === 1 && next[at.closed + lane] === OPEN && programs.lostUpTo !== 'nothing' && config.durable !== true) {
            next[at.owes + lane] = next[at[programs.lostUpTo] + lane]! + 1
          }
          if (next[at.taken + lane] === next[at.done + lane]) break
          next[at.message] = next[at.taken + lane]!
          next[at.replying] = isAsk(lane, next[at.message]!) && next[at.closed + lane] === OPEN && !repliedTo(next, lane) ? 1 : 0
          break
        case 'write crashed': wrong = writeReply(next, lane, REPLY.crashed); break
        case 'publish crashed': next[at.replyTail + lane]!++; break
        case 'done': next[at.done + lane] = next[at.taken + lane]!; break
        case 'ring': moveClientBell(next, lane); break
        case 'notify': wakeClient(next, lane); break
      }
      const skips = (what: RestartInstruction | undefined): boolean =>
        (what === 'done' && next[at.message] === 0) || (what?.endsWith('crashed') === true && next[at.replying] === 0)
      do next[at.pc]!++
      while (skips(programs.restart[next[at.pc]!]))
      if (next[at.pc] !== programs.restart.length) return wrong
      next[at.pc] = next[at.message] = next[at.replying] = 0
      if (++next[at.lane]! === lanes) scan(next)
      return wrong
    })
  }

  function repliedTo(state: State, lane: number): boolean {
    const replyTail = state[at.replyTail + lane]!
    if (programs.judge === 'never') return false
    if (programs.judge === 'by position') return replyTail !== state[at.replyFrom + lane]
    const last = state[at.replies + lane * replyRoom + ((replyTail + replyRoom - 1) % replyRoom)]!
    return last >> 2 === state[at.taken + lane]
  }

  // A bell is modelled by whether it moved since its sleeper loaded it; its count serves nothing else.
  function moveConsumerBell(next: State): void {
    if (next[at.phase] === CONSUMER.settingOut) next[at.consumerBell] = 1
  }

  function moveClientBell(next: State, lane: number): void {
    const phase = next[at.cPhase + lane]
    if (phase === CLIENT.settingOut || phase === CLIENT.lookingForRoom) next[at.bell + lane] = 1
  }

  function wakeConsumer(next: State): void {
    if (next[at.phase] === CONSUMER.asleep) next[at.phase] = CONSUMER.waking
  }

  function wakeClient(next: State, lane: number): void {
    if (next[at.cPhase + lane] === CLIENT.asleep) next[at.cPhase + lane] = CLIENT.waking
  }

  // ── a client ────────────────────────────────────────────────────────────────────────────────────────────────────────

  function client(lane: number, state: State, step: OfferStep): void {
    const enter = (next: State, phase: number): void => {
      next[at.cPhase + lane] = phase
      next[at.cPc + lane] = 0
    }
    const unsent = state[at.tail + lane]! < sent(lane)
    const room = state[at.tail + lane]! - state[(programs.roomAfter === 'done' ? at.done : at.taken) + lane]! < requestRoom
    const replies = state[at.replyTail + lane]! !== state[at.replyHead + lane]!
    const pc = state[at.cPc + lane]!
    const phase = state[at.cPhase + lane]!

    switch (phase) {
      case CLIENT.choosing:
      case CLIENT.nothingToCollect:
      case CLIENT.nothingToSend: {
        if (!unsent && waitingFor(state, lane).length === 0) return
        if (phase !== CLIENT.nothingToCollect) {
          const none = phase === CLIENT.nothingToSend || !unsent ? CLIENT.settingOut : CLIENT.nothingToCollect
          step(replies ? 'finds a reply' : 'finds no reply', (next) => enter(next, replies ? CLIENT.collecting : none))
        }
        if (phase !== CLIENT.nothingToSend && unsent) {
          const none = phase === CLIENT.nothingToCollect ? CLIENT.settingOut : CLIENT.nothingToSend
          step(room ? 'finds room' : 'finds no room', (next) => enter(next, room ? CLIENT.sending : none))
        }
        return
      }
      case CLIENT.sending: {
        const instruction = programs.send[pc]!
        return step(`message ${state[at.tail + lane]! + (pc > programs.send.indexOf('publish') ? 0 : 1)}: ${instruction}`, (next) => {
          next[at.cPc + lane]!++
          const tail = next[at.tail + lane]!
          if (instruction === 'write') next[at.requests + lane * requestRoom + (tail % requestRoom)] = tail + 1
          else if (instruction === 'publish') next[at.tail + lane]!++
          else ringConsumer(next, lane, instruction)
          endOf(next, lane, programs.send)
        })
      }
      case CLIENT.collecting: {
        const instruction = programs.collect[pc]!
        return step(`reply: ${instruction}`, (next) => {
          let wrong: string | undefined
          next[at.cPc + lane]!++
          if (instruction === 'settle') wrong = settle(next, lane)
          else if (instruction === 'head') next[at.replyHead + lane]!++
          else ringConsumer(next, lane, instruction)
          endOf(next, lane, programs.collect)
          return wrong
        })
      }
      case CLIENT.settingOut: {
        const instruction = programs.clientSleep[pc]!
        return step(`sleep: ${instruction}${instruction === 'look' ? ' for replies' : ''}`, (next) => {
          next[at.cPc + lane]!++
          if (instruction === 'expect') next[at.bell + lane] = 0
          else if (instruction === 'flag') next[at.armed + lane] = 1
          else if (instruction === 'wait') {
            next[at.cPhase + lane] = next[at.bell + lane] === 0 ? CLIENT.asleep : CLIENT.waking
            next[at.bell + lane] = 0
          } else if (replies) next[at.cPhase + lane] = CLIENT.waking
          else if (unsent) next[at.cPhase + lane] = CLIENT.lookingForRoom
        })
      }
      case CLIENT.lookingForRoom: return step('sleep: look for room', (next) => void (next[at.cPhase + lane] = room ? CLIENT.waking : CLIENT.settingOut))
      case CLIENT.waking: return step('is awake', (next) => {
        next[at.armed + lane] = next[at.bell + lane] = 0
        enter(next, CLIENT.choosing)
      })
    }
  }

  /** Passes over the ringing if there is nobody to ring, and goes back to choosing after the last instruction. */
  function endOf(next: State, lane: number, program: readonly string[]): void {
    while (next[at.cQuiet + lane] === 1 && ['ring', 'notify'].includes(program[next[at.cPc + lane]!]!)) next[at.cPc + lane]!++
    if (next[at.cPc + lane]! < program.length) return
    next[at.cPhase + lane] = CLIENT.choosing
    next[at.cPc + lane] = next[at.cQuiet + lane] = 0
  }

  function ringConsumer(next: State, lane: number, instruction: 'look' | 'ring' | 'notify'): void {
    if (instruction === 'ring') moveConsumerBell(next)
    else if (instruction === 'notify') wakeConsumer(next)
    else if (next[at.sleeping] === 0) next[at.cQuiet + lane] = 1
  }

  /**
   * Each ask settles once, in the order sent unless it was deferred; with a result only if it ran, as unknown only if the consumer died
   * over it.
   */
  function settle(next: State, lane: number): string | undefined {
    const frame = next[at.replies + lane * replyRoom + (next[at.replyHead + lane]! % replyRoom)]!
    const message = frame >> 2
    const waiting = waitingFor(next, lane)
    if ((frame & 3) === REPLY.lost) {
      const lost = waiting.filter((each) => each <= message)
      const wrong = lost.find((each) => !has(next[at.doubted + lane]!, each))
      for (const each of lost) next[at.unknown + lane]! |= 1 << each
      return wrong === undefined ? undefined : `message ${wrong} is given up although nobody died who was to answer it`
    }
    const late = config.durable === true && isDeferred(lane, message) && !waiting.includes(message)
    if (late) return undefined
    const wanted = isDeferred(lane, message) ? waiting.find((each) => each === message) : waiting.find((each) => !isDeferred(lane, each))
    if (message !== wanted) return `a reply to message ${message} arrives, and the next one due is ${wanted}`
    if ((frame & 3) === REPLY.result) {
      if (!has(next[at.ran + lane]!, message)) return `message ${message} has a result and never ran`
      next[at.settled + lane]! |= 1 << message
    } else {
      if (!has(next[at.doubted + lane]!, message)) return `message ${message} is unknown although nobody died over it`
      next[at.unknown + lane]! |= 1 << message
    }
    return undefined
  }

  // ── deaths ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  function killConsumer(state: State, step: OfferStep): void {
    if (state[at.consumerKills] === 0 || state[at.phase] === CONSUMER.dead) return
    step('the consumer dies', (next) => {
      for (let lane = 0; lane < lanes; lane++) {
        if (next[at.taken + lane] !== next[at.done + lane]) next[at.doubted + lane]! |= 1 << next[at.taken + lane]!
        next[at.owes + lane] = 0
        if (config.durable === true) continue
        next[at.doubted + lane]! |= next[at.deferred + lane]!
        next[at.deferred + lane] = 0
      }
      scan(next)
      next[at.phase] = CONSUMER.dead
      next[at.consumerKills]!--
    })
  }

  function killClient(state: State, step: OfferStep): void {
    if (state[at.clientKills] === 0) return
    for (let lane = 0; lane < lanes; lane++) {
      if (state[at.cPhase + lane] === CLIENT.dead) continue
      step(`client ${lane} dies`, (next) => {
        next[at.cPhase + lane] = CLIENT.dead
        next[at.cPc + lane] = next[at.cQuiet + lane] = next[at.bell + lane] = 0
        next[at.clientKills]!--
      })
    }
  }

  function reaper(state: State, step: OfferStep): void {
    for (let lane = 0; lane < lanes; lane++) {
      const instruction = programs.reap[state[at.reaperPc + lane]!]
      if (state[at.cPhase + lane] !== CLIENT.dead || instruction === undefined) continue
      step(`lane ${lane}: ${instruction}`, (next) => {
        next[at.reaperPc + lane]!++
        if (instruction === 'close') next[at.closed + lane] = CLOSED
        else if (instruction === 'ring') moveConsumerBell(next)
        else wakeConsumer(next)
      })
    }
  }

  function violation(state: State): string | undefined {
    for (let lane = 0; lane < lanes; lane++) {
      const { [at.done + lane]: done, [at.taken + lane]: taken, [at.tail + lane]: tail } = state
      if (!(done! <= taken! && taken! <= tail!)) return `lane ${lane}: done ${done}, taken ${taken} and tail ${tail} are out of order`
      if (taken! - done! > 1) return `lane ${lane}: two messages are in doubt at once`
    }
    return undefined
  }

  /** All was sent and settled, or the client is dead and its lane given back; and all that was published ran or died with a consumer. */
  function isFinal(state: State): boolean {
    return state[at.phase] === CONSUMER.asleep && range(lanes).every((n) => {
      const lane = n - 1
      const left = range(state[at.tail + lane]!).some((message) => !has(state[at.ran + lane]! | state[at.doubted + lane]!, message))
      if (left) return false
      if (state[at.cPhase + lane] === CLIENT.dead) return state[at.closed + lane] === GIVEN_BACK
      return state[at.tail + lane] === sent(lane) && waitingFor(state, lane).length === 0
    })
  }

  const initial = new Uint8Array(at.bytes)
  initial[at.consumerKills] = config.consumerKills
  initial[at.clientKills] = config.clientKills
  return {
    name: config.name,
    initial,
    processes: {
      consumer,
      ...Object.fromEntries(config.lanes.map((_, lane) => [`client ${lane}`, (state: State, step: OfferStep) => client(lane, state, step)])),
      reaper,
      'consumer kill': killConsumer,
      'client kill': killClient,
    },
    misfortunes: ['consumer kill', 'client kill'],
    violation,
    isFinal,
  }
}

/** 1 … last. */
function range(last: number): number[] {
  return Array.from({ length: last }, (_, i) => i + 1)
}
