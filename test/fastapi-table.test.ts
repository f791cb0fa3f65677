// The table of what FastAPI does is whole and true in form: every row has one of four verdicts and names tests that exist.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { readPage, root } from './docs/pages.ts'
import { testNames } from './docs/test-names.ts'

interface Row {
  readonly feature: string
  readonly verdict: string
  readonly tests: readonly { readonly file: string; readonly title: string }[]
}

const { prose } = readPage('docs/reference/fastapi.md')
const sections = prose
  .split(/^(?=## )/m)
  .slice(1)
  .map(text => ({ heading: /^## (.*)/.exec(text)![1]!, rows: rowsOf(text) }))
const rows = sections.flatMap(({ rows }) => rows)

/** The rows of its table, without the two lines of its head. */
function rowsOf(section: string): readonly Row[] {
  return [...section.matchAll(/^\|(.*)\|$/gm)].slice(2).map(match => {
    const line = match[1]!
    const cells = line.split(/(?<!\\)\|/).map(cell => cell.trim())
    assert.equal(cells.length, 3, line)
    const [feature, verdict, tests] = cells as [string, string, string]
    const links = [...tests.matchAll(/\[((?:[^\]\\]|\\.)+)\]\(\.\.\/\.\.\/(test\/[^)]+)\)/g)]
    // What is left between the links can only be what parts them.
    assert.match(tests.replaceAll(/\[(?:[^\]\\]|\\.)+\]\([^)]+\)/g, ''), /^(?:<br>)*$/, `${feature}: ${tests}`)
    return { feature, verdict, tests: links.map(([, title, file]) => ({ file: file!, title: unescaped(title!) })) }
  })
}

/** Markdown takes a backslash before punctuation away. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([!-/:-@[-`{-~])/g, '$1')
}

describe('docs/reference/fastapi.md', () => {
  test('has as many rows as it says, in seventeen sections', () => {
    const said = /(\d+) rows in (\d+) sections/.exec(prose)
    assert.deepEqual([rows.length, sections.length], [Number(said?.[1]), Number(said?.[2])])
    assert.equal(sections.length, 17)
    for (const { heading, rows } of sections) {
      assert.ok(rows.length > 0, heading)
      const names = rows.map(({ feature }) => feature)
      assert.equal(new Set(names).size, names.length, `${heading}: a row stands there twice`)
    }
  })

  test('says of every row what Millrace does: same, better, later, or not in TypeScript, and how or why', () => {
    for (const { feature, verdict } of rows) {
      assert.notEqual(feature, '')
      assert.match(verdict, /^(same(: \S.*)?|(better|later|not in TypeScript): \S.+)$/, feature)
    }
  })

  test('counts its verdicts as it says', () => {
    const count = (word: string) => rows.filter(({ verdict }) => verdict.split(':')[0] === word).length
    for (const word of ['same', 'better', 'later', 'not in TypeScript']) {
      const said = new RegExp(`\\*\\*${word}\\*\\* \\((\\d+)\\)`).exec(prose)?.[1]
      assert.equal(count(word), Number(said), word)
    }
  })

  test('puts off nothing but durable background work and observability', () => {
    const later = sections.filter(({ rows }) => rows.some(({ verdict }) => verdict.startsWith('later')))
    for (const { heading, rows } of later)
      for (const { feature, verdict } of rows)
        if (verdict.startsWith('later'))
          assert.match(`${heading} ${verdict}`, /Background tasks|observability/, `${feature}: ${verdict}`)
  })

  test('names a test for every row', () => {
    for (const { feature, tests } of rows) assert.ok(tests.length > 0, `${feature} has no test`)
  })

  test('names tests that exist', () => {
    for (const { feature, tests } of rows)
      for (const { file, title } of tests) {
        assert.ok(existsSync(join(root, file)), `${feature}: ${file} is not there`)
        assert.ok(testNames(file).has(title), `${feature}: ${file} has no test called: ${title}`)
      }
  })
})
