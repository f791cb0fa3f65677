// Around `npm pack` and `npm publish`: takes out of package.json what only this repository needs, and puts it back.
//
//   node scripts/pack.ts strip      prepack
//   node scripts/pack.ts restore    postpack; also by hand, when packing was interrupted
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const manifest = join(root, 'package.json')
const kept = join(root, '.millrace/package.json.before-pack')

// npm would run none of the scripts for a user, and workspaces, development dependencies and approvals of install scripts say nothing to
// one. `millrace-source` must go: an application that sets the condition for a package of its own would be sent to files that are not there.
const OURS = ['workspaces', 'devDependencies', 'scripts', 'allowScripts']

type Exports = Record<string, string | Record<string, string>>

function strip(): void {
  if (existsSync(kept)) restore()
  const text = readFileSync(manifest, 'utf8')
  const stripped = JSON.parse(text) as Record<string, unknown> & { exports: Exports }
  for (const field of OURS) delete stripped[field]
  for (const conditions of Object.values(stripped.exports))
    if (typeof conditions === 'object') delete conditions['millrace-source']
  mkdirSync(join(root, '.millrace'), { recursive: true })
  writeFileSync(kept, text)
  writeFileSync(manifest, `${JSON.stringify(stripped, null, 2)}\n`)
}

function restore(): void {
  if (existsSync(kept)) renameSync(kept, manifest)
}

const commands: Readonly<Record<string, () => void>> = { strip, restore }
const command = commands[process.argv[2] ?? '']
if (command) command()
else {
  console.error('usage: node scripts/pack.ts strip|restore')
  process.exitCode = 2
}
