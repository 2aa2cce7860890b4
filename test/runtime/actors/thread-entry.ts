/** What a `Thread` of the tests runs. */
export async function run(what: string): Promise<string> {
  if (what === 'throw') throw new RangeError('thrown by the entry')
  if (what === 'exit') process.exit(3)
  if (what === 'hang') await new Promise(() => { setInterval(() => undefined, 1000) })
  return `ran ${what}`
}
