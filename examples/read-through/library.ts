/** Makes the database that the example reads: authors, and books of theirs. */
import sqlite from 'node-sqlite3-wasm'

export const AUTHORS = Array.from({ length: 40 }, (_, index) => `Author ${index}`)
const BOOKS_EACH = 500

export function createLibrary(file: string): { books: number } {
  const database = new sqlite.Database(file)
  database.exec('CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE books (author INTEGER, title TEXT, year INTEGER, pages INTEGER); BEGIN')
  const author = database.prepare('INSERT INTO authors VALUES (?, ?)')
  const book = database.prepare('INSERT INTO books VALUES (?, ?, ?, ?)')
  for (const [id, name] of AUTHORS.entries()) {
    author.run([id, name])
    for (let number = 0; number < BOOKS_EACH; number++) book.run([id, `Volume ${number}`, 1900 + (number % 120), 100 + ((id * 31 + number * 7) % 400)])
  }
  author.finalize()
  book.finalize()
  database.exec('COMMIT')
  database.close()
  return { books: AUTHORS.length * BOOKS_EACH }
}
