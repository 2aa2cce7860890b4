/** Values that say which they are: a text holds its key, its number and a filling that follows from both, down to the last character. */

const FILLING = 'abcdefghijklmnopqrstuvwxyz0123456789'.repeat(8192)

/** How many characters of filling the value of that number has: mostly few, some pages, at times more than a ring takes. */
function lengthOf(number: number, maxLength: number): number {
  const mixed = Math.imul(number, 0x9e3779b1) >>> 0
  const choice = mixed % 100
  const size = mixed >>> 8
  if (choice < 70) return size % 200
  if (choice < 97) return size % Math.min(maxLength, 8000)
  return size % maxLength
}

/** The value of a key and a number. `maxLength` below 294,912. */
export function textOf(key: string, number: number, maxLength: number): string {
  const length = lengthOf(number, maxLength)
  return `${key}#${number}#${FILLING.slice(number % 36, number % 36 + length)}`
}

/** The number of a key's value. Throws if it is not, to the last character, what was written. */
export function numberOf(key: string, value: unknown, maxLength: number): number {
  if (typeof value !== 'string') throw new Error(`${key} holds a ${typeof value}`)
  const second = value.indexOf('#', key.length + 1)
  const number = Number(value.slice(key.length + 1, second))
  if (!value.startsWith(`${key}#`) || second < 0 || value !== textOf(key, number, maxLength)) {
    throw new Error(`${key} holds what was never written to it: ${value.slice(0, 80)} (${value.length} characters)`)
  }
  return number
}
