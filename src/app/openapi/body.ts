// The body that a route reads, as a document describes it: JSON, text, or a form.
import { UsageError } from '../../core/error.ts'
import type { Schema } from '../../schema/schema.ts'
import type { MountedRoute } from '../route.ts'
import type { FileRule } from '../uploaded-file.ts'
import type { Components, JsonObject } from './components.ts'

/** undefined: none is declared. @throws UsageError `APP_NO_PLACE` for examples of a body that is not declared */
export function bodyOf(route: MountedRoute, components: Components): JsonObject | undefined {
  const body = described(route, components)
  const examples = route.endpoint.spec.examples?.body
  if (examples === undefined) return body
  if (body === undefined)
    throw new UsageError('APP_NO_PLACE', `${route.name} has examples of a body, and declares neither body nor form`)
  for (const content of Object.values(body['content'] as Record<string, JsonObject>)) content['examples'] = examples
  return body
}

function described(route: MountedRoute, components: Components): JsonObject | undefined {
  const { body, bodyType = 'application/json', form, files } = route.endpoint.spec
  if (body !== undefined)
    return {
      required: !acceptsNothing(body),
      content: { [bodyType]: { schema: components.use(body, 'input', `${route.name} body`) } },
    }
  const texts = form === undefined ? undefined : components.use(form, 'input', `${route.name} form`)
  if (files === undefined || Object.keys(files).length === 0)
    return (
      texts && {
        required: !takesEmpty(texts, components),
        content: { 'application/x-www-form-urlencoded': { schema: texts }, 'multipart/form-data': { schema: texts } },
      }
    )
  const own = schemaOf(files)
  const schema = texts ? together(texts, own, components) : own
  const isRequired = own['required'] !== undefined || (texts !== undefined && !takesEmpty(texts, components))
  const encoding = encodingOf(files)
  return { required: isRequired, content: { 'multipart/form-data': { schema, ...(encoding && { encoding }) } } }
}

function schemaOf(files: Readonly<Record<string, FileRule>>): JsonObject {
  const rules = Object.entries(files)
  const required = rules.flatMap(([name, { optional }]) => (optional ? [] : [name]))
  return {
    type: 'object',
    properties: Object.fromEntries(rules.map(([name, rule]) => [name, propertyOf(rule)])),
    ...(required.length > 0 ? { required } : {}),
  }
}

/**
 * OpenAPI 3.1 says binary by contentMediaType alone; `format: binary`, which 3.0 had, is what tools still look for. The default of an
 * optional list is what its handler gets without one; where none is named, Swagger UI sends the text "string" for it.
 */
function propertyOf({ many, max, optional }: FileRule): JsonObject {
  const one = { type: 'string', format: 'binary', contentMediaType: 'application/octet-stream' }
  if (!many) return one
  return { type: 'array', items: one, ...(optional ? { default: [] } : { minItems: 1 }), maxItems: max ?? 10 }
}

function encodingOf(files: Readonly<Record<string, FileRule>>): JsonObject | undefined {
  const said = Object.entries(files).flatMap(([name, { types }]) =>
    types ? [[name, { contentType: types.join(', ') }]] : [],
  )
  return said.length > 0 ? (Object.fromEntries(said) as JsonObject) : undefined
}

/** One object where that says the same, so that tools which know forms only as properties can show it. */
function together(texts: JsonObject, files: JsonObject, components: Components): JsonObject {
  const found = components.resolve(texts)
  const isPlain = Object.keys(found).every(key => PLAIN.has(key)) && found['type'] === 'object'
  if (!isPlain) return { allOf: [texts, files] }
  const required = [...((found['required'] as string[] | undefined) ?? []), ...((files['required'] as string[]) ?? [])]
  return {
    type: 'object',
    properties: { ...(found['properties'] as object), ...(files['properties'] as object) },
    ...(required.length > 0 ? { required } : {}),
  }
}

const PLAIN = new Set(['type', 'properties', 'required', 'title', 'description', 'additionalProperties'])

function takesEmpty(texts: JsonObject, components: Components): boolean {
  const { required } = components.resolve(texts)
  return !Array.isArray(required) || required.length === 0
}

interface Standard {
  readonly validate: (value: unknown) => { readonly issues?: readonly unknown[] } | Promise<unknown>
}

/** True only for a schema that takes `undefined` without an issue and without waiting: `z.object({...}).optional()`. */
function acceptsNothing(schema: Schema): boolean {
  // The usual bodies never do, and what would tell it is kept by Zod ever after (600 bytes).
  const { type } = (schema as { readonly _zod?: { readonly def: { readonly type: string } } })._zod?.def ?? {}
  if (type === 'object' || type === 'array') return false
  const standard = (schema as { readonly '~standard'?: Standard })['~standard']
  if (!standard) return false
  try {
    const result = standard.validate(undefined)
    if (!(result instanceof Promise)) return result.issues === undefined || result.issues.length === 0
    result.catch(() => {})
    return false
  } catch {
    return false
  }
}
