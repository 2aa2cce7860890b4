import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** The complaints of the compiler about files, as a user's compiler would make them: through the package's own name. */
function complaints(files: string[]): string[] {
  const { config } = ts.readConfigFile(`${ROOT}tsconfig.json`, ts.sys.readFile.bind(ts.sys)) as { config: { compilerOptions: Record<string, unknown> } }
  const { options } = ts.convertCompilerOptionsFromJson({ ...config.compilerOptions, noEmit: true, declaration: false, declarationMap: false }, ROOT)
  const program = ts.createProgram(files.map((file) => `${ROOT}test/typings/${file}`), options)
  return ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const at = file === undefined ? '' : `${file.fileName.slice(ROOT.length)}:${file.getLineAndCharacterOfPosition(start!).line + 1} `
    return at + ts.flattenDiagnosticMessageText(messageText, '\n')
  })
}

describe('typings', () => {
  it('compile where they should, and refuse where they should', function () {
    this.timeout(60_000)
    expect(complaints(['cache.ts', 'walks.ts'])).to.deep.equal([])
    expect(readFileSync(`${ROOT}test/typings/cache.ts`, 'utf8').match(/@ts-expect-error/g)).to.have.length.greaterThan(30)
    expect(readFileSync(`${ROOT}test/typings/walks.ts`, 'utf8').match(/@ts-expect-error/g)).to.have.length.greaterThan(15)
  })
})
