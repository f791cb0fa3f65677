// `npm test`: gets the parts that the tests want, runs them, and says how many passed.
//
//   npm test                     everything
//   npm test -- test/app         only files below a folder, or single files
//
// As root on Debian the missing parts (Chromium, nginx, HAProxy, Redis, pgbouncer) are installed first; elsewhere the tests that want them skip, by name. With CI set
// nothing may be skipped for want of a part.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')

function install(programs: readonly string[], packages: readonly string[], tests: string): void {
  if (programs.every(path => existsSync(path)) || process.platform !== 'linux') return
  const names = packages.join(' and ')
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    console.log(`${names} cannot be installed from here: without them the ${tests} tests are skipped.`)
    return
  }
  console.log(`Installing ${names} for the ${tests} tests ...`)
  for (const args of [
    ['update', '-qq'],
    ['install', '-y', '-qq', '--no-install-recommends', ...packages],
  ]) {
    const { status, stderr } = spawnSync('apt-get', args, {
      encoding: 'utf8',
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    })
    if (status !== 0) {
      console.log(`apt-get ${args[0]} failed: ${stderr.trim().split('\n').at(-1)}`)
      return
    }
  }
}

/** A Python program, in a virtual environment beside the repository's other tools. */
function installSchemathesis(): void {
  const folder = join(root, '.millrace/tools/schemathesis')
  if (existsSync(join(folder, 'bin/schemathesis'))) return
  console.log('Installing schemathesis for the tests of documents ...')
  for (const [program, args] of [
    ['python3', ['-m', 'venv', folder]],
    [join(folder, 'bin/pip'), ['install', '--quiet', 'schemathesis==4.32.5']],
  ] as const) {
    const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' })
    if (status === 0) continue
    const why = error?.message ?? stderr.trim().split('\n').at(-1) ?? ''
    console.log(`It could not be installed (${why}): without it these tests are skipped.`)
    return
  }
}

/** A server that speaks MongoDB's protocol: a program of ours around FerretDB, built once by Go. Without it our double stands in. */
function buildFerretdb(): void {
  const source = join(root, 'test/data/support/ferretdb')
  const program = join(root, '.millrace/tools/ferretdb')
  const isFresh = (name: string) => statSync(join(source, name)).mtimeMs <= statSync(program).mtimeMs
  if (existsSync(program) && ['main.go', 'go.sum'].every(isFresh)) return
  console.log('Building FerretDB for the MongoDB tests ...')
  const args = ['build', '-trimpath', '-ldflags=-s -w', '-o', program, '.']
  const { status, stderr, error } = spawnSync('go', args, { cwd: source, encoding: 'utf8' })
  if (status === 0) return
  const why = error?.message ?? stderr.trim().split('\n').at(-1) ?? ''
  console.log(`It could not be built (${why}): these tests run on our double instead.`)
}

function testFiles(asked: readonly string[]): string[] {
  const patterns = asked.length > 0 ? asked : ['test']
  const absent = patterns.find(path => !existsSync(join(root, path)))
  if (absent !== undefined) {
    console.error(`${absent} is not there; name a folder or a file below the root of the repository, such as test/app`)
    process.exit(2)
  }
  return patterns
    .flatMap(path =>
      statSync(join(root, path)).isDirectory() ? globSync(`${path}/**/*.test.ts`, { cwd: root }) : [path],
    )
    .filter(file => !file.includes('node_modules'))
    .sort()
}

const files = testFiles(process.argv.slice(2))
if (files.includes('test/system/tls.test.ts'))
  install(['/usr/bin/h2load', '/usr/bin/openssl'], ['nghttp2-client', 'openssl'], 'TLS')
if (files.includes('test/system/systemd.test.ts'))
  install(['/usr/bin/systemd-notify', '/usr/bin/python3'], ['systemd', 'python3'], 'systemd')
if (files.some(file => file.includes('.browser.'))) install(['/usr/bin/chromium'], ['chromium'], 'browser')
if (files.some(file => file.includes('.proxy.')))
  install(['/usr/sbin/nginx', '/usr/sbin/haproxy', '/usr/bin/openssl'], ['nginx-light', 'haproxy', 'openssl'], 'proxy')
if (files.some(file => file.includes('.redis.'))) install(['/usr/bin/redis-server'], ['redis-server'], 'Redis')
if (files.some(file => file.includes('.pgbouncer.'))) install(['/usr/sbin/pgbouncer'], ['pgbouncer'], 'pgbouncer')

if (files.some(file => file.includes('.mongo.')) && !process.env['MILLRACE_MONGODB_URL']) buildFerretdb()
if (files.some(file => file.includes('schemathesis'))) installSchemathesis()

// More than half of the time is waiting (processes, sockets, timers), so one more than the cores.
const concurrency = availableParallelism() + 1
// Hundreds of processes load the same sources: what Node makes of them is kept for this run, and not for the next.
const compiled = mkdtempSync(join(tmpdir(), 'millrace-compiled-'))
const args = [
  '--conditions=millrace-source',
  '--test',
  `--test-concurrency=${concurrency}`,
  '--test-timeout=400000',
  '--test-reporter=spec',
  ...files,
]
const child = spawn(process.execPath, args, {
  cwd: root,
  env: { ...process.env, NODE_COMPILE_CACHE: compiled },
  stdio: ['ignore', 'pipe', 'inherit'],
})
let tail = ''
let skipped = 0
child.stdout.on('data', (text: Buffer) => {
  process.stdout.write(text)
  // Its sum leaves out suites that were skipped as a whole, and those are the ones that want a missing part.
  skipped += text.toString().match(/^ *﹣ /gm)?.length ?? 0
  tail = (tail + text.toString()).slice(-1_000_000)
})
child.on('close', (status, signal) => {
  rmSync(compiled, { recursive: true, force: true, maxRetries: 20 })
  const count = (name: string) => Number([...tail.matchAll(new RegExp(`^. ${name} (\\d+)$`, 'gm'))].at(-1)?.[1] ?? 0)
  const failed = count('fail') + count('cancelled')
  console.log(`${count('pass')} passed, ${failed} failed, ${skipped} skipped`)
  process.exit(status ?? (signal ? 1 : 0))
})
