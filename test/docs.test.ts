// The documentation is true: every snippet is its file and runs, every output shown is what comes out, every name leads somewhere.
//
// Rules for pages: a `ts` block names the file it is after the fence, or is a run of whole lines of it below a link to the whole, and a
// `text` block may do so with a file of `deploy`; a `console` block shows commands against the file of the last ts block before it, each
// with its exact output (see `steadied` for what may differ); an `sh` block holds commands that are only checked to exist.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, normalize } from 'node:path'
import { after, before, describe, test } from 'node:test'
import ts from 'typescript'
import { readArguments } from '../src/cli/arguments.ts'
import { COMMANDS } from '../src/cli/commands.ts'
import { PROTOCOL_ERROR_CODES, protocolError } from '../src/http/errors.ts'
import { allPages, anchorsOf, type Block, readPage, root } from './docs/pages.ts'
import { outputOf, ServedApp, steadied, stepsOf } from './docs/served-app.ts'
import { testNames } from './docs/test-names.ts'

const pages = allPages()
const read = (path: string) => readFileSync(join(root, path), 'utf8')

describe('snippets', () => {
  for (const page of pages)
    for (const block of page.blocks.filter(({ language, title }) => language === 'ts' || title.startsWith('deploy/')))
      test(`${page.path}:${block.line} is in ${block.title}`, () => {
        assert.match(
          block.title,
          /^(examples|deploy)\//,
          'a ts block names its file after the fence: ```ts examples/...',
        )
        const source = read(block.title).trimEnd()
        if (page.path === 'docs/tour.md') assert.equal(block.text.trimEnd(), source)
        else
          assert.ok(
            `\n${source}\n`.includes(`\n${block.text.trimEnd()}\n`),
            `it is not a part of the file:\n${block.text}`,
          )
        if (block.text.trimEnd() !== source)
          assert.ok(
            page.text.split('\n').slice(0, block.line).join('\n').includes(`[\`${block.title}\`](`),
            'a part of a file has a link to the whole of it above: the rest is needed to run it',
          )
      })

  test('are in a language that is tested', () => {
    for (const page of pages)
      for (const { language, line } of page.blocks)
        assert.match(language, /^(ts|console|sh|json|text)$/, `${page.path}:${line}`)
  })
})

test('the tsconfig.json of README.md is one that the compiler knows, and takes its snippets', () => {
  const block = readPage('README.md').blocks.find(({ language }) => language === 'json')
  const { compilerOptions } = JSON.parse(block!.text) as { compilerOptions: object }
  const { options, errors } = ts.convertCompilerOptionsFromJson(compilerOptions, root)
  assert.deepEqual(errors, [])
  const files = ['examples/hello/app.ts', 'examples/guide/setup.ts', 'examples/guide/endpoint.ts'].map(file =>
    join(root, file),
  )
  const program = ts.createProgram(files, { ...options, customConditions: ['millrace-source'] })
  const complaints = files.flatMap(file => ts.getPreEmitDiagnostics(program, program.getSourceFile(file)))
  assert.deepEqual(
    complaints.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
    [],
  )
})

describe('commands and their output', { skip: curlIsMissing(), concurrency: 3, timeout: 600_000 }, () => {
  for (const page of pages) {
    for (const [file, blocks] of consolesOf(page.blocks))
      describe(`${page.path} with ${file}`, { concurrency: 1 }, () => {
        let app: ServedApp
        let project: Project | undefined
        before(async () => {
          if (read(file).includes("'millrace/postgres'")) project = await setUp()
          app = await ServedApp.start(file, project?.folder)
        })
        after(async () => {
          await app?.stop()
          await project?.remove()
        })
        for (const { text, line } of blocks)
          test(`line ${line}`, async () => {
            for (const { command, output } of stepsOf(text)) {
              assert.match(command, /^curl /, 'a console block holds curl commands')
              assert.match(command, /localhost:8000/, 'curl asks localhost:8000')
              const real = await outputOf(command.replaceAll('localhost:8000', app.url.slice('http://'.length)))
              assert.equal(steadied(real.replaceAll(app.url, 'http://localhost:8000')), steadied(output), command)
            }
          })
      })
  }
})

interface Project {
  readonly folder: string
  remove(): Promise<void>
}

/** A folder in which the pages' setup.ts has been run, as a reader runs it: on an embedded server, whose data stays there. */
async function setUp(): Promise<Project> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-docs-'))
  const { status, output } = await run([join(root, 'examples/guide/setup.ts')], folder)
  assert.equal(status, 0, output)
  return { folder, remove: () => rm(folder, { recursive: true, force: true, maxRetries: 20 }) }
}

/** The consoles of a page by the file they are about. */
function consolesOf(blocks: readonly Block[]): ReadonlyMap<string, readonly Block[]> {
  const found = new Map<string, Block[]>()
  let file: string | undefined
  for (const block of blocks) {
    if (block.language === 'ts') file = block.title
    if (block.language !== 'console') continue
    assert.ok(file, 'a console block needs a ts block before it')
    found.set(file, [...(found.get(file) ?? []), block])
  }
  return found
}

// Every system that runs the gate has it; a contributor's may not.
function curlIsMissing(): string | false {
  if (process.env['CI'] || spawnSync('curl', ['--version']).status === 0) return false
  return 'curl is not installed'
}

describe('shell commands', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  for (const page of pages) {
    const inBlocks = page.blocks.filter(({ language }) => language === 'sh').flatMap(({ text }) => text.split('\n'))
    const inText = [...page.prose.matchAll(/`((?:npm|npx) [^`]+)`/g)].map(([, command]) => command!)
    test(`of ${page.path} exist`, () => {
      for (const line of [...inBlocks, ...inText]) for (const command of line.split(' && ')) checkCommand(command)
    })
  }

  function checkCommand(command: string): void {
    const npm = /^npm (?:--silent )?run (?:--silent )?([\w-]+)/.exec(command)?.[1]
    if (npm !== undefined) assert.ok(scripts[npm] !== undefined, `${command}: package.json has no script ${npm}`)
    if (/^npm (start|test)\b/.test(command)) assert.ok(scripts[command.split(' ')[1]!] !== undefined, command)
    const millrace = /^(?:npx millrace|npm run --silent millrace --) (\w+)(.*)$/.exec(command.replace(/ +#.*$/, ''))
    if (!millrace) return
    const [, name, rest] = millrace
    assert.ok(Object.hasOwn(COMMANDS, name!), `${command}: there is no command ${name}`)
    const argv = rest!.trim().split(/\s+/).filter(Boolean)
    if ((name === 'serve' || name === 'dev') && !argv.includes('--help')) readArguments(argv, name, name)
  }
})

describe('links and paths', () => {
  for (const page of pages)
    test(`of ${page.path} lead somewhere`, () => {
      for (const [, target] of page.prose.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target!)) continue
        const [path, anchor] = target!.split('#') as [string, string?]
        const to = path === '' ? page.path : normalize(join(dirname(page.path), path))
        assert.ok(existsSync(join(root, to)), `${target} is not there`)
        if (anchor && to.endsWith('.md')) assert.ok(anchorsOf(readPage(to)).has(anchor), `${target}: no such heading`)
      }
      for (const [, path] of page.prose.matchAll(/`((?:src|test|docs|examples|bench|scripts)\/[^`\s:*<]+)`/g))
        assert.ok(existsSync(join(root, path!)), `${path} is not there`)
    })
})

test('README.md leads to every page of the documentation', () => {
  const linked = new Set([...readPage('README.md').prose.matchAll(/\]\(([^)#\s]+)/g)].map(([, path]) => path!))
  const left = pages
    .map(({ path }) => path)
    .filter(path => path !== 'README.md' && !path.startsWith('docs/decisions/') && !linked.has(path))
  assert.deepEqual(left, [])
})

describe('docs/architecture.md', () => {
  test('names every folder of src, and no other', () => {
    const folders = globSync('src/*/', { cwd: root }).map(path => path.split('/')[1]!)
    const named = [...readPage('docs/architecture.md').prose.matchAll(/^\| `(\w+)` \|/gm)].map(([, folder]) => folder!)
    assert.deepEqual(named.sort(), folders.sort())
  })
})

describe('docs/server-behaviour.md', () => {
  const { prose } = readPage('docs/server-behaviour.md')
  const promises = prose.split(/^(?=- )/m).slice(1)

  test('names a test for every promise', () => {
    for (const promise of promises) assert.match(promise, /^ {2}- `test\/\S+`/m, promise)
  })

  test('names tests that exist', () => {
    const named = [...prose.matchAll(/^ {2}- `(test\/[\w/.-]+\.test\.ts)`: (.+)$/gm)]
    assert.ok(named.length > 0)
    for (const [, file, sentence] of named)
      assert.ok(testNames(file!).has(sentence!.trim()), `${file} has no test called: ${sentence}`)
  })

  test('names wire cases that exist and end as promised', () => {
    for (const promise of promises)
      for (const [, pattern] of promise.matchAll(/^ {2}- `(test\/wire\/\S+\.http)`$/gm)) {
        const files = globSync(pattern!, { cwd: root })
        assert.ok(files.length > 0, `${pattern} is not there`)
        for (const file of files) {
          const { status } = JSON.parse(read(file.replace(/http$/, 'json'))) as { status: number }
          if (file.includes('/refused/')) assert.match(promise, new RegExp(`\\b${status}\\b`), `${file} is a ${status}`)
          else assert.equal(status, 200, file)
        }
      }
  })

  test('lists its tests in one of these two forms', () => {
    for (const [line] of prose.matchAll(/^ {2}- .*$/gm))
      assert.match(line, /^ {2}- `test\/\S+(\.http`$|\.test\.ts`: .)/)
  })
})

describe('docs/reference/errors.md', () => {
  const entries = new Map(
    readPage('docs/reference/errors.md')
      .prose.split(/^(?=### )/m)
      .slice(1)
      .map(entry => [/^### `([A-Z0-9_]+)`/.exec(entry)?.[1] ?? entry, entry]),
  )
  // Constants of other systems, spelt like our codes.
  const NOT_OURS =
    /^(ERR_\w+|EAI_AGAIN|MILLRACE_\w+|WEB_CONCURRENCY|DATABASE_URL|DATABASE_MAX_CONN|REDIS_URL|MONGODB_URL|PG_VERSION)$/

  test('has a heading for every error code in src, and for no other', () => {
    const codes = new Set<string>()
    for (const file of globSync('src/**/*.ts', { cwd: root }))
      for (const [, literal, key] of read(file).matchAll(
        /'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)'|^ +([A-Z]+(?:_[A-Z]+)+): \[/gm,
      ))
        if (!NOT_OURS.test((literal ?? key)!)) codes.add((literal ?? key)!)
    assert.deepEqual([...entries.keys()].sort(), [...codes].sort())
  })

  test('says of every code when it comes, what the client sees, and what to do', () => {
    for (const [code, entry] of entries)
      for (const part of ['- **When:** ', '- **Client:** ', '- **Do:** '])
        assert.ok(entry.includes(`\n${part}`), `${code} lacks ${part}`)
  })

  test('tells the status that a broken request is answered with', () => {
    for (const code of PROTOCOL_ERROR_CODES) {
      const told = /\*\*Client:\*\* (\d{3})/.exec(entries.get(code)!)?.[1]
      assert.equal(Number(told), protocolError(code).status, code)
    }
  })
})

describe('examples/guide', () => {
  const files = globSync('examples/guide/*.ts', { cwd: root })

  test('is shown on a page, file by file', () => {
    const shown = new Set(pages.flatMap(page => page.blocks.map(block => block.title)))
    for (const file of files) assert.ok(shown.has(file), `${file} is on no page`)
  })

  for (const file of files.filter(file => file.endsWith('.test.ts')))
    test(`${file} passes`, async () => {
      const { status, output } = await run(['--test', file])
      assert.equal(status, 0, output)
      assert.doesNotMatch(output, /^# pass 0$/m)
    })

  test('examples/guide/serve.ts serves from code, and ends when told to', async () => {
    const child = spawn(process.execPath, [CONDITION, join(root, 'examples/guide/serve.ts')], {
      env: { ...process.env, PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(child, 'exit')
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const [url] = /http:\S+/.exec(line.toString())!
    assert.equal((await fetch(`${url}/orders`)).status, 405)
    child.kill('SIGTERM')
    assert.deepEqual(await ended, [0, null])
  })
})

const CONDITION = '--conditions=millrace-source'

async function run(args: readonly string[], cwd = root): Promise<{ status: number | null; output: string }> {
  // NODE_TEST_CONTEXT would make the inner runner report to ours instead of in words.
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined, DATABASE_URL: undefined }
  const child = spawn(process.execPath, [CONDITION, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()))
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, output }
}
