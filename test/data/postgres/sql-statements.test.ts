// A text of SQL in its statements: every place where a semicolon ends nothing, and lines counted as people count them.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { indexOfPosition, lineOf, splitStatements } from '../../../src/data/postgres/sql-statements.ts'

const texts = (text: string) => splitStatements(text).map(({ text }) => text)

describe('statements', () => {
  test('end with a semicolon or the end, without what stands between them', () => {
    assert.deepEqual(texts('select 1; select 2'), ['select 1', 'select 2'])
    assert.deepEqual(texts(';; -- nothing\n ; /* nor here */'), [])
    assert.deepEqual(texts('-- head\nselect 1 -- tail\n;\n'), ['select 1 -- tail'])
    assert.deepEqual(splitStatements('\n  select 1;\nselect 2;'), [
      { text: 'select 1', start: 3 },
      { text: 'select 2', start: 13 },
    ])
  })

  for (const whole of [
    `select ';', 'it''s;', 'back\\', ';'`,
    `select E'a\\';b', e'c'';d', U&'\\0061;'`,
    `select "a;b""c;" from t`,
    `do $$ begin; end; $$`,
    `do $body$ select $$;$$; $body$`,
    `do $ä1$ ; $$ ; $ä1$`,
    `select a$b$ from t /* ; /* nested; */ ; */ where x = 1 -- ; here\n`,
    `create rule r as on insert to t do (delete from a; delete from b)`,
    `create or replace function f(n int) returns int begin atomic
       select case when n > 0 then 1 else 2 end; select 2; end`,
    `create procedure p() language sql begin atomic insert into t values (1); insert into t values (2); end`,
    `select $1, $2`,
  ])
    test(`a semicolon in the middle of it does not end: ${whole.slice(0, 40)}`, () => {
      assert.deepEqual(texts(`${whole};select 2`), [whole.trimEnd(), 'select 2'])
    })

  test('a BEGIN of plpgsql is text, and a column named begin is a column', () => {
    const body = `create function f() returns void language plpgsql as $$ begin perform 1; end $$`
    assert.deepEqual(texts(`${body}; select 1`), [body, 'select 1'])
    assert.deepEqual(texts('create table t ("begin" int); select 1'), ['create table t ("begin" int)', 'select 1'])
  })

  test('what has no end stays in one piece, for PostgreSQL to refuse', () => {
    for (const open of [`select 'a; b`, 'select "a; b', 'do $$ a; b', 'select /* a; b', "select E'a\\'; b"])
      assert.deepEqual(texts(open), [open])
  })

  test('a closing parenthesis too many does not hold the rest', () => {
    assert.deepEqual(texts('select 1); select 2'), ['select 1)', 'select 2'])
  })

  test('are found whatever strings, names and comments hold', () => {
    const quoted = (quote: string) => fc.string().map(text => quote + text.replaceAll(quote, quote + quote) + quote)
    const dollar = fc.string().map(text => `$q$${text.replaceAll('$', '')}$q$`)
    const comment = fc.string().map(text => `/* ${text.replaceAll('*', '').replaceAll('/', '')} */`)
    const token = fc.oneof(
      quoted("'"),
      quoted('"'),
      dollar,
      comment,
      fc.constantFrom('select', 'f(', 'a.b', '+', '1.5'),
    )
    const statement = fc
      .array(token, { minLength: 1 })
      .map(tokens => `select ${tokens.map(each => (each === 'f(' ? 'f(1)' : each)).join(' ')} x`)
    fc.assert(
      fc.property(fc.array(statement), statements => {
        assert.deepEqual(texts(statements.join(';\n')), statements)
      }),
    )
  })
})

describe('places', () => {
  test('lines count from 1, and positions in characters, not in UTF-16 units', () => {
    assert.equal(lineOf('a\nb\nc', 0), 1)
    assert.equal(lineOf('a\nb\nc', 4), 3)
    assert.equal(indexOfPosition('ä𝄞x', 3), 3)
    assert.equal(indexOfPosition('abc', 1), 0)
    assert.equal(indexOfPosition('abc', 99), 3)
  })
})
