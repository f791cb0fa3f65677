// The part of Zod 4 we use, loaded when the first Zod schema is met: Zod is an optional peer, and costs 30 ms to load.
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { UsageError } from '../core/error.ts'

/** What a Zod schema tells about itself. Zod documents `_zod` for libraries; only what we read is written here. */
export interface ZodSchema {
  readonly _zod: {
    readonly def: ZodDef
    readonly optin?: 'optional' | 'defaulted' | undefined
    readonly optout?: 'optional' | undefined
    readonly traits: ReadonlySet<string>
    readonly parent?: ZodSchema | undefined
    readonly propValues?: Readonly<Record<string, ReadonlySet<unknown>>> | undefined
    readonly values?: ReadonlySet<unknown> | undefined
    /** Not of those of zod/mini. */
    readonly processJSONSchema?: unknown
    run(payload: { value: unknown; issues: ZodIssue[] }, context: object): ZodResult | Promise<ZodResult>
  }
}

/** Each kind of schema has its own fields; `type` says which. */
export interface ZodDef {
  readonly type: string
  readonly checks?: readonly { readonly _zod: { readonly def: Readonly<Record<string, any>> } }[]
  readonly [field: string]: any
}

export interface ZodResult {
  readonly value: unknown
  readonly issues: readonly ZodIssue[]
}

/** An issue before Zod has made a message of it. */
export interface ZodIssue {
  readonly code: string
  readonly path?: readonly PropertyKey[]
  readonly input?: unknown
  readonly inst?: ZodSchema
  readonly [field: string]: any
}

interface ZodCore {
  compile(schema: ZodSchema): ZodSchema
  config(): object
  toJSONSchema(schema: ZodSchema, params: object): Record<string, unknown>
  /** Together the first half of `toJSONSchema`: all of it for a schema with none inside. */
  initializeContext(params: { readonly io: 'input' | 'output'; readonly metadata: object }): object
  processSchema?(schema: ZodSchema, context: object): Record<string, unknown>
  /** Its name before 4.6. */
  process?(schema: ZodSchema, context: object): Record<string, unknown>
  registry(): object
  readonly regexes: { readonly email: RegExp }
  readonly globalRegistry: { get(schema: ZodSchema): Readonly<Record<string, unknown>> | undefined }
  readonly util: { finalizeIssue(issue: ZodIssue, context: object, config: object): { readonly message: string } }
  readonly $ZodAsyncError: new () => Error
}

let loaded: ZodCore | undefined

/** @throws UsageError `SCHEMA_NO_ZOD` when the application's Zod cannot be found, or is older than 4.5 */
export function zodCore(): ZodCore {
  if (loaded) return loaded
  let core: Partial<ZodCore>
  try {
    // By its resolved file, so that we share the instance (and the registry of ids) that applications import.
    core = createRequire(import.meta.url)(fileURLToPath(import.meta.resolve('zod/v4/core'))) as Partial<ZodCore>
  } catch (cause) {
    throw new UsageError(
      'SCHEMA_NO_ZOD',
      'a Zod schema is used, but the package "zod" cannot be found: npm install zod',
      { cause },
    )
  }
  if (typeof core.compile !== 'function')
    throw new UsageError(
      'SCHEMA_NO_ZOD',
      'Zod 4.5 or newer is needed; the one installed is older: npm install zod@latest',
    )
  return (loaded = core as ZodCore)
}

/** A codec: a pipe that knows both directions. */
export function isCodec(schema: ZodSchema): boolean {
  return schema._zod.traits.has('$ZodCodec')
}

/** Whether any schema inside, this one included, satisfies the test. Recursive schemas are walked once. */
export function someInside(
  schema: ZodSchema,
  test: (schema: ZodSchema) => boolean,
  seen = new Set<ZodSchema>(),
): boolean {
  if (seen.has(schema)) return false
  seen.add(schema)
  if (test(schema)) return true
  return children(schema._zod.def).some(child => someInside(child, test, seen))
}

function children(def: ZodDef): readonly ZodSchema[] {
  switch (def.type) {
    case 'object':
      return [...Object.values(def['shape'] as Record<string, ZodSchema>), ...given(def['catchall'])]
    case 'array':
      return [def['element']]
    case 'tuple':
      return [...(def['items'] as ZodSchema[]), ...given(def['rest'])]
    case 'union':
      return def['options']
    case 'intersection':
      return [def['left'], def['right']]
    case 'record':
    case 'map':
      return [def['keyType'], def['valueType']]
    case 'set':
      return [def['valueType']]
    case 'pipe':
      return [def['in'], def['out']]
    case 'lazy':
      return [(def['getter'] as () => ZodSchema)()]
    default:
      return given(def['innerType'])
  }
}

function given(schema: ZodSchema | null | undefined): ZodSchema[] {
  return schema ? [schema] : []
}
