/**
 * The examples of the reference as code: compiled as a user's compiler would, through the package's own name, and run.
 *
 * An example is the body of an asynchronous function. A statement with `// → value` behind it says what its expression comes to,
 * and is held to it.
 */
import { join } from 'node:path'
import { Script } from 'node:vm'
import ts from 'typescript'
import { ROOT } from './declarations.js'

/** Names of the package that examples use as if they had imported them. */
const IMPORTED = ['startCache', 'attachCache', 'getCache', 'commit', 'ignore', 'CacheError'] as const

/** What an example is run with. */
export type Scope = Readonly<Record<string, unknown>>

/** A file of the imagination, beside the setting. */
const FILE = join(ROOT, 'test/docs/all-examples.ts').replaceAll('\\', '/')

/** An example with its claims made to calls of `shows`. */
export function withClaims(example: string): string {
  const source = ts.createSourceFile('example.ts', example, ts.ScriptTarget.ES2022, true)
  let code = ''
  let at = 0
  for (const statement of source.statements) {
    const claim = ts.getTrailingCommentRanges(example, statement.end)?.[0]
    if (claim === undefined) continue
    const [, value] = /^\/\/ → (.+)$/.exec(example.slice(claim.pos, claim.end)) ?? []
    if (value === undefined) continue
    if (!ts.isExpressionStatement(statement)) throw new Error(`only an expression can show its value: ${statement.getText()}`)
    code += `${example.slice(at, statement.getStart())}shows(${statement.getText()}, (${value}))`
    at = claim.end
  }
  return code + example.slice(at)
}

/** The complaints of the compiler about examples, by their names. */
export function complaintsAbout(examples: ReadonlyMap<string, string>): string[] {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile.bind(ts.sys)) as { config: { compilerOptions: Record<string, unknown> } }
  const { options } = ts.convertCompilerOptionsFromJson({
    ...config.compilerOptions, noEmit: true, declaration: false, declarationMap: false, noUnusedLocals: false, types: ['node'],
  }, ROOT)
  const names = [...examples.keys()]
  const text = [
    `import { ${IMPORTED.join(', ')} } from 'scatterhoard'`,
    'import type { MessagePort } from \'node:worker_threads\'',
    'import { people, type User } from \'./people.js\'',
    'import { users } from \'./setting.js\'',
    'declare const worker: MessagePort, shows: (actual: unknown, expected: unknown) => void',
    ...names.map((name) => `export async function ${name}_(): Promise<void> {\n${withClaims(examples.get(name)!)}\n}`),
  ].join('\n')
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists } = host
  host.fileExists = (file) => file === FILE || fileExists.call(host, file)
  host.getSourceFile = (file, version, ...more) => (file === FILE ? ts.createSourceFile(file, text, version) : getSourceFile.call(host, file, version, ...more))
  const program = ts.createProgram([FILE], options, host)
  const source = program.getSourceFile(FILE)!
  return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(({ start, messageText }) => {
    const before = text.slice(0, start)
    const name = [...before.matchAll(/^export async function (\w+)_\(/gm)].at(-1)?.[1]
    return `${name ?? 'imports'}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}, at ${text.slice(start).split('\n', 1)[0]}`
  })
}

/** Runs an example. `shows` in the scope is given what each claim's expression came to, and the claim. */
export async function runExample(example: string, scope: Scope): Promise<void> {
  const { outputText } = ts.transpileModule(`(async ({ ${Object.keys(scope).join(', ')} }) => {\n${withClaims(example)}\n})`, { compilerOptions: { target: ts.ScriptTarget.ES2022 } })
  await (new Script(outputText).runInThisContext() as (scope: Scope) => Promise<void>)(scope)
}
