// Runs the scripts of test/races at length, one after the other, or those that are named. Ends with 1 if one found a violation.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../dist/test/races/', import.meta.url))
const scripts = readdirSync(folder)
  .filter((file) => file.endsWith('.js') && file !== 'script.js' && readFileSync(folder + file, 'utf8').includes('runScript(import.meta.url'))
  .map((file) => file.slice(0, -'.js'.length))
const chosen = process.argv.length > 2 ? process.argv.slice(2) : scripts
const unknown = chosen.filter((name) => !scripts.includes(name))
if (chosen.length === 0 || unknown.length > 0) {
  console.error(`there is no race script ${unknown.join(', ')}; there are: ${scripts.join(', ') || 'none'}`)
  process.exit(1)
}
for (const name of chosen) {
  console.log(`== ${name}`)
  const { status } = spawnSync(process.execPath, [`${folder}${name}.js`], { stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}
