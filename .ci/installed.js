// Looks at the package as it was installed: what is in it, that maps lead to sources, that nothing has to be built.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

const root = process.argv[2]
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const wrong = []

const files = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))

for (const file of files) {
  if (/(^|\/)(test|examples|bench|node_modules|\.ci)\/|\.test\./.test(file)) wrong.push(`${file} is for developers only`)
  if (!file.endsWith('.map')) continue
  const { sources } = JSON.parse(readFileSync(join(root, file), 'utf8'))
  for (const source of sources) {
    if (!existsSync(resolve(root, dirname(file), source))) wrong.push(`${file} leads to ${source}, which is not there`)
  }
}
for (const file of ['README.md', 'LICENSE', 'CHANGELOG.md', 'docs/actions.md', 'docs/three-machines.md', 'dist/bundle/actors/index.js.map', 'actors/index.ts']) {
  if (!files.includes(file)) wrong.push(`${file} is missing`)
}
for (const [name, target] of Object.entries(manifest.exports)) {
  // The modules one by one are for the project's own tests.
  for (const [condition, file] of Object.entries(typeof target === 'string' ? { default: target } : target)) {
    if (condition === 'scatterhoard-unbundled') continue
    if (!existsSync(join(root, file))) wrong.push(`the export ${name} leads to ${file}, which is not there`)
  }
}
for (const [name, file] of Object.entries(manifest.bin)) {
  if (!files.includes(file.replace('./', ''))) wrong.push(`the command ${name} leads to ${file}, which is not there`)
}
for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) {
  if (script in manifest.scripts) wrong.push(`the script ${script} would run at install`)
}
if (wrong.length > 0) {
  console.error(wrong.join('\n'))
  process.exit(1)
}
console.log(`${files.length} files, all in place`)
