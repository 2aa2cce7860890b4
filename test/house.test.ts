/** The rules of the house, checked on the sources themselves: what may import what, how things are named, what is documented. */
import { expect } from 'chai'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, extname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { ERROR_CODES } from '../runtime/errors.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Inner folders first: each may import itself and those before it. */
const LAYERS = ['runtime', 'actors', 'bridge'] as const
const FOLDERS = [...LAYERS, 'examples', 'test']
/** Has documents only. */
const DOCUMENTS = 'docs'

const MAX_LINES = 400
/** Files that are longer, and why. */
const LONG_FILES: Record<string, string> = {
  'test/races/mailbox-model.ts': 'a model is read from top to bottom beside the protocol',
  'test/races/prepared-model.ts': 'a model is read from top to bottom beside the protocol',
  'test/races/table-model.ts': 'a model is read from top to bottom beside the protocol',
  'test/runtime/codec/value.test.ts': 'one table of values and bytes',
}

interface Manifest {
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
  exports: Record<string, unknown>
}

const manifest = JSON.parse(text('package.json')) as Manifest

function text(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** Every file below a folder, with `/` between names; neither what is installed nor what is built. */
function filesIn(folder: string): string[] {
  const skipped = new Set(['node_modules', 'dist', '.git'])
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (skipped.has(entry.name)) return []
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    return entry.isDirectory() ? filesIn(path) : [path]
  })
}

const files = filesIn('')
const sources = files.filter((path) => path.endsWith('.ts') && FOLDERS.includes(layerOf(path)))
const inner = sources.filter((path) => (LAYERS as readonly string[]).includes(layerOf(path)))

function layerOf(path: string): string {
  return path.split('/')[0]!
}

interface Import {
  from: string
  /** As it is written. */
  specifier: string
  /** The file that a relative one names, from the root. */
  path: string | undefined
}

/** Everything that a file imports: types too, `import()` and `export … from` too. */
function importsOf(from: string): Import[] {
  return ts.preProcessFile(text(from), true, true).importedFiles.map(({ fileName: specifier }) => ({
    from, specifier,
    path: specifier.startsWith('.') ? relative(ROOT, join(ROOT, dirname(from), specifier)).split(sep).join('/') : undefined,
  }))
}

const show = ({ from, specifier }: Import): string => `${from} imports '${specifier}'`
const isBuiltIn = ({ specifier }: Import): boolean => specifier.startsWith('node:')
const packageOf = (specifier: string): string => specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/')

describe('the house', () => {
  it('has sources to look at', () => {
    for (const folder of ['runtime', 'actors', 'bridge', 'test']) expect(sources.map(layerOf)).to.include(folder)
    expect(inner.flatMap(importsOf).length).to.be.greaterThan(100)
  })

  it('has no other folders of sources', () => {
    const folders = new Set(files.filter((path) => path.includes('/')).map(layerOf))
    expect([...folders].filter((folder) => !folder.startsWith('.') && !FOLDERS.includes(folder) && folder !== DOCUMENTS)).to.deep.equal([])
    expect(files.filter((path) => layerOf(path) === DOCUMENTS && !path.endsWith('.md'))).to.deep.equal([])
  })

  describe('imports', () => {
    for (const [depth, layer] of LAYERS.entries()) {
      it(`of ${layer} go to ${LAYERS.slice(0, depth + 1).join(', ')} and packages only`, () => {
        const allowed: readonly string[] = LAYERS.slice(0, depth + 1)
        const wrong = inner.filter((path) => layerOf(path) === layer).flatMap(importsOf)
          .filter(({ path, specifier }) => path === undefined ? packageOf(specifier) === 'scatterhoard' : !allowed.includes(layerOf(path)))
        expect(wrong.map(show)).to.deep.equal([])
      })
    }

    it('of examples go to the public names, to packages for development and to the example itself only', () => {
      const publicNames = Object.keys(manifest.exports).filter((name) => !name.endsWith('.json')).map((name) => `scatterhoard${name.slice(1)}`)
      const wrong = sources.filter((path) => layerOf(path) === 'examples').flatMap(importsOf).filter((imported) => imported.path === undefined
        ? !isBuiltIn(imported) && !publicNames.includes(imported.specifier) && !Object.hasOwn(manifest.devDependencies, packageOf(imported.specifier))
        : !imported.path.startsWith(`${imported.from.split('/').slice(0, 2).join('/')}/`))
      expect(wrong.map(show)).to.deep.equal([])
    })

    it('of the library name built-in modules by node: and packages that are dependencies, each of them in one file', () => {
      const importers = new Map<string, Set<string>>(Object.keys(manifest.dependencies).map((name) => [name, new Set()]))
      for (const imported of inner.flatMap(importsOf)) {
        if (imported.path !== undefined || isBuiltIn(imported)) continue
        const importing = importers.get(packageOf(imported.specifier))
        expect(importing, `${show(imported)}, which is not a dependency`).to.not.equal(undefined)
        importing!.add(imported.from)
      }
      for (const [name, importing] of importers) expect([...importing], `importers of ${name}`).to.have.lengthOf(1)
    })
  })

  describe('names', () => {
    it('are kebab-case', () => {
      const kebab = /^[a-z0-9]+(?:-[a-z0-9]+)*$/
      const wrong = sources.filter((path) => !path.replace(/(?:\.[a-z]+)?\.ts$/, '').split('/').every((part) => kebab.test(part)))
      expect(wrong).to.deep.equal([])
    })

    it('say what a file is about', () => {
      const empty = ['utils', 'util', 'helpers', 'helper', 'common', 'types', 'misc']
      const wrong = sources.filter((path) => path.replace(/\.ts$/, '').split('/').some((part) => part.split('.').some((word) => empty.includes(word))))
      expect(wrong).to.deep.equal([])
    })

    it('of exports are never default', () => {
      expect(sources.filter((path) => /^export default\b|^export\s*\{[^}]*\bas default\b/m.test(text(path)))).to.deep.equal([])
    })
  })

  describe('files', () => {
    it('leave no work marked in comments', () => {
      const marks = new RegExp(`\\b(?:${['TO' + 'DO', 'FIX' + 'ME'].join('|')})\\b`)
      expect(sources.filter((path) => marks.test(text(path)))).to.deep.equal([])
    })

    it(`have at most ${MAX_LINES} lines, but for those listed with a reason`, () => {
      const overlong = sources.filter((path) => text(path).trimEnd().split('\n').length > MAX_LINES)
      expect(overlong.sort()).to.deep.equal(Object.keys(LONG_FILES).sort())
    })

    it('of the library begin with a comment that says what they are', () => {
      expect(inner.filter((path) => !/^(?:#!.*\n)?\/(?:\*\*|\/ )/.test(text(path)))).to.deep.equal([])
    })

    it('name no registry and no path of one machine', () => {
      const registry = /registry\.\w+\.\w|_authToken|"resolved": ?"http/i
      const machine = /(?<![\w.:/])\/(?:home|root|Users|work|tmp|mnt)\/[\w.-]/
      const binary = ['.tgz', '.png', '.dump', '.cpuprofile', '.log']
      const wrong = files.filter((path) => !binary.includes(extname(path)) && basename(path) !== 'bench.json')
        .filter((path) => path !== 'test/house.test.ts' && (registry.test(text(path)) || machine.test(text(path))))
      expect(wrong).to.deep.equal([])
    })
  })

  describe('documents', () => {
    /** Rows of the tables under `## Errors`, in the order of the two tables: what is raised, and what is kept for later. */
    const [raised = [], kept = []] = (/^## Errors\n([\s\S]*?)(?=^## )/m.exec(`${text('README.md')}\n## `)?.[1] ?? '').split(/^\|---.*$/m).slice(1)
      .map((table) => [...table.matchAll(/^\| `(ERR_[A-Z_]+)` \| \S.* \| \S.* \|$/gm)].map(([, code]) => code!))

    it('list every error code once: when it comes, and what to do', () => {
      expect([...raised, ...kept].sort()).to.deep.equal([...ERROR_CODES].sort())
    })

    it('say which codes nothing raises yet', () => {
      const code = inner.filter((path) => path !== 'runtime/errors.ts').map(text).join('\n')
      expect(kept.filter((name) => code.includes(`'${name}'`)), 'raised, and said to be kept').to.deep.equal([])
      expect(raised.filter((name) => !code.includes(`'${name}'`) && name !== 'ERR_INVALID_ARGUMENT'), 'said to be raised, and not').to.deep.equal([])
    })

    it('list no error code that no test provokes', () => {
      const tests = files.filter((path) => path.startsWith('test/') && extname(path) === '.ts' && path !== 'test/house.test.ts').map(text).join('\n')
      expect(raised.filter((name) => !tests.includes(`'${name}'`))).to.deep.equal([])
    })

    it('that the README names exist', () => {
      const links = [...text('README.md').matchAll(/\]\(((?:docs\/)?[A-Za-z]+\.md)\)/g)].map(([, path]) => path!)
      expect(links.filter((path) => !existsSync(join(ROOT, path)))).to.deep.equal([])
    })
  })
})
