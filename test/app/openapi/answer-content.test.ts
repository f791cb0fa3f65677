import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as z from 'zod'
import { App, content, events, html, jsonLines, raw, text } from 'millrace'
import type { ApiInfo } from '../../../src/app/openapi/document.ts'

const Item = z.object({ n: z.int() }).meta({ id: 'Item' })
const ref = { $ref: '#/components/schemas/Item' }

/** The answer of a route that returns this, as its document describes it. */
function described(returns: unknown, status = '200', info: ApiInfo = {}): { description: string; content: unknown } {
  const app = new App(info)
  app.get('/', { returns } as object, () => 1)
  const { paths } = app.openapi() as unknown as { paths: { '/': { get: { responses: Record<string, never> } } } }
  return paths['/'].get.responses[status]!
}

describe('the document says of an answer', () => {
  test('which media type it has, and that it is text or bytes', () => {
    assert.deepEqual(described(html).content, { 'text/html': { schema: { type: 'string' } } })
    assert.deepEqual(described(text).content, { 'text/plain': { schema: { type: 'string' } } })
    assert.deepEqual(described(content('text/csv')).content, { 'text/csv': { schema: { type: 'string' } } })
    assert.deepEqual(described(content('image/svg+xml')).content, { 'image/svg+xml': { schema: { type: 'string' } } })
    assert.deepEqual(described(content('Image/PNG')).content, {
      'image/png': { schema: { type: 'string', format: 'binary', contentMediaType: 'image/png' } },
    })
  })

  test('that raw JSON is JSON of its schema', () => {
    assert.deepEqual(described(raw(Item)).content, { 'application/json': { schema: ref } })
  })

  test('what each line or event of a stream is', () => {
    assert.deepEqual(described(jsonLines(Item)), {
      description: 'OK; a stream of lines, each as the schema says',
      content: { 'application/jsonl': { schema: ref } },
    })
    assert.deepEqual(described(events(Item)), {
      description: 'OK; a stream of events, the data of each as the schema says',
      content: { 'text/event-stream': { schema: ref } },
    })
    assert.deepEqual(described(events(text)).content, { 'text/event-stream': { schema: { type: 'string' } } })
  })

  test('what each line or event of a stream is, in words that OpenAPI 3.2 has for them', () => {
    const content = (returns: unknown) => described(returns, '200', { openapiVersion: '3.2.0' }).content
    const event = (data: object) => ({
      type: 'object',
      properties: {
        data: { type: 'string', ...data },
        event: { type: 'string' },
        id: { type: 'string' },
        retry: { type: 'integer', minimum: 0 },
      },
      required: ['data'],
    })
    assert.deepEqual(content(jsonLines(Item)), { 'application/jsonl': { itemSchema: ref } })
    assert.deepEqual(content(events(Item)), {
      'text/event-stream': { itemSchema: event({ contentMediaType: 'application/json', contentSchema: ref }) },
    })
    assert.deepEqual(content(events(text)), { 'text/event-stream': { itemSchema: event({}) } })
    assert.deepEqual(content(Item), { 'application/json': { schema: ref } })
  })

  test('each by its status', () => {
    const returns = { 200: content('application/pdf'), 202: Item }
    assert.deepEqual(Object.keys(described(returns).content as object), ['application/pdf'])
    assert.deepEqual(described(returns, '202').content, { 'application/json': { schema: ref } })
  })
})
