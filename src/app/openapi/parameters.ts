// The parameters of a route: what it declares itself, and what every dependency it uses declares, directly or through others.
import { UsageError } from '../../core/error.ts'
import { headerName } from '../../core/header-name.ts'
import type { Schema } from '../../schema/schema.ts'
import { adding, type Adding, additionsOf, ENTITY_TAGS } from '../additions.ts'
import type { Middleware } from '../compose.ts'
import type { DependencyDefinition } from '../dependency.ts'
import { parsePattern } from '../pattern.ts'
import { decompressOf } from '../request-content.ts'
import type { MountedRoute } from '../route.ts'
import type { Components, JsonObject } from './components.ts'
import type { Examples } from './facts.ts'

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header' | 'cookie'
  required: boolean
  readonly description?: string
  readonly deprecated?: boolean
  readonly schema: JsonObject
  examples?: Examples
}

const PLACES = { query: 'query', headers: 'header', cookies: 'cookie' } as const

/** Every dependency of a route once, outer groups first, each before what it uses. */
export function dependenciesOf(route: MountedRoute): readonly DependencyDefinition[] {
  const found = new Set<DependencyDefinition>()
  const visit = (uses: Readonly<Record<string, DependencyDefinition>>) => {
    for (const used of Object.values(uses)) {
      if (found.has(used)) continue
      found.add(used)
      visit(used.uses)
    }
  }
  for (const group of route.groups) visit(group.uses)
  visit(route.endpoint.spec.uses ?? {})
  return [...found]
}

/** Everything around a route, what its dependencies bring included. */
export function middlewareOf(route: MountedRoute): readonly Middleware[] {
  const brought = dependenciesOf(route).flatMap(({ around }) => around ?? [])
  return [...new Set([...route.groups.flatMap(group => group.use), ...(route.endpoint.spec.use ?? []), ...brought])]
}

/** Whatever adds to it: middleware, and a cache that answers who has its answer already. */
export function addingTo(route: MountedRoute): readonly Adding[] {
  return route.endpoint.spec.cache ? [...middlewareOf(route), CACHED] : middlewareOf(route)
}

const CACHED = adding({}, ENTITY_TAGS)

/** In the order path, query, header, cookie; one of a name in a place: the route's own schema wins, and required beats optional. */
export function parametersOf(route: MountedRoute, components: Components): readonly Parameter[] {
  const { spec } = route.endpoint
  const found = new Map<string, Parameter>()
  const add = (parameter: Parameter) => {
    // Header names are case-insensitive.
    const key = `${parameter.in} ${parameter.in === 'header' ? headerName(parameter.name) : parameter.name}`
    const before = found.get(key)
    if (!before) found.set(key, parameter)
    else before.required ||= parameter.required
  }
  const declared = spec.params ? fieldsOf(spec.params, `${route.name} params`, components) : new Map<string, Field>()
  for (const segment of parsePattern(route.path)) {
    if (segment.kind === 'text') continue
    const { name, kind } = segment
    const { schema = { type: 'string' } } = declared.get(name) ?? {}
    add(parameter(name, 'path', { schema: inPath(schema, kind), isRequired: true }))
  }
  for (const [key, place] of Object.entries(PLACES) as [keyof typeof PLACES, 'query' | 'header' | 'cookie'][]) {
    const schemas: [Schema | undefined, string][] = [
      [spec[key], `${route.name} ${key}`],
      ...dependenciesOf(route).map((used): [Schema | undefined, string] => [
        used[key],
        `${route.name} ${key} of dependency ${used.name ?? ''}`.trimEnd(),
      ]),
    ]
    for (const [schema, where] of schemas)
      if (schema !== undefined)
        for (const [name, field] of fieldsOf(schema, where, components)) add(parameter(name, place, field))
  }
  for (const { parameters = [] } of additionsOf(addingTo(route), route.endpoint.method))
    for (const { name, in: place, description } of parameters)
      add({ name, in: place, required: false, description, schema: { type: 'string' } })
  const codings = decompressOf([...route.groups.map(group => group.decompress), spec.decompress], route.name)?.codings
  if (codings && (spec.body ?? spec.form ?? spec.files) !== undefined)
    add({
      name: 'Content-Encoding',
      in: 'header',
      required: false,
      description: 'How the body is compressed, if it is',
      schema: { type: 'string', enum: [...codings] },
    })
  for (const parameter of found.values()) {
    const examples = spec.examples?.[EXAMPLE_PLACES[parameter.in]]?.[parameter.name]
    if (examples) parameter.examples = examples
  }
  return [...found.values()]
}

const EXAMPLE_PLACES = { path: 'params', query: 'query', header: 'headers', cookie: 'cookies' } as const

/** One for each property of an object schema. */
export function fieldParameters(
  schema: Schema | undefined,
  place: Parameter['in'],
  where: string,
  components: Components,
): readonly Parameter[] {
  if (schema === undefined) return []
  return [...fieldsOf(schema, where, components)].map(([name, field]) => parameter(name, place, field))
}

interface Field {
  readonly schema: JsonObject
  readonly isRequired: boolean
}

function parameter(name: string, place: Parameter['in'], { schema, isRequired }: Field): Parameter {
  const { description, deprecated, ...rest } = schema
  return {
    name: place === 'header' ? wireName(name) : name,
    in: place,
    required: isRequired,
    ...(typeof description === 'string' ? { description } : {}),
    ...(deprecated === true ? { deprecated } : {}),
    schema: rest,
  }
}

/**
 * A text in a path is never empty, and has no slash, backslash or NUL in any spelling: http/request-target.ts refuses them. Said where the
 * schema itself does not say what the text looks like.
 */
function inPath(schema: JsonObject, kind: 'value' | 'rest'): JsonObject {
  if (schema['type'] !== 'string' || SHAPES.some(keyword => keyword in schema)) return schema
  return { ...schema, pattern: kind === 'value' ? '^[^/\\\\\\x00]+$' : '^[^\\\\\\x00]+$' }
}

const SHAPES = ['pattern', 'format', 'enum', 'const']

/** A header's own spelling stays; a name in camel case is no header's. */
function wireName(name: string): string {
  return headerName(name) === name.toLowerCase() ? name : headerName(name)
}

/** The properties of an object schema, through refs and allOf. */
function fieldsOf(schema: Schema, where: string, components: Components): ReadonlyMap<string, Field> {
  const fields = new Map<string, Field>()
  const visit = (node: JsonObject): void => {
    const object = components.resolve(node)
    const { properties, required, allOf } = object as {
      properties?: Record<string, JsonObject>
      required?: readonly string[]
      allOf?: readonly JsonObject[]
    }
    if (!properties && !allOf && object['type'] !== 'object')
      throw new UsageError(
        'APP_NOT_FIELDS',
        `${where}: it takes a schema of an object, with one property for each name`,
      )
    for (const part of allOf ?? []) visit(part)
    for (const [name, property] of Object.entries(properties ?? {}))
      fields.set(name, {
        schema: typeof property === 'object' ? property : {},
        isRequired: (required?.includes(name) ?? false) || fields.get(name)?.isRequired === true,
      })
  }
  visit(components.use(schema, 'input', where))
  return fields
}
