// Validates by Zod, with its compiled parser once a schema proves to be in use.
import { Failed, type Outcome } from './outcome.ts'
import { zodFindings } from './zod-issues.ts'
import { zodCore, type ZodResult, type ZodSchema } from './zod-library.ts'

// z.compile makes parsing 3 to 7 times faster (a params object 62 -> 23 ns, a body with a list 673 -> 96 ns) and costs 1 to 2 ms
// once, with about the same cost for values that are refused: it hands those to the ordinary parser, so issues are the same.
// 64 calls: a route that is called by a person now and then never pays, a busy one has it within its first second.
const CALLS_BEFORE_COMPILING = 64

/** @param tellsAll  of a union, what each member says, with its name */
export function zodValidator(schema: ZodSchema, tellsAll: boolean): (value: unknown) => Outcome {
  const core = zodCore()
  let parser = schema
  let calls = 0
  let isAsync = false

  function finish(result: ZodResult, value: unknown): Outcome {
    return result.issues.length === 0 ? result.value : new Failed(zodFindings(result.issues, value, tellsAll))
  }

  return value => {
    if (!isAsync) {
      if (++calls === CALLS_BEFORE_COMPILING) parser = core.compile(schema)
      try {
        return finish(parser._zod.run({ value, issues: [] }, { async: false }) as ZodResult, value)
      } catch (error) {
        // An async refinement shows itself only when it runs. From now on this schema is run as one.
        if (!(error instanceof core.$ZodAsyncError)) throw error
        isAsync = true
      }
    }
    const result = schema._zod.run({ value, issues: [] }, { async: true })
    return result instanceof Promise ? result.then(late => finish(late, value)) : finish(result, value)
  }
}
