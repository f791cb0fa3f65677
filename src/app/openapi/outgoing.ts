// Webhooks and callbacks: the requests that an application sends, described like those that it answers.
import { statusMap } from '../responder.ts'
import type { Components, JsonObject } from './components.ts'
import type { Callbacks, Outgoing } from './facts.ts'
import { wordId } from './names.ts'
import { fieldParameters } from './parameters.ts'
import { phrase } from './responses.ts'

/** A path item for each name. */
export function webhooksOf(
  webhooks: Readonly<Record<string, Outgoing>> | undefined,
  components: Components,
): JsonObject | undefined {
  if (webhooks === undefined || Object.keys(webhooks).length === 0) return undefined
  return Object.fromEntries(
    Object.entries(webhooks).map(([name, outgoing]) => [
      name,
      item(outgoing, `${wordId([name])}Webhook`, `webhook ${name}`, components),
    ]),
  )
}

/** @param of  outer groups first; a later one of the same name wins */
export function callbacksOf(
  of: readonly (Callbacks | undefined)[],
  operationId: string,
  where: string,
  components: Components,
): JsonObject | undefined {
  const all: Callbacks = Object.assign({}, ...of)
  if (Object.keys(all).length === 0) return undefined
  return Object.fromEntries(
    Object.entries(all).map(([name, byUrl]) => [
      name,
      Object.fromEntries(
        Object.entries(byUrl).map(([url, outgoing], n) => {
          const id = `${operationId}${capital(wordId([name]))}Callback${n === 0 ? '' : n + 1}`
          return [url, item(outgoing, id, `${where} callback ${name}`, components)]
        }),
      ),
    ]),
  )
}

function item(of: Outgoing, defaultId: string, where: string, components: Components): JsonObject {
  const { method = 'POST', tags, summary, description, operationId = defaultId, deprecated } = of
  const parameters = [
    ...fieldParameters(of.query, 'query', `${where} query`, components),
    ...fieldParameters(of.headers, 'header', `${where} headers`, components),
  ]
  return {
    [method.toLowerCase()]: {
      ...(tags && tags.length > 0 ? { tags } : {}),
      summary: summary ?? capital(where),
      ...(description === undefined ? {} : { description }),
      operationId,
      ...(deprecated ? { deprecated: true } : {}),
      ...(parameters.length > 0 ? { parameters } : {}),
      // What we send is what a handler would return: its output.
      ...(of.body === undefined
        ? {}
        : {
            requestBody: {
              required: true,
              content: { 'application/json': { schema: components.use(of.body, 'output', `${where} body`) } },
            },
          }),
      responses: answers(of, where, components),
    },
  }
}

function answers(of: Outgoing, where: string, components: Components): JsonObject {
  const declared = Object.entries(statusMap(of.returns) ?? { 200: null })
  return Object.fromEntries(
    declared.map(([status, schema]) => [
      status,
      {
        description: phrase(status),
        ...(schema === null
          ? {}
          : {
              content: {
                'application/json': { schema: components.use(schema, 'input', `${where} returns ${status}`) },
              },
            }),
      },
    ]),
  )
}

function capital(text: string): string {
  return text === '' ? text : text[0]!.toUpperCase() + text.slice(1)
}
