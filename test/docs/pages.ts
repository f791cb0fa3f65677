// The documentation as data: its pages, and in each the fenced blocks, the links and the paths that it names.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '..', '..')

export interface Block {
  /** First word after the fence: ts, console, sh, json; '' when there is none. */
  readonly language: string
  /** The rest of that line. Of a ts block: the file it is, or is a part of. */
  readonly title: string
  readonly text: string
  /** Of the opening fence, from 1. */
  readonly line: number
}

export interface Page {
  /** From the root of the repository. */
  readonly path: string
  readonly text: string
  readonly blocks: readonly Block[]
  /** Without its fenced blocks. */
  readonly prose: string
}

export function readPage(path: string): Page {
  const text = readFileSync(join(root, path), 'utf8')
  const blocks: Block[] = []
  const prose: string[] = []
  let open: { language: string; title: string; line: number; lines: string[] } | undefined
  for (const [n, line] of text.split('\n').entries()) {
    const fence = /^```(\S*)\s*(.*)$/.exec(line)
    if (open && fence) {
      blocks.push({ language: open.language, title: open.title, line: open.line, text: open.lines.join('\n') })
      open = undefined
    } else if (open) open.lines.push(line)
    else if (fence) open = { language: fence[1]!, title: fence[2]!, line: n + 1, lines: [] }
    else prose.push(line)
  }
  if (open) throw new Error(`${path}:${open.line}: the block is never closed`)
  return { path, text, blocks, prose: prose.join('\n') }
}

/** What this project says about itself; pages of single examples and of the benches are tested where they live. */
export function allPages(): readonly Page[] {
  return ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', ...globSync('docs/**/*.md', { cwd: root })]
    .sort()
    .map(readPage)
}

/** Of headings, as GitHub makes them. */
export function anchorsOf(page: Page): ReadonlySet<string> {
  const headings = [...page.prose.matchAll(/^#+ +(.*)$/gm)]
  return new Set(
    headings.map(([, heading]) =>
      heading!
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(/\s/g, '-'),
    ),
  )
}
