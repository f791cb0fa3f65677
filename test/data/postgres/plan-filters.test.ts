// What an index would spare, read from plans as PostgreSQL writes them.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { filteredScans } from '../../../src/data/postgres/plan-filters.ts'

/** The scan of one table with this filter. */
function scanOf(filter: string) {
  const [scan] = filteredScans({
    'Node Type': 'Seq Scan',
    'Relation Name': 'orders',
    Schema: 'public',
    Alias: 'o',
    Filter: filter,
    'Plan Rows': 3,
  })
  return { equal: scan!.equal, ranged: scan!.ranged }
}

describe('a filter', () => {
  for (const [filter, equal, ranged] of [
    ['(o.customer_id = $1)', ['customer_id'], []],
    [`((o.email)::text = 'a AND b'::text)`, ['email'], []],
    [`((o.name)::character varying(20) = $1)`, ['name'], []],
    [`((o.status = 'open'::text) AND (o.placed_at > (now() - '1 day'::interval)))`, ['status'], ['placed_at']],
    [`((o.id = ANY ($1)) AND (o.gone IS NULL) AND (o.id <= 7))`, ['id', 'gone'], ['id']],
    [`(((o.a = 1) AND (o.b = 2)) AND (o.c < 3))`, ['a', 'b'], ['c']],
    [`((o.a = 1) AND ((o.b = 2) OR (o.c = 3)))`, ['a'], []],
    [`(o."strange ""name""" = 1)`, ['strange "name"'], []],
  ] as const)
    test(`names the columns that are compared: ${filter}`, () => {
      assert.deepEqual(scanOf(filter), { equal, ranged })
    })

  for (const filter of [
    '((o.a = 1) OR (o.b = 2))',
    '(lower(o.email) = $1)',
    '(o.a = o.b)',
    '(other.a = 1)',
    '(o.a <> 1)',
    `(o.a ~~ 'x%'::text)`,
    '((o.a % 2) = 0)',
    '(NOT o.done)',
    '',
  ])
    test(`names none where a plain index would not do: ${filter}`, () => {
      assert.deepEqual(scanOf(filter), { equal: [], ranged: [] })
    })
})

test('scans are found wherever they are in the plan, and those without a filter are none', () => {
  const scan = (table: string, more: object = {}) => ({ 'Node Type': 'Seq Scan', 'Relation Name': table, ...more })
  const found = filteredScans({
    'Node Type': 'Limit',
    Plans: [
      { 'Node Type': 'Gather', Plans: [scan('a', { Filter: '(a.x = 1)', 'Parallel Aware': true })] },
      { 'Node Type': 'Index Scan', 'Relation Name': 'i', Filter: '(i.x = 1)' },
      scan('whole'),
      { 'Node Type': 'ModifyTable', Plans: [scan('b', { Schema: 's', Alias: 'bb', Filter: '(bb.y < 1)' })] },
    ],
  })
  assert.deepEqual(found, [
    { schema: 'public', table: 'a', equal: ['x'], ranged: [], rows: 0 },
    { schema: 's', table: 'b', equal: [], ranged: ['y'], rows: 0 },
  ])
})
