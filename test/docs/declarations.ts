/**
 * What the sources say about the methods of a cache: signatures, docstrings, options. Read from the syntax alone, which takes
 * no compiler: every declaration of `CacheActions`, `CacheStream`, `CacheSubscriptions` and `Cache`, and the types that they name.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** A docstring, taken apart. Markdown, without the stars. */
export interface Docstring {
  /** Its paragraphs but those that begin with `Errors:`. */
  readonly text: string
  readonly errors: string | undefined
  readonly example: string | undefined
}

export interface OptionDoc {
  readonly name: string
  readonly type: string
  readonly text: string
}

export interface TypeDoc {
  readonly name: string
  readonly text: string
  readonly declaration: string
}

export interface MethodDoc {
  readonly name: string
  /** Below the root. */
  readonly file: string
  /** What the file's header says: where the call goes. */
  readonly header: string
  /** One for each overload. */
  readonly signatures: readonly string[]
  /** The parameters of the first one, as a message has them. */
  readonly parameters: readonly string[]
  readonly doc: Docstring
  /** Its own options, without those of `CallOptions`. */
  readonly options: readonly OptionDoc[]
}

/** Types that the reference says in words. */
const SAID_IN_WORDS: readonly string[] = ['CacheActions', 'CacheMessage', 'CacheReply', 'CacheDescriptor']

type Declaration = ts.InterfaceDeclaration | ts.TypeAliasDeclaration

/** The sources of `runtime/` and `actors/`, parsed, with what they declare by name. */
export class Declarations {
  readonly #files: ts.SourceFile[]
  readonly #types = new Map<string, Declaration>()

  constructor() {
    this.#files = ['runtime', 'actors']
      .flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts')).sort().map((file) => `${folder}/${file}`))
      .map((file) => ts.createSourceFile(file, readFileSync(join(ROOT, file), 'utf8'), ts.ScriptTarget.ES2022, true))
    for (const file of this.#files) {
      for (const statement of file.statements) {
        if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) this.#types.set(statement.name.text, statement)
      }
    }
  }

  /** The methods of an interface, wherever it is declared, with overloads put together. */
  methods(interfaceName: string): MethodDoc[] {
    const overloads = new Map<string, ts.MethodSignature[]>()
    const visit = (node: ts.Node): void => {
      if (ts.isInterfaceDeclaration(node) && node.name.text === interfaceName) {
        for (const member of node.members) {
          if (ts.isMethodSignature(member)) overloads.set(member.name.getText(), [...overloads.get(member.name.getText()) ?? [], member])
        }
      } else if (ts.isModuleDeclaration(node) || ts.isModuleBlock(node) || ts.isSourceFile(node)) {
        ts.forEachChild(node, visit)
      }
    }
    this.#files.forEach(visit)
    return [...overloads].map(([name, signatures]) => this.#method(name, signatures))
  }

  /** What an interface says of itself. */
  docOf(name: string): Docstring {
    return readDocstring(docComment(this.#types.get(name)))
  }

  /** Types of the package that texts name, and those that they name in turn; without those that are shown as tables of options. */
  typesNamedIn(texts: readonly string[]): TypeDoc[] {
    const index = this.#files.find(({ fileName }) => fileName === 'actors/index.ts')!
    const found = new Map<string, TypeDoc>()
    const look = (text: string): void => {
      for (const [name] of text.matchAll(/\b[A-Z][A-Za-z]+\b/g)) {
        const declaration = this.#types.get(name)
        if (declaration === undefined || found.has(name) || SAID_IN_WORDS.includes(name) || name.endsWith('Options') || !new RegExp(`\\b${name}\\b`).test(index.text)) continue
        const shown = dedented(declaration).replace(/^export /, '')
        found.set(name, { name, text: readDocstring(docComment(declaration)).text, declaration: shown })
        look(shown.replace(/\/\*[\s\S]*?\*\//g, ''))
      }
    }
    texts.forEach(look)
    return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  optionsOf(name: string): OptionDoc[] {
    const found = new Map<string, OptionDoc>()
    this.#collect(this.#types.get(name), found, new Set())
    return [...found.values()]
  }

  #method(name: string, signatures: readonly ts.MethodSignature[]): MethodDoc {
    const [first] = signatures as [ts.MethodSignature]
    const source = first.getSourceFile()
    const found = new Map<string, OptionDoc>()
    for (const { parameters } of signatures) this.#collect(parameters.at(-1)?.type, found, new Set(['CallOptions']))
    return {
      name, file: source.fileName, header: readDocstring(/^\/\*\*[\s\S]*?\*\//.exec(source.text)?.[0]).text,
      signatures: signatures.map((signature) => dedented(signature)),
      parameters: first.parameters.map((parameter) => `${parameter.name.getText()}${parameter.questionToken === undefined && parameter.dotDotDotToken === undefined ? '' : '?'}`),
      doc: readDocstring(docComment(first)), options: [...found.values()],
    }
  }

  /** The properties of a type that may be an object of options: also those in either branch of a conditional type. */
  #collect(node: ts.Node | undefined, found: Map<string, OptionDoc>, seen: Set<string>): void {
    if (node === undefined) return
    if (ts.isPropertySignature(node)) {
      const name = node.name.getText()
      const text = readDocstring(docComment(node)).text
      const known = found.get(name)
      // Where one of several declarations has a docstring, that one counts.
      if (known === undefined || known.text === '') found.set(name, { name, type: (node.type?.getText() ?? 'unknown').replace(/ \| undefined$/, ''), text })
    } else if (ts.isTypeReferenceNode(node) || ts.isExpressionWithTypeArguments(node)) {
      const name = ts.isTypeReferenceNode(node) ? node.typeName.getText() : node.expression.getText()
      if (seen.has(name)) return
      seen.add(name)
      this.#collect(this.#types.get(name), found, seen)
    } else if (ts.isInterfaceDeclaration(node)) {
      for (const clause of node.heritageClauses ?? []) for (const type of clause.types) this.#collect(type, found, seen)
      for (const member of node.members) this.#collect(member, found, seen)
    } else if (ts.isTypeAliasDeclaration(node)) {
      this.#collect(node.type, found, seen)
    } else if (ts.isConditionalTypeNode(node)) {
      this.#collect(node.trueType, found, seen)
      this.#collect(node.falseType, found, seen)
    } else if (ts.isTypeLiteralNode(node) || ts.isIntersectionTypeNode(node) || ts.isTupleTypeNode(node) || ts.isParenthesizedTypeNode(node)) {
      ts.forEachChild(node, (child) => this.#collect(child, found, seen))
    } else if (ts.isNamedTupleMember(node)) {
      this.#collect(node.type, found, seen)
    }
  }
}

/** The docstring before a declaration, as it is written. */
function docComment(node: ts.Node | undefined): string | undefined {
  if (node === undefined) return undefined
  const { text } = node.getSourceFile()
  return ts.getLeadingCommentRanges(text, node.getFullStart())?.map(({ pos, end }) => text.slice(pos, end)).filter((comment) => comment.startsWith('/**')).at(-1)
}

function readDocstring(comment: string | undefined): Docstring {
  const lines = (comment ?? '').replace(/^\/\*\*|\*\/$/g, '').split('\n').map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
  const tag = lines.findIndex((line) => /^@/.test(line.trim()))
  const paragraphs = lines.slice(0, tag < 0 ? undefined : tag).join('\n').trim().split(/\n{2,}/)
  const from = lines.indexOf('@example')
  const behind = lines.findIndex((line, index) => index > from && /^@/.test(line))
  return {
    text: paragraphs.filter((paragraph) => !paragraph.startsWith('Errors: ')).join('\n\n'),
    errors: paragraphs.find((paragraph) => paragraph.startsWith('Errors: '))?.slice('Errors: '.length),
    example: from < 0 ? undefined : lines.slice(from + 1, behind < 0 ? undefined : behind).join('\n').trim(),
  }
}

/** A declaration's text, its further lines as far to the left as the first one. */
function dedented(node: ts.Node): string {
  const { character } = node.getSourceFile().getLineAndCharacterOfPosition(node.getStart())
  return node.getText().split('\n').map((line, index) => (index === 0 ? line : line.replace(new RegExp(`^ {0,${character}}`), ''))).join('\n')
}
