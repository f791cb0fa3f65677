// What the compilers say: that each likely mistake gets a message which names it, and that an application's declarations can be emitted.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { installPeer, peerPath } from '../../bench/harness/peers.ts'

const ROOT = join(import.meta.dirname, '../..')
const FIXTURE = join(ROOT, 'test/fixtures/mistakes')

interface Mistake {
  readonly name: string
  readonly says: string
  /** Of its comment; what it is about follows, up to the next. */
  readonly line: number
}

const mistakes: readonly Mistake[] = readFileSync(join(FIXTURE, 'mistakes.ts'), 'utf8')
  .split('\n')
  .flatMap((text, n, lines) => {
    const name = /^\/\/ mistake: (.+)$/.exec(text)?.[1]
    return name === undefined ? [] : [{ name, says: /^\/\/ says: (.+)$/.exec(lines[n + 1]!)![1]!, line: n + 1 }]
  })

function tsc(compiler: string, ...args: readonly string[]): string {
  const { stdout, error } = spawnSync(process.execPath, [compiler, ...args], { cwd: ROOT, encoding: 'utf8' })
  if (error) throw error
  return stdout
}

/** Messages by the line they are about; what is indented below one belongs to it. */
function messages(output: string): readonly { readonly line: number; readonly text: string }[] {
  return output.split(/\n(?! )/).flatMap(text => {
    const found = /mistakes\.ts\((\d+),\d+\): error /.exec(text)
    return found ? [{ line: Number(found[1]), text }] : []
  })
}

const typescript6 = join(ROOT, 'node_modules/typescript/bin/tsc')
const typescript7 = await installPeer('typescript-7').then(
  () => peerPath('typescript-7', 'node_modules/typescript/bin/tsc'),
  (error: unknown) => {
    if (process.env['CI']) throw error
    return undefined
  },
)

for (const [name, compiler] of [
  ['TypeScript 6', typescript6],
  ['TypeScript 7', typescript7],
] as const)
  describe(name, { skip: compiler === undefined && 'it could not be installed' }, () => {
    const found = compiler === undefined ? [] : messages(tsc(compiler, '-p', FIXTURE, '--pretty', 'false'))

    for (const [n, { name, says, line }] of mistakes.entries())
      test(`says what is wrong when ${name}`, () => {
        const end = mistakes[n + 1]?.line ?? Infinity
        const about = found.filter(message => message.line > line && message.line < end)
        assert.equal(about.length, 1, `one message each: ${about.map(({ text }) => text).join('\n')}`)
        assert.ok(about[0]!.text.includes(says), about[0]!.text)
      })

    test('complains of nothing else', () => {
      assert.equal(found.length, mistakes.length)
    })

    test('emits declarations of an app, which a client is typed by as by its source', () => {
      // Inside the project, where packages are found; a folder that git does not see.
      mkdirSync(join(ROOT, '.millrace'), { recursive: true })
      const folder = mkdtempSync(join(ROOT, '.millrace/declarations-'))
      after(() => rmSync(folder, { recursive: true, force: true }))
      const config = (file: string, of: object) => {
        writeFileSync(join(folder, file), JSON.stringify({ extends: join(ROOT, 'tsconfig.json'), ...of }))
        return join(folder, file)
      }
      const emitting = { noEmit: false, declaration: true, emitDeclarationOnly: true, noEmitOnError: true }
      const emit = config('emit.json', {
        compilerOptions: { ...emitting, rootDir: ROOT, outDir: join(folder, 'out') },
        include: [join(ROOT, 'test/types/sample.ts')],
        exclude: [],
      })
      assert.equal(tsc(compiler!, '-p', emit, '--pretty', 'false'), '')
      // The same questions as to the source, to the declarations.
      writeFileSync(
        join(folder, 'client.types.ts'),
        readFileSync(join(ROOT, 'test/types/client.types.ts'), 'utf8').replace(
          './sample.ts',
          join(folder, 'out/test/types/sample.d.ts'),
        ),
      )
      const ask = config('ask.json', { include: [join(folder, 'client.types.ts')], exclude: [] })
      assert.equal(tsc(compiler!, '-p', ask, '--pretty', 'false'), '')
    })
  })
