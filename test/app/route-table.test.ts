import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import findMyWay from 'find-my-way'
import { RouteTable } from '../../src/app/route-table.ts'

function table(...routes: [method: string, pattern: string][]): RouteTable<string> {
  const made = new RouteTable<string>()
  for (const [method, pattern] of routes) made.add(method, pattern, `${method} ${pattern}`)
  return made
}
const target = (of: RouteTable<string>, method: string, path: string) => of.find(method, path)?.target

describe('route table', () => {
  test('prefers text to a name and a name to the rest, whatever the order of declaration', () => {
    for (const routes of [
      [
        ['GET', '/users/me'],
        ['GET', '/users/{id}'],
        ['GET', '/users/{rest*}'],
      ],
      [
        ['GET', '/users/{rest*}'],
        ['GET', '/users/{id}'],
        ['GET', '/users/me'],
      ],
    ] as [string, string][][]) {
      const made = table(...routes)
      assert.equal(target(made, 'GET', '/users/me'), 'GET /users/me')
      assert.equal(target(made, 'GET', '/users/7'), 'GET /users/{id}')
      assert.equal(target(made, 'GET', '/users/7/x'), 'GET /users/{rest*}')
    }
  })

  test('tries the next branch when the better one leads nowhere', () => {
    const made = table(['GET', '/a/b/c'], ['GET', '/a/{x}/d'], ['GET', '/{rest*}'])
    assert.deepEqual(made.find('GET', '/a/b/d')?.values, ['b'])
    assert.deepEqual(made.find('GET', '/a/b/e')?.values, ['a/b/e'])
  })

  test('finds another pattern for a method that the better one has not', () => {
    const made = table(['GET', '/a/b'], ['POST', '/a/{x}'])
    assert.equal(target(made, 'POST', '/a/b'), 'POST /a/{x}')
    assert.deepEqual(made.allowed('/a/b'), ['GET', 'POST'])
  })

  test('gives values in the order of the pattern', () => {
    assert.deepEqual(table(['GET', '/{a}/x/{b}/{c*}']).find('GET', '/1/x/2/3/4')?.values, ['1', '2', '3/4'])
  })

  test('takes no empty value, and no empty rest', () => {
    const made = table(['GET', '/a/{x}'], ['GET', '/f/{rest*}'])
    assert.equal(made.find('GET', '/a/'), undefined)
    assert.equal(made.find('GET', '/f/'), undefined)
  })

  test('refuses a second route for the same paths, naming both', () => {
    assert.throws(() => table(['GET', '/a/{x}'], ['GET', '/a/{y}']), {
      code: 'APP_DUPLICATE_ROUTE',
      message: /^GET \/a\/\{x\} and GET \/a\/\{y\} match the same paths/,
    })
    assert.throws(() => table(['GET', '/a'], ['GET', '/a']), { code: 'APP_DUPLICATE_ROUTE' })
  })

  test('agrees with find-my-way on random tables and paths', () => {
    const word = fc.constantFrom('a', 'b', 'c', 'ab')
    const segment = fc.oneof({ weight: 3, arbitrary: word }, { weight: 2, arbitrary: fc.constant('{x}') })
    const pattern = fc
      .array(segment, { minLength: 1, maxLength: 4 })
      .map(parts => '/' + parts.map((part, n) => (part === '{x}' ? `{x${n}}` : part)).join('/'))
    const path = fc.array(word, { minLength: 1, maxLength: 5 }).map(parts => '/' + parts.join('/'))
    fc.assert(
      fc.property(fc.uniqueArray(pattern, { maxLength: 12 }), fc.array(path, { maxLength: 20 }), (patterns, paths) => {
        const ours = table(...patterns.map((each): [string, string] => ['GET', each]))
        const theirs = findMyWay()
        for (const each of patterns) theirs.on('GET', each.replaceAll(/\{(x\d)\}/g, ':$1'), () => {}, each)
        for (const each of paths) {
          const found = theirs.find('GET', each)
          assert.equal(target(ours, 'GET', each), found ? `GET ${found.store as string}` : undefined, each)
          if (found) assert.deepEqual(ours.find('GET', each)?.values, Object.values(found.params))
        }
      }),
      { numRuns: 300 },
    )
  })

  test('finds each of many texts beside a name, and the name for what is none of them', () => {
    for (const count of [1, 8, 9, 30]) {
      const table = new RouteTable<string>()
      for (let n = 0; n < count; n++) table.add('GET', `/a/t${n}/b`, `t${n}`)
      table.add('GET', '/a/{id}/b', 'id')
      for (let n = 0; n < count; n++) assert.equal(table.find('GET', `/a/t${n}/b`)?.target, `t${n}`)
      assert.deepEqual(table.find('GET', '/a/t99/b')?.values, ['t99'])
      assert.equal(table.find('GET', '/a//b'), undefined)
    }
  })
})
