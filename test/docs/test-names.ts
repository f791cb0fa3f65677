// The names of the tests of a file, read from its source, so that a page can say which test keeps a promise.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { root } from './pages.ts'

const known = new Map<string, ReadonlySet<string>>()

/**
 * First arguments of test(), describe() and the like; in templates each `${...}` is written as `...`.
 *
 * @param file  from the root of the repository
 */
export function testNames(file: string): ReadonlySet<string> {
  let names = known.get(file)
  if (!names) known.set(file, (names = new Set(namesIn(file))))
  return names
}

function namesIn(file: string): string[] {
  const names: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && /^(test|describe|onEachSeam|onEachProtocol)\b/.test(node.expression.getText())) {
      const [first] = node.arguments
      if (first && ts.isStringLiteralLike(first)) names.push(first.text)
      if (first && ts.isTemplateExpression(first))
        names.push([first.head.text, ...first.templateSpans.map(span => span.literal.text)].join('...'))
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest, true))
  return names
}
