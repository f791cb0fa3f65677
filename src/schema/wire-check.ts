// Whether a JSON text is what a schema puts on the wire: for text that goes out as it is.
import { describe } from './json-schema.ts'
import { jsonValidator } from './json-validator.ts'
import { Failed } from './outcome.ts'
import type { Schema } from './schema.ts'
import type { Validate } from './validator.ts'

/**
 * @returns what is wrong with a text, in words for the log and without its values; undefined when nothing is
 * @throws UsageError for a schema that cannot be described, naming `where`
 */
export function compileWireCheck(schema: Schema, where: string): (text: string) => string | undefined {
  const described = describe(schema, 'output', where)
  // Its library is loaded by the first text.
  let validate: Validate | undefined
  return text => {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      return 'what is no JSON'
    }
    validate ??= jsonValidator(described, where)
    const outcome = validate(value)
    if (!(outcome instanceof Failed)) return undefined
    const [first] = outcome.found
    return `JSON that its schema does not describe: ${first!.path.join('.') || 'the whole'}: ${first!.msg}`
  }
}
