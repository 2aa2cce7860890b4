/**
 * Read-through: a cache in front of a SQLite database. Whoever asks for an author gets what the cache has; what it does not have is
 * loaded, once, however many ask for it at the same time.
 *
 *     npm run build && node dist/examples/read-through/main.js
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startNode } from 'scatterhoard'
import { books, type Author } from './books.js'
import { AUTHORS, createLibrary } from './library.js'

const CALLERS = 50

const folder = await mkdtemp(join(tmpdir(), 'scatterhoard-'))
const file = join(folder, 'library.sqlite')
const { books: count } = createLibrary(file)
console.log(`a database of ${AUTHORS.length} authors and ${count} books\n`)

const node = await startNode({ name: 'library' })
const authors = await node.startCache<Author | null>('authors', { memory: '16mb', functions: [books], expiration: { default: '10m' }, stats: true })
// So that nobody waits for the threads to load the database's code.
await authors.fetch('nobody yet', books.author, { args: [file] })

console.log(`${CALLERS} callers ask for all authors at once, twice`)
const first = await ask('first')
const again = await ask('again')
assert.equal(first.stored, AUTHORS.length)
assert.equal(again.stored, 0)

const one = await authors.fetch(AUTHORS[0]!, books.author, { args: [file] })
console.log(`\n${one?.name}: ${one?.books} books, ${one?.pages} pages, the latest ${one?.latest}`)

// That there is nobody of a name is a value like any other: the second time the database is not asked.
assert.equal(await authors.fetch('Nobody', books.author, { args: [file] }), null)
assert.equal(authors.getSync('Nobody'), null)
console.log(`Nobody: not there, which the cache knows for ${Math.ceil((await authors.ttl('Nobody') ?? 0) / 1000)} s`)

await node.stop()
await rm(folder, { recursive: true })

/** Many callers, each of whom wants every author. */
async function ask(label: string): Promise<{ stored: number }> {
  const before = await authors.stats()
  const startedAt = performance.now()
  const answers = await Promise.all(Array.from({ length: CALLERS }, () => Promise.all(AUTHORS.map((name) => authors.fetch(name, books.author, { args: [file], timeout: '30s' })))))
  const ms = performance.now() - startedAt
  const stored = (await authors.stats()).writes - before.writes
  assert(answers.flat().every((author) => author !== null && author.books > 0))
  console.log(`${label.padEnd(8)}${String(CALLERS * AUTHORS.length).padStart(6)} answers ${String(stored).padStart(4)} loads ${ms.toFixed(0).padStart(6)} ms`)
  return { stored }
}
