// Validates by any Standard Schema. Its issues are a message and a path; the kind is read from what vendors add, where they do.
import { Failed, type Found, type Outcome, valueAt } from './outcome.ts'
import { broken, missing, wrongType } from './rules.ts'

interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
  /** ArkType: 'required', 'domain', ... */
  readonly code?: unknown
  /** ArkType, with code 'domain': the type that was expected. */
  readonly domain?: unknown
  /** Valibot: 'schema' when the type itself is wrong. */
  readonly kind?: unknown
  /** Valibot: 'number', 'string', 'object', ... */
  readonly type?: unknown
}

interface StandardSchema {
  readonly '~standard': {
    validate(value: unknown): StandardResult | Promise<StandardResult>
  }
}
type StandardResult =
  { readonly value: unknown; readonly issues?: undefined } | { readonly issues: readonly StandardIssue[] }

export function standardValidator(schema: StandardSchema): (value: unknown) => Outcome {
  const standard = schema['~standard']

  function finish(result: StandardResult, value: unknown): Outcome {
    return result.issues ? new Failed(result.issues.map(issue => finding(issue, value))) : result.value
  }

  return value => {
    const result = standard.validate(value)
    return result instanceof Promise ? result.then(late => finish(late, value)) : finish(result, value)
  }
}

function finding(issue: StandardIssue, root: unknown): Found {
  const path = (issue.path ?? []).map(part => {
    const key = typeof part === 'object' ? part.key : part
    return typeof key === 'symbol' ? String(key) : key
  })
  const value = valueAt(root, path)
  if (value === undefined) return missing(path)
  const expected = issue.code === 'domain' ? issue.domain : issue.kind === 'schema' ? issue.type : undefined
  return typeof expected === 'string' ? wrongType(expected, value, path, issue.message) : broken(path, issue.message)
}
