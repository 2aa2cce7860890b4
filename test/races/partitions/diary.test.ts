import { expect } from 'chai'
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Diary, readDiary } from './diary.js'

describe('a diary of calls', () => {
  it('has what was settled, what was not, and nothing of a line that its process died over', () => {
    const folder = mkdtempSync(join(tmpdir(), 'diary-'))
    try {
      const path = join(folder, 'a')
      const diary = new Diary(path)
      const [write, read] = [diary.begin('write', 'ring-1', 7, 300), diary.begin('read', 'ring-1', 0, 100)]
      diary.settle(read, 6, 'done')
      diary.begin('read', 'ring-2', 0, 1000)
      diary.settle(write, 7, 'ERR_NODE_DOWN unknown')
      diary.close()
      appendFileSync(path, '4 12')
      const calls = readDiary('a', path)
      expect(calls.map(({ kind, key, number, timeoutMs, ending }) => [kind, key, number, timeoutMs, ending])).to.deep.equal([
        ['read', 'ring-1', 6, 100, 'done'], ['write', 'ring-1', 7, 300, 'ERR_NODE_DOWN unknown'], ['read', 'ring-2', 0, 1000, 'open'],
      ])
      expect(calls[2]!.endMs).to.equal(Infinity)
      expect(calls[0]!.startMs).to.be.at.least(calls[1]!.startMs)
      expect(calls[0]!.endMs).to.be.within(calls[0]!.startMs, calls[1]!.endMs)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
