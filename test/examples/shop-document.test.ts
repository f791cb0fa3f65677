// What a reader of the shop's documentation sees: examples that a shop could have, and no rule that only a machine reads.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import app from '../../examples/shop/app.ts'

type Property = { type?: string; examples?: unknown[]; enum?: unknown[]; pattern?: string }
const { schemas } = app.openapi().components as { schemas: Record<string, { properties?: Record<string, Property> }> }

test('every text and number of what the shop takes and gives has an example', () => {
  const without: string[] = []
  for (const name of [
    'Product',
    'NewProduct',
    'Review',
    'NewReview',
    'Reviews',
    'NewCartItem',
    'CartItem',
    'Cart',
    'NewOrder',
    'Order',
    'OrderItem',
    'Shortage',
    'Account',
    'NewAccount',
    'MyOrders',
  ]) {
    const { properties } = schemas[name]!
    assert.ok(properties, name)
    for (const [key, property] of Object.entries(properties)) {
      const isPlain = /^(string|integer|number)$/.test(String(property.type))
      if (isPlain && !property.enum && !property.examples?.length) without.push(`${name}.${key}`)
    }
  }
  assert.deepEqual(without, [])
})

test('the rule about U+0000 is not shown as a pattern', () => {
  const text = JSON.stringify(app.openapi())
  assert.ok(text.includes('"Walnut desk"'))
  assert.doesNotMatch(text, /\[\^\\\\(0|u0000|x00)/)
})
