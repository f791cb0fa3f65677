// The text of a COPY: it takes no parameters, so a template may hold names and other fragments, but no values.
import { misuse } from './errors.ts'
import { compileSql, type Fragment } from './sql.ts'

/** @throws UsageError `POSTGRES_BAD_VALUE` */
export function copyStatement(statement: string | Fragment): string {
  if (typeof statement === 'string') return statement
  const { text, values } = compileSql(statement.strings, statement.values)
  if (values.length > 0)
    throw misuse(
      'POSTGRES_BAD_VALUE',
      `COPY takes no parameters; ${text} has ${values.length}. Names go in by sql.identifier`,
    )
  return text
}
