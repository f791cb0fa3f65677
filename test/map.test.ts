// The house as its imports draw it: floors go down only, neighbours do not know each other, nothing goes round in a circle.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'
import ts from 'typescript'

const src = join(import.meta.dirname, '..', 'src')
const FLOORS: readonly (readonly string[])[] = [
  ['core'],
  ['http', 'schema', 'flow', 'cache', 'tasks', 'offload', 'observe', 'load'],
  ['app'],
  ['server', 'data'],
  ['testing', 'client', 'cli'],
]
const floorOf = (folder: string) => FLOORS.findIndex(folders => folders.includes(folder))

/** File to the files of src it imports, types included. */
const imports = new Map<string, readonly string[]>(
  globSync('**/*.ts', { cwd: src }).map(file => [
    file,
    ts
      .preProcessFile(readFileSync(join(src, file), 'utf8'), true, true)
      .importedFiles.filter(({ fileName }) => fileName.startsWith('.'))
      .map(({ fileName }) => normalize(join(dirname(file), fileName))),
  ]),
)
const folderOf = (file: string) => (file.includes('/') ? file.slice(0, file.indexOf('/')) : '')

test('every folder has its floor, and every import leads to a file', () => {
  for (const [file, targets] of imports) {
    if (folderOf(file) !== '')
      assert.notEqual(
        floorOf(folderOf(file)),
        -1,
        `${file} is on no floor; add its folder to this test and to the architecture page`,
      )
    for (const target of targets) assert.ok(imports.has(target), `${file} imports ${target}, which is not there`)
  }
})

test('a folder imports only from floors below its own', () => {
  const wrong: string[] = []
  const edges = new Map<string, Set<string>>()
  for (const [file, targets] of imports)
    for (const target of targets) {
      const [from, to] = [folderOf(file), folderOf(target)]
      if (from === to || from === '') continue
      edges.set(from, (edges.get(from) ?? new Set()).add(to))
      if (floorOf(to) >= floorOf(from)) wrong.push(`${file} -> ${target}`)
    }
  for (const folders of FLOORS)
    for (const folder of folders)
      if (edges.has(folder)) console.log(`${folder} -> ${[...edges.get(folder)!].sort().join(' ')}`)
  assert.deepEqual(wrong, [])
})

test('no imports go round in a circle', () => {
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (file: string, path: readonly string[]) => {
    const at = path.indexOf(file)
    if (at !== -1) return void cycles.push([...path.slice(at), file].join(' -> '))
    if (done.has(file)) return
    for (const target of imports.get(file) ?? []) visit(target, [...path, file])
    done.add(file)
  }
  for (const file of imports.keys()) visit(file, [])
  assert.deepEqual(cycles, [])
})
