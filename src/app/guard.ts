// The guard of a route: what a request must show before anything is done for it, and what those are told who may not have it.
//
// Credentials are looked for before a permit is taken, dependencies that judge them run before the body is read. So nobody learns what a
// body should look like, or keeps a place in a queue, without having said who they are.
import { MillraceError, UsageError } from '../core/error.ts'
import type { Exchange } from '../http/exchange.ts'
import type { DependencyPlan, Step } from './dependencies.ts'
import { HttpError, withFields } from './http-error.ts'
import { InputReader } from './input.ts'
import type { ErrorFormat } from './problem.ts'
import { type Asked, type BearerError, challenges } from './security/challenge.ts'
import { type Credentials, MALFORMED, type SecurityDefinition } from './security/scheme.ts'

/** By slot: what the request showed where a step declares security; empty where none does. */
export type Shown = readonly (Credentials | undefined)[]

interface Asking {
  readonly slot: number
  readonly security: SecurityDefinition
  readonly scopes: readonly string[]
  /** Given where security is optional and nothing was shown. */
  readonly nothing: Credentials
}

export class Guard {
  /** What the guards declare as headers, query and cookies. */
  readonly inputs: InputReader
  readonly #asking: readonly Asking[]
  readonly #asked: readonly Asked[]
  readonly #format: ErrorFormat

  /** @throws UsageError `APP_UNKNOWN_SCOPE` */
  constructor(plan: DependencyPlan, format: ErrorFormat, where: string) {
    this.#asking = plan.guards.flatMap(step => asking(step, where))
    this.#asked = this.#asking.flatMap(({ security, scopes }) =>
      security.schemes.map(scheme => ({ scheme, required: scopes })),
    )
    this.#format = format
    this.inputs = new InputReader({
      spec: {},
      steps: plan.steps.map(step => (plan.guards.includes(step) ? step.definition : {})),
      names: [],
      ownNames: [],
      maxBodyBytes: undefined,
      bodyType: 'application/json',
      format,
      where,
    })
  }

  /** @throws HttpError 401 with WWW-Authenticate when the request does not show what is asked for, in its proper form */
  admit(exchange: Exchange): Shown {
    const shown: (Credentials | undefined)[] = []
    for (const { slot, security, scopes, nothing } of this.#asking) {
      const found = security.read(exchange)
      if (found === MALFORMED) throw this.#refusal('invalid_token')
      if (found === undefined && !security.isOptional) throw this.#refusal(undefined)
      shown[slot] = found === undefined ? nothing : { ...found, scopes }
    }
    return shown
  }

  /** What somebody decided behind the credentials, with the challenge that belongs to it, unless it has one. */
  told(error: unknown, shown: Shown): unknown {
    if (this.#asked.length === 0) return error
    const refusal = asRefusal(error)
    if (!refusal || Object.keys(refusal.headers).some(name => name.toLowerCase() === CHALLENGE)) return error
    if (refusal.status === 401) return this.#with(refusal, showsAny(shown) ? 'invalid_token' : undefined)
    const knowing = this.#asked.filter(({ scheme, required }) => scheme.challenge.tellsErrors && required.length > 0)
    if (refusal.status !== 403 || knowing.length === 0) return error
    return this.#with(refusal, 'insufficient_scope', knowing)
  }

  #refusal(error: BearerError | undefined): HttpError {
    return this.#with(new HttpError(401, 'Not authenticated'), error)
  }

  #with(refusal: HttpError, error: BearerError | undefined, asked = this.#asked): HttpError {
    return withFields(refusal, { [CHALLENGE]: challenges(asked, error, this.#format) })
  }
}

const CHALLENGE = 'www-authenticate'

function asking({ definition, name, slot, scopes }: Step, where: string): readonly Asking[] {
  const { security } = definition
  if (!security) return []
  for (const { scopes: listed, name: scheme } of security.schemes)
    for (const scope of scopes)
      if (listed && !listed.includes(scope))
        throw new UsageError(
          'APP_UNKNOWN_SCOPE',
          `${where}: ${name} is asked for the scope ${scope}, and ${scheme} lists ` +
            `${listed.length === 0 ? 'none' : listed.join(', ')}; nobody could ever have it`,
        )
  const required = [...scopes]
  return [{ slot, security, scopes: required, nothing: { scopes: required } }]
}

/** A 401 or 403, whoever threw it. */
function asRefusal(error: unknown): HttpError | undefined {
  if (error instanceof HttpError) return error
  if (error instanceof MillraceError && (error.status === 401 || error.status === 403))
    return new HttpError(error.status, error.detail, { cause: error })
  return undefined
}

function showsAny(shown: Shown): boolean {
  return shown.some(credentials => credentials !== undefined && Object.keys(credentials).length > 1)
}
