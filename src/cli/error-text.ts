// How the command line says what went wrong: in whole words at a terminal, as it is where a program reads.
import { wrap } from '../core/wrap.ts'

/** @param to  where it will be written: process.stderr */
export function errorText(message: string, to: { readonly isTTY?: boolean; readonly columns?: number }): string {
  const text = `error: ${message}`
  if (!to.isTTY || !to.columns) return text
  // Indented lines are code and lists, as the writer laid them out.
  const lines = text.split('\n').flatMap(line => (line.startsWith(' ') ? [line] : wrap(line, to.columns!)))
  return lines.join('\n')
}
