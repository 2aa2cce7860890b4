import { expect } from 'chai'
import { counter, isLinearizable, list, register, type Operation } from './linearizability.js'

/** `a 0-3 write 1 → true`, one a line; `-?` for an outcome that is unknown. */
function history(text: string): Operation[] {
  return text.trim().split('\n').map((line) => {
    const [, client, call, end, name, argument, result] = /^\s*(\w+) (\d+)-(\d+|\?) (\w+)(?: ([^→]+?))?(?: → (.*))?$/.exec(line)!
    return {
      client: client!, call: Number(call), return: end === '?' ? Infinity : Number(end), name: name as Operation['name'],
      argument: argument === undefined ? undefined : JSON.parse(argument) as unknown, result: result === undefined || result === 'missing' ? undefined : JSON.parse(result) as unknown,
    }
  })
}

describe('the checker of linearizability', () => {
  const good: [string, typeof register, string][] = [
    ['nothing', register, 'a 0-1 read → missing'],
    ['a write and a later read', register, 'a 0-1 write 1 → true\nb 2-3 read → 1'],
    ['a read beside a write that sees it, and one that does not', register, 'a 0-9 write 1 → true\nb 1-2 read → missing\nc 3-4 read → 1'],
    ['two writes beside each other, in either order', register, 'a 0-9 write 1 → true\nb 0-9 write 2 → true\nc 10-11 read → 1'],
    ['a write of unknown outcome that is seen later', register, 'a 0-? write 1\nb 5-6 read → missing\nb 7-8 read → 1'],
    ['a write of unknown outcome that never happened', register, 'a 0-? write 1\nb 5-6 read → missing'],
    ['sums beside each other', counter, 'a 0-9 add 1 → 2\nb 0-9 add 1 → 1\nc 10-11 read → 2'],
    ['a sum of unknown outcome between two others', counter, 'a 0-1 add 1 → 1\nb 2-? add 5\na 3-4 add 1 → 7'],
    ['a list that two append to', list, 'a 0-9 append "x" → ["y","x"]\nb 0-9 append "y" → ["y"]'],
  ]
  for (const [name, model, text] of good) it(`accepts ${name}`, () => expect(isLinearizable(model, history(text))).to.equal(true))

  const bad: [string, typeof register, string][] = [
    ['a read that misses a write that was acknowledged', register, 'a 0-1 write 1 → true\nb 2-3 read → missing'],
    ['a value that nobody wrote', register, 'a 0-1 write 1 → true\nb 2-3 read → 2'],
    ['an old value after a new one was seen', register, 'a 0-1 write 1 → true\nb 2-9 write 2 → true\nc 3-4 read → 2\nc 5-6 read → 1'],
    ['a write of unknown outcome seen, and then not', register, 'a 0-? write 1\nb 5-6 read → 1\nb 7-8 read → missing'],
    ['two readers that see two writes in different orders', register, 'a 0-1 write 1 → true\nb 2-3 write 2 → true\nc 4-5 read → 2\nd 6-7 read → 1'],
    ['a lost update', counter, 'a 0-1 add 1 → 1\nb 2-3 add 1 → 1'],
    ['an update that was carried out twice', counter, 'a 0-1 add 1 → 1\nb 2-3 read → 2'],
    ['a sum of unknown outcome counted twice', counter, 'a 0-? add 1\nb 2-3 add 1 → 2\nb 4-5 add 1 → 4'],
    ['an append that is lost', list, 'a 0-1 append "x" → ["x"]\nb 2-3 append "y" → ["y"]'],
  ]
  for (const [name, model, text] of bad) it(`refuses ${name}`, () => expect(isLinearizable(model, history(text))).to.equal(false))
})
