// Makes of the compiled modules the few files that are loaded: a thread that starts has them several times as fast, and a shard that
// has crashed is away for as long as that takes.
//
// What the package exports, its command, and what threads begin with, keeps its file, at the same place below dist/bundle. What these share is in
// chunks, so that a thread has each module once, by whatever file it came to it. import.meta.url is what it was: the module's own file.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import ts from 'typescript'

const dist = fileURLToPath(new URL('../dist', import.meta.url))
const bundle = join(dist, 'bundle')
const PLACEHOLDER = /__moduleUrl\("([^"]+)"\)/g

/** Where a compiled module says import.meta.url, outside of texts and comments, and the modules that it finds by that. */
function ownUrls(path) {
  const text = readFileSync(path, 'utf8')
  const found = { text, places: [], modules: [] }
  if (!text.includes('import.meta.url')) return found
  const visit = (node) => {
    if (ts.isPropertyAccessExpression(node) && ts.isMetaProperty(node.expression) && node.name.text === 'url') {
      found.places.push([node.getStart(), node.end])
      const [literal] = ts.isNewExpression(node.parent) ? node.parent.arguments : []
      if (literal !== undefined && literal.text.endsWith('.js')) found.modules.push(join(dirname(path), literal.text))
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true))
  return found
}

const modules = ['actors', 'runtime', 'bridge'].flatMap((folder) => readdirSync(join(dist, folder), { recursive: true }).map((path) => join(folder, path)))
const { exports: exported, bin } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const named = [...Object.values(exported).flatMap((target) => target['scatterhoard-unbundled'] ?? []), ...Object.values(bin).map((path) => path.replace('/bundle/', '/'))]
const entries = new Set(named.map((path) => fileURLToPath(new URL(join('..', path), import.meta.url))))
for (const path of modules.filter((path) => path.endsWith('.js')).map((path) => join(dist, path))) {
  const { places, modules } = ownUrls(path)
  for (const module of modules) entries.add(module)
  // Whoever says where it is itself, and not where another one is, wants to be loaded there.
  if (places.length > modules.length) entries.add(path)
}

const { outputFiles } = await build({
  entryPoints: [...entries],
  outdir: bundle,
  outbase: dist,
  bundle: true,
  splitting: true,
  chunkNames: 'chunks/[hash]',
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  sourcemap: true,
  sourcesContent: false,
  legalComments: 'none',
  write: false,
  plugins: [{
    name: 'own urls',
    setup({ onLoad }) {
      onLoad({ filter: /\.js$/ }, ({ path }) => {
        const { text, places } = ownUrls(path)
        if (places.length === 0) return undefined
        const contents = places.reduceRight((changed, [start, end]) => `${changed.slice(0, start)}__moduleUrl("${relative(dist, path)}")${changed.slice(end)}`, text)
        return { contents, resolveDir: dirname(path) }
      })
    },
  }],
})

for (const { path, text } of outputFiles) {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, path.endsWith('.js') ? text.replaceAll(PLACEHOLDER, (_, module) => `new URL(${JSON.stringify(relative(dirname(path), join(bundle, module)))}, import.meta.url).href`) : text)
}
for (const path of modules.filter((path) => path.endsWith('.cjs'))) {
  mkdirSync(dirname(join(bundle, path)), { recursive: true })
  copyFileSync(join(dist, path), join(bundle, path))
}
