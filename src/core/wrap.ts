// Breaks text between words, so that a terminal need not break it inside them.

/**
 * @param columns  of a line; a longer word has a line of its own
 * @returns the lines of one paragraph
 */
export function wrap(paragraph: string, columns: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of paragraph.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = ''
    }
    line += line === '' ? word : ` ${word}`
  }
  lines.push(line)
  return lines
}
