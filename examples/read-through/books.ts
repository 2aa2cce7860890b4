/**
 * The loader: what the cache calls for a key that it does not have. It runs in the node's pool of function threads, each of which
 * opens the database for itself.
 */
import { commit, defineFunctions } from 'scatterhoard'
import sqlite from 'node-sqlite3-wasm'

/** What the database knows of an author. */
export interface Author {
  name: string
  books: number
  /** Over all books. */
  pages: number
  latest: string
}

const QUERY = `
  SELECT authors.name, count(*) AS books, sum(pages) AS pages, max(books.year || ' ' || books.title) AS latest
  FROM authors JOIN books ON books.author = authors.id
  WHERE authors.name = ? GROUP BY authors.id`

type Database = InstanceType<typeof sqlite.Database>

let database: Database | undefined

export const books = defineFunctions('books', import.meta.url, {
  /** One author, or `null` if there is none of that name: that nobody is there is remembered too, though not as long. */
  author(name: string, file: string) {
    database ??= open(file)
    const row = database.get(QUERY, name) as Author | null
    return row ?? commit(null, { expire: '30s' })
  },
})

function open(file: string): Database {
  const opened = new sqlite.Database(file, { fileMustExist: true, readOnly: true })
  // Another thread may be reading.
  opened.exec('PRAGMA busy_timeout = 5000')
  return opened
}
