// The routes of an app as a table that reads well in 80 columns.
import type { RouteFacts } from '../app/servable.ts'

// Longer paths go on in the next line, with what is said of them.
const LONGEST_PATH = 44

/** @param columns  of the terminal */
export function routeTable(routes: readonly RouteFacts[], columns: number): string {
  const rows = routes.map(({ method, path, id = '', version, notes = [] }) => ({
    method: method === '*' ? 'any' : method,
    path,
    id,
    notes: [...(version === undefined ? [] : [`version ${version}`]), ...notes].join(', '),
  }))
  const widest = (texts: readonly string[]) => Math.max(0, ...texts.map(text => text.length))
  const method = widest(rows.map(row => row.method))
  const path = Math.min(LONGEST_PATH, widest(rows.map(row => row.path)))
  const id = widest(rows.map(row => row.id))
  return rows
    .map(row => {
      const start = `${row.method.padEnd(method)}  ${row.path}`
      const indent = ' '.repeat(method + 2)
      const whole =
        `${row.method.padEnd(method)}  ${row.path.padEnd(path)}  ${row.id.padEnd(id)}  ${row.notes}`.trimEnd()
      if (row.path.length <= path && whole.length <= columns) return `${whole}\n`
      const about = [row.id, row.notes].filter(text => text !== '').join('  ')
      return about === '' ? `${start}\n` : `${start}\n${folded(about, columns - indent.length - 2, `${indent}  `)}`
    })
    .join('')
}

/** Between words, each line behind `indent`. */
function folded(text: string, width: number, indent: string): string {
  const lines: string[] = []
  for (const word of text.split(/(?<=,) /)) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines.map(line => `${indent}${line}\n`).join('')
}
