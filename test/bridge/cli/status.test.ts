import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { startNode } from '../../../actors/node.js'
import { showStatus, table } from '../../../bridge/cli/show-status.js'
import { tcp } from '../../../bridge/index.js'
import type { NodeStatus } from '../../../bridge/peers/node-report.js'
import { NodeProcess } from '../../actors/cluster/processes.js'
import { makeCertificates } from '../transports/certificates.js'
import { freePort } from '../free-port.js'
import { run } from './command.js'

const SECRET = 'a secret of all the nodes'

describe('scatterhoard status', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'status-command-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  it('shows nodes, caches, mailboxes and the tree of a node whose application is blocked, of which no node hears', async () => {
    const port = await freePort()
    const listen = `127.0.0.1:${port}`
    const process = new NodeProcess('a', SECRET, listen, { b: '127.0.0.1:1' })
    try {
      await process.signal()
      await process.do({ do: 'start', cache: 'users', options: { memory: '4mb' } })
      for (const key of ['ada', 'bob']) await process.call('put', key, 1)
      const blocked = process.signal()
      void process.do({ do: 'block', ms: 60_000 }).catch(() => undefined)
      await blocked
      const [text, json] = await Promise.all([
        run(['status', '--connect', listen], { SCATTERHOARD_SECRET: SECRET }),
        run(['status', '--connect', String(port), '--local', '--json'], { SCATTERHOARD_SECRET: SECRET }),
      ])
      expect([text, json].map(({ code, errors }) => ({ code, errors }))).to.deep.equal([0, 0].map((code) => ({ code, errors: '' })))
      for (const line of [
        /^node a of scatterhoard: process \d+, up \d+ s, [\d.]+ mb$/m, new RegExp(`^a +this one +\\d+ +tcp at ${listen}$`, 'm'), /^b +down +0 +node 'b' cannot be reached .*ECONNREFUSED/m,
        /^users +local +a +2 +[\d.]+ kb +4\.00 mb +1$/m, /^cache:users\/shards\/shard-0 +\d+ +0 +0 +65,536 +0 b$/m, /^├─ bridge +on bridge$/m, /─ shard-0 +on shards-0$/m,
      ]) expect(text.output).to.match(line)
      const status = JSON.parse(json.output) as NodeStatus
      expect(status).to.include({ node: 'a', cluster: 'scatterhoard', transport: 'tcp', tls: false, address: listen })
      expect(status.missing).to.deep.equal([])
      expect(status.peers).to.deep.equal([])
      expect(status.caches.map(({ name, entries }) => ({ name, entries }))).to.deep.equal([{ name: 'users', entries: 2 }])
      expect(status.process.pid).to.equal(process.child.pid)
    } finally {
      await process.kill()
    }
  })

  it('needs the certificate of the authority where nodes have them, and takes that of any node', async () => {
    const { a, b } = makeCertificates(folder, ['a', 'b'])
    const strange = makeCertificates(mkdtempSync(join(folder, 'strange-')), ['b'])['b']!
    const files = ({ key, cert, ca }: typeof strange, name: string): string[] => Object.entries({ key, cert, ca }).flatMap(([kind, content]) => {
      const path = join(folder, `${name}-${kind}`)
      writeFileSync(path, content)
      chmodSync(path, 0o600)
      return [`--tls-${kind}`, path]
    })
    const port = await freePort()
    const node = await startNode({ name: 'a', shardThreads: 1, bridge: tcp({ listen: port, tls: a! }) })
    try {
      const status = ['status', '--connect', String(port), '--json']
      const [own, wrong] = await Promise.all([run([...status, ...files(b!, 'b')]), run([...status, ...files(strange, 'strange')])])
      expect({ ...own, output: (JSON.parse(own.output) as NodeStatus).node }).to.deep.equal({ code: 0, errors: '', output: 'a' })
      expect({ code: wrong.code, output: wrong.output, error: (JSON.parse(wrong.errors) as { error: object }).error }).to.deep.include({ code: 1, output: '' }).and.to.have.nested.property('error.code', 'ERR_UNAUTHENTICATED')
      expect(await node.peers()).to.deep.equal([])
    } finally {
      await node.stop()
    }
  })

  it('fails with one line and the code', async () => {
    const port = await freePort()
    const [nobody, usage] = await Promise.all([run(['status', '--connect', `127.0.0.1:${port}`]), run(['status'])])
    expect(nobody).to.deep.include({ code: 1, output: '' })
    expect(nobody.errors).to.match(new RegExp(`^scatterhoard: ERR_NODE_UNREACHABLE: .*127\\.0\\.0\\.1:${port}: connect ECONNREFUSED.*\n$`))
    expect(usage).to.deep.equal({ code: 2, output: '', errors: 'scatterhoard: --connect is missing\nSee \'scatterhoard status --help\'.\n' })
  })

  it('prints nothing that would order a terminal about, and says what is missing', () => {
    const status: NodeStatus = {
      node: 'a\u001b[2J', cluster: 'one', transport: 'memory', tls: false, address: null, incarnation: 1, process: { pid: 1, uptimeMs: 90_000, rssBytes: 3 << 20 }, peers: [],
      caches: [{ name: 'x\ny\u0007\u202e', router: 'jump', nodes: ['a'], entries: 12_345, bytesUsed: 1, capacityBytes: 2, shards: [] }], mailboxes: [], tree: null, missing: ['tree', 'mailboxes'],
    }
    const text = showStatus(status)
    expect(text).to.match(/^node a.\[2J of one: process 1, up 1 min, 3\.00 mb\n/)
    expect(text).to.match(/^x.y.. +jump +a +12,345 /m)
    expect(text).to.match(/\ndid not come in time: tree, mailboxes$/)
    expect(text.replaceAll('\n', '')).to.not.match(/\p{C}/u)
  })

  it('has columns below each other', () => {
    expect(table(['NAME', 'N', 'END'], [['a', '1,000', 'x'], ['long one', '2', '']], [1])).to.deep.equal(['NAME          N  END', 'a         1,000  x', 'long one      2'])
  })
})
