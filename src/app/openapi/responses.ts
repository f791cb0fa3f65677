// What a route may answer, by status: what it, its routers and its dependencies declare, and the errors that Millrace itself gives.
import { UsageError } from '../../core/error.ts'
import { reasonPhrase } from '../../http/status.ts'
import type { Schema } from '../../schema/schema.ts'
import { additionsOf } from '../additions.ts'
import type { ErrorFormat } from '../problem.ts'
import type { StatusMap } from '../reply.ts'
import { statusMap } from '../responder.ts'
import type { MountedRoute } from '../route.ts'
import type { Components, JsonObject } from './components.ts'
import { answerContent, streamNote } from './answer-content.ts'
import type { HeaderFacts, ResponseFacts } from './facts.ts'
import { dependenciesOf, addingTo } from './parameters.ts'
import type { RouteSecurity } from './security.ts'

const JSON_TYPE = 'application/json'

export function responsesOf(
  route: MountedRoute,
  components: Components,
  format: ErrorFormat,
  security: RouteSecurity | undefined,
): JsonObject {
  const { spec } = route.endpoint
  const errors = ERRORS[format]
  const problem = (description: string, more: JsonObject = {}): JsonObject => ({
    description,
    content: { [errors.type]: { schema: components.own(...errors.any) } },
    ...more,
  })
  const responses = new Map<string, JsonObject>()

  // A dependency can end a request only by throwing, so what it declares goes out as an error does.
  for (const { returns } of dependenciesOf(route))
    for (const [status, schema] of Object.entries(returns ?? {}))
      responses.set(
        status,
        schema === null
          ? problem(phrase(status))
          : declared(status, schema, errors.type, `${route.name} returns ${status}`, components),
      )
  const own = statusMap(spec.returns) ?? {}
  const outer: StatusMap = Object.assign({}, ...route.groups.map(group => group.returns))
  for (const [status, schema] of Object.entries<Schema | null>({ ...outer, ...own })) {
    const response = declared(status, schema, JSON_TYPE, `${route.name} returns ${status}`, components)
    // `reply(404, ...)` sends what was declared; `fail(404)` and Millrace itself send a problem.
    if (format === 'problem' && Number(status) >= 400 && schema !== null) {
      const any = components.own(...errors.any)
      // Who declares a 422 says it of inputs that are valid by themselves: `fail(422)` lists none.
      const isOfInput = status === '422' && readsInput(route)
      const said = isOfInput ? { anyOf: [validationSchema(components, format), any] } : any
      ;(response['content'] as JsonObject)[errors.type] = { schema: said }
    }
    responses.set(status, response)
  }
  if (!responses.has('200') && !Object.keys(own).some(status => /^[23]/.test(status)))
    responses.set('200', { description: phrase('200'), content: { [JSON_TYPE]: { schema: {} } } })

  const addOnce = (status: string, response: () => JsonObject) => {
    if (!responses.has(status)) responses.set(status, response())
  }
  if (security) {
    addOnce('401', () => problem('Not authenticated'))
    responses.get('401')!['headers'] = CHALLENGE
    if (security.requiresScopes) addOnce('403', () => problem('Not enough permissions'))
  }
  if (readsInput(route))
    addOnce('422', () => ({
      description: 'An input is not valid',
      content: { [errors.type]: { schema: validationSchema(components, format) } },
    }))
  if (spec.limit) addOnce('503', () => problem('Too busy: come back after Retry-After', { headers: RETRY_AFTER }))
  if (spec.timeout !== undefined) addOnce('504', () => problem('No answer in time'))
  const added = additionsOf(addingTo(route), route.endpoint.method)
  for (const status of added.flatMap(({ statuses = [] }) => statuses.map(String)))
    addOnce(status, () => (status === '304' ? { description: phrase(status) } : problem(phrase(status))))
  if (![...responses.keys()].some(status => status.startsWith('4')))
    responses.set('4XX', problem('The request was refused'))
  responses.set('default', problem('Any other error'))
  for (const { fields, successFields } of added)
    for (const [status, response] of responses)
      for (const [name, description] of Object.entries({ ...fields, ...(/^[23]/.test(status) ? successFields : {}) }))
        response['headers'] = {
          ...(response['headers'] as JsonObject | undefined),
          [name]: { description, schema: { type: 'string' } },
        }
  for (const facts of [...route.groups.map(group => group.responses), spec.responses])
    for (const [status, said] of Object.entries<ResponseFacts>(facts ?? {})) {
      const response = responses.get(status) ?? { description: phrase(status) }
      responses.set(status, response)
      dressed(response, said, `${route.name} ${status}`, components)
    }
  for (const [status, examples] of Object.entries(spec.examples?.returns ?? {})) {
    const content = responses.get(status)?.['content'] as Record<string, JsonObject> | undefined
    const type = content && Object.keys(content)[0]
    if (type === undefined)
      throw new UsageError(
        'APP_NO_PLACE',
        `${route.name}: examples.returns has a ${status}, and the route declares no body for it`,
      )
    content![type]!['examples'] = examples
  }
  // Digits sort before 4XX and default by themselves.
  return Object.fromEntries([...responses].sort(([a], [b]) => (a < b ? -1 : 1)))
}

function declared(
  status: string,
  schema: Schema | null,
  type: string,
  where: string,
  components: Components,
): JsonObject {
  const description = phrase(status)
  if (schema === null) return REDIRECTS.has(status) ? { description, headers: LOCATION } : { description }
  return { description: description + streamNote(schema), content: answerContent(schema, type, where, components) }
}

const REDIRECTS = new Set(['301', '302', '303', '307', '308'])
const LOCATION = { Location: { description: 'Where to', required: true, schema: { type: 'string' } } }

function readsInput(route: MountedRoute): boolean {
  const { params, query, headers, cookies, body, form, files } = route.endpoint.spec
  return (
    [params, query, headers, cookies, body, form, files].some(schema => schema !== undefined) ||
    dependenciesOf(route).some(used => (used.headers ?? used.query ?? used.cookies) !== undefined)
  )
}

/** Adds words, fields and links. */
function dressed(response: JsonObject, said: ResponseFacts, where: string, components: Components): void {
  if (said.description !== undefined) response['description'] = said.description
  if (said.links) response['links'] = { ...(response['links'] as object | undefined), ...said.links }
  if (!said.headers) return
  const fields = Object.entries(said.headers).map(([name, of]) => {
    const { schema, ...words } = isHeaderFacts(of) ? of : { schema: of }
    return [name, { ...words, schema: components.use(schema, 'output', `${where} header ${name}`) }] as const
  })
  response['headers'] = { ...(response['headers'] as object | undefined), ...Object.fromEntries(fields) }
}

function isHeaderFacts(of: Schema | HeaderFacts): of is HeaderFacts {
  return 'schema' in of && !('~standard' in of) && !('type' in of)
}

export function phrase(status: string): string {
  return reasonPhrase(Number(status)) || `Status ${status}`
}

const RETRY_AFTER = { 'Retry-After': { description: 'Seconds to wait', schema: { type: 'integer', minimum: 1 } } }

const CHALLENGE = {
  'WWW-Authenticate': {
    description: 'What to show, and what was wrong with what was shown',
    schema: { type: 'string' },
  },
}

const PROBLEM_FIELDS = {
  type: {
    type: 'string',
    description: 'A URI reference for the kind of problem; about:blank when the title says it all',
  },
  title: { type: 'string' },
  status: { type: 'integer' },
  detail: { type: 'string' },
}
const ISSUE_FIELDS = {
  loc: {
    type: 'array',
    items: { anyOf: [{ type: 'string' }, { type: 'integer' }] },
    description: 'Where: the place, then the way to the value, as in ["body", "items", 0, "price"]',
  },
  msg: { type: 'string' },
  type: { type: 'string' },
}

const ERRORS: Readonly<
  Record<ErrorFormat, { readonly type: string; readonly any: readonly [name: string, schema: JsonObject] }>
> = {
  problem: {
    type: 'application/problem+json',
    any: [
      'Problem',
      {
        type: 'object',
        description: 'An error as RFC 9457 describes it',
        properties: PROBLEM_FIELDS,
        required: ['type', 'title', 'status'],
      },
    ],
  },
  fastapi: {
    type: JSON_TYPE,
    any: ['HTTPError', { type: 'object', properties: { detail: { type: 'string' } }, required: ['detail'] }],
  },
}

function validationSchema(components: Components, format: ErrorFormat): JsonObject {
  if (format === 'problem') {
    const issue = components.own('ValidationIssue', {
      type: 'object',
      properties: { ...ISSUE_FIELDS, input: { description: 'What was found there' }, ctx: { type: 'object' } },
      required: ['type', 'loc', 'msg'],
    })
    return components.own('ValidationProblem', {
      type: 'object',
      description: 'A problem that lists every input that is not valid',
      properties: { ...PROBLEM_FIELDS, errors: { type: 'array', items: issue } },
      required: ['type', 'title', 'status', 'errors'],
    })
  }
  const error = components.own('ValidationError', {
    type: 'object',
    properties: { ...ISSUE_FIELDS, input: {}, ctx: { type: 'object' } },
    required: ['loc', 'msg', 'type'],
  })
  return components.own('HTTPValidationError', {
    type: 'object',
    properties: { detail: { type: 'array', items: error } },
  })
}
