/** The reference of the actions, made of their docstrings: the text of `docs/actions.md`. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ACTIONS } from '../../actors/action-list.js'
import { Declarations, ROOT, type MethodDoc, type OptionDoc, type TypeDoc } from './declarations.js'

export const REFERENCE_FILE = join(ROOT, 'docs/actions.md')

export interface Reference {
  /** In the order of the list of actions. */
  readonly actions: readonly MethodDoc[]
  /** Methods of the handle that are no messages. */
  readonly methods: readonly MethodDoc[]
  /** Options of every action. */
  readonly common: readonly OptionDoc[]
  readonly introduction: string
  /** The types that all these name. */
  readonly types: readonly TypeDoc[]
}

export function readReference(): Reference {
  const declarations = new Declarations()
  const byName = new Map(declarations.methods('CacheActions').map((method) => [method.name, method]))
  const actions = ACTIONS.map(({ name }) => {
    const method = byName.get(name)
    if (method === undefined) throw new Error(`no file in actors/actions adds ${name} to CacheActions`)
    return method
  })
  const methods = [...declarations.methods('CacheStream'), ...declarations.methods('CacheSubscriptions'), ...declarations.methods('Cache')]
  return {
    actions, methods, common: declarations.optionsOf('CallOptions'), introduction: declarations.docOf('CacheActions').text,
    types: declarations.typesNamedIn([...actions, ...methods].flatMap(({ signatures, options }) => [...signatures, ...options.map(({ type }) => type)])),
  }
}

export function renderReference({ actions, methods, common, introduction, types }: Reference): string {
  return `# Actions

Made of the sources by \`npm run docs\`: change the docstring there.

${introduction}

All actions take these options:

${optionTable(common)}

The examples are run by the tests, on this cache and with this module of functions. \`// →\` is what an expression came to.

${code(sourceOf('test/docs/people.ts'))}

${code(sourceOf('test/docs/setting.ts'))}

| action | |
|---|---|
${[...actions, ...methods].map(indexLine).join('\n')}

${actions.map(renderAction).join('\n\n')}

## Methods only

These are no messages.

${methods.map((method) => renderMethod(method, [])).join('\n\n')}

## Types

${types.map(renderType).join('\n\n')}
`
}

function renderAction(method: MethodDoc): string {
  const { writes, keyed = false } = ACTIONS.find(({ name }) => name === method.name)!
  const message = `Message: \`[${[`'${method.name}'`, ...method.parameters].join(', ')}]\`.`
  return renderMethod(method, [
    `${method.header.split('\n\n')[0]!} ${writes ? 'A write' : 'A read'}${keyed ? ', in transactions too' : ''}. ${message}`,
  ])
}

function renderMethod({ name, signatures, doc, options }: MethodDoc, notes: readonly string[]): string {
  return [
    `### ${name}`, code(signatures.join('\n')), doc.text,
    ...options.length === 0 ? [] : [optionTable(options)],
    ...doc.errors === undefined ? [] : [`**Errors:** ${doc.errors}`],
    ...doc.example === undefined ? [] : [code(doc.example)],
    ...notes,
  ].join('\n\n')
}

function renderType({ name, text, declaration }: TypeDoc): string {
  return [`### ${name}`, ...text === '' ? [] : [text], code(declaration)].join('\n\n')
}

/** The first sentence says what it does. */
function indexLine({ name, doc }: MethodDoc): string {
  const [sentence] = /^[\s\S]*?\.(?=\s|$)/.exec(doc.text) ?? ['']
  return `| [${name}](#${name.toLowerCase()}) | ${inCell(sentence)} |`
}

function optionTable(options: readonly OptionDoc[]): string {
  return ['| option | type | |', '|---|---|---|', ...options.map(({ name, type, text }) => `| \`${name}\` | \`${inCell(type)}\` | ${inCell(text)} |`)].join('\n')
}

function inCell(text: string): string {
  return text.replaceAll('\n', ' ').replaceAll('|', '\\|')
}

function code(text: string): string {
  return `\`\`\`ts\n${text}\n\`\`\``
}

/** A file without its header. */
function sourceOf(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8').replace(/^\/\*\*[\s\S]*?\*\/\n/, '').trim()
}
