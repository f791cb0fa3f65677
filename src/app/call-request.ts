// A call as it goes out: path, query, fields and body of the platform's Request. The run-time half of call.ts, for clients and tests.
//
// Values take the wire form that schemas read: a Date as its ISO text, a bigint as its digits, a Set as an array, a list as a repeated name.
import { UsageError } from '../core/error.ts'
import { headerName } from '../core/header-name.ts'

/** An Input with its types forgotten. */
export interface AnyInput {
  readonly params?: Readonly<Record<string, unknown>>
  readonly query?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, unknown>>
  readonly cookies?: Readonly<Record<string, unknown>>
  readonly body?: unknown
  readonly form?: Readonly<Record<string, unknown>>
  readonly files?: Readonly<Record<string, Blob | readonly Blob[] | undefined>>
}

/** What a declaration says about bodies, for callers that have it at run time. */
export interface CallDeclaration {
  /** What `body` is sent as. Default: application/json. */
  readonly bodyType?: string | undefined
  /** A form goes as multipart, whether it has files this time or not. */
  readonly takesFiles?: boolean
}

export interface CallRequest {
  /** Path and query, from the first '/'. */
  readonly target: string
  readonly headers: Headers
  readonly body: BodyInit | undefined
}

/**
 * @param pattern  '/products/{id}'
 * @throws UsageError `CALL_BAD_INPUT` for a value of the path that is missing, or that no path can carry
 */
export function callRequest(
  method: string,
  pattern: string,
  input: AnyInput,
  declared: CallDeclaration = {},
): CallRequest {
  const headers = new Headers()
  for (const [name, value] of Object.entries(input.headers ?? {}))
    for (const each of listed(value)) headers.append(headerName(name), wireText(each))
  const cookies = Object.entries(input.cookies ?? {}).filter(([, value]) => value !== undefined)
  if (cookies.length > 0)
    headers.set('cookie', cookies.map(([name, value]) => `${name}=${encodeURIComponent(wireText(value))}`).join('; '))
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(input.query ?? {}))
    for (const each of listed(value)) query.append(name, wireText(each))
  const path = callPath(method, pattern, input.params ?? {})
  return {
    target: query.size > 0 ? `${path}?${query}` : path,
    headers,
    body: bodyOf(input, declared, headers),
  }
}

/** The pattern with its names replaced. */
function callPath(method: string, pattern: string, params: Readonly<Record<string, unknown>>): string {
  return pattern.replaceAll(/\{([^}*]+)(\*?)\}/g, (_, name: string, rest: string) => {
    const value = params[name]
    const bad = (why: string) => new UsageError('CALL_BAD_INPUT', `${method} ${pattern}: params.${name} ${why}`)
    if (value === undefined || value === null) throw bad('is missing')
    const segments = rest ? wireText(value).split('/') : [wireText(value)]
    if (segments.length === 1 && segments[0] === '') throw bad('is empty: another path would be asked')
    // URLs resolve them, percent-encoded or not, so the request would go elsewhere.
    if (segments.some(segment => segment === '.' || segment === '..')) throw bad("is '.' or '..': no path can carry it")
    return segments.map(encodeURIComponent).join('/')
  })
}

function bodyOf(input: AnyInput, declared: CallDeclaration, headers: Headers): BodyInit | undefined {
  const { body, form, files } = input
  if (body !== undefined) {
    if (isRaw(body)) return body
    const type = headers.get('content-type') ?? declared.bodyType ?? 'application/json'
    headers.set('content-type', type)
    return typeof body === 'string' && type.startsWith('text/') ? body : JSON.stringify(body, wireValue)
  }
  if (!form && !files && !declared.takesFiles) return undefined
  // As a browser sends it: urlencoded, or multipart where the route takes files. The platform writes the Content-Type.
  const fields = files || declared.takesFiles ? new FormData() : new URLSearchParams()
  for (const [name, value] of Object.entries(form ?? {}))
    for (const each of listed(value)) fields.append(name, wireText(each))
  if (fields instanceof FormData)
    for (const [name, value] of Object.entries(files ?? {}))
      for (const file of [value ?? []].flat() as readonly Blob[])
        fields.append(name, file, file instanceof File ? file.name : name)
  return fields
}

/** Bytes that are sent as they are. */
function isRaw(body: unknown): body is Blob | ReadableStream | ArrayBuffer | ArrayBufferView<ArrayBuffer> {
  return (
    body instanceof Blob || body instanceof ReadableStream || body instanceof ArrayBuffer || ArrayBuffer.isView(body)
  )
}

/** The values of a name that may repeat; undefined is none. */
function listed(value: unknown): readonly unknown[] {
  const all = Array.isArray(value)
    ? (value as unknown[])
    : value instanceof Set
      ? [...(value as Set<unknown>)]
      : [value]
  return all.filter(each => each !== undefined)
}

function wireText(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value)
}

// For JSON.stringify, which knows Dates itself.
function wireValue(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  return value instanceof Set ? [...(value as Set<unknown>)] : value
}
