import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { StartError } from '../../src/server/errors.ts'
import { loadApp, startApp } from '../../src/server/load-app.ts'

const APPS = join(import.meta.dirname, '../fixtures/apps')

// Messages name files as somebody in that folder would.
before(() => process.chdir(APPS))

async function failure(load: Promise<unknown>): Promise<StartError> {
  try {
    await load
  } catch (error) {
    assert.ok(error instanceof StartError, String(error))
    return error
  }
  throw new Error('was loaded')
}

interface Case {
  readonly app: string
  readonly code: string
  readonly message: RegExp
}

const CASES: readonly Case[] = [
  { app: 'nowhere.ts', code: 'LOAD_NO_FILE', message: /^there is no nowhere\.ts in the working directory$/ },
  { app: 'stedy.ts', code: 'LOAD_NO_FILE', message: /; did you mean steady\.ts\?$/ },
  {
    app: 'no/such/app.ts',
    code: 'LOAD_NO_FILE',
    message: /^there is no no\/such\/app\.ts: its directory does not exist$/,
  },
  { app: 'bad/folder', code: 'LOAD_IS_DIRECTORY', message: /is a directory; name the module .* bad\/folder\/app\.ts$/ },
  { app: 'bad/readme.txt', code: 'LOAD_NO_MODULE', message: /readme\.txt is not a module/ },
  { app: 'bad/jsx.tsx', code: 'LOAD_NO_MODULE', message: /jsx\.tsx is not a module that can be run/ },
  {
    app: 'bad/no-default.ts',
    code: 'LOAD_NO_APP',
    message: /has no default export; end it with `export default app`$/,
  },
  { app: 'bad/named.ts', code: 'LOAD_NO_APP', message: /exports the app as shop, .*; add `export default shop`$/ },
  {
    app: 'bad/wrong-default.ts',
    code: 'LOAD_NO_APP',
    message: /default export of .* is a function; expected what `new App\(\)`/,
  },

  {
    app: 'bad/enum.ts',
    code: 'LOAD_SYNTAX',
    message: /^bad\/enum\.ts:3: an enum cannot run here.*\n {2}Way out: .*as const/,
  },
  { app: 'bad/imports-enum.ts', code: 'LOAD_SYNTAX', message: /^bad\/enum\.ts:3: an enum/ },
  {
    app: 'bad/namespace.ts',
    code: 'LOAD_SYNTAX',
    message: /^bad\/namespace\.ts:3: a namespace .*\n {2}Way out: use a module/,
  },
  {
    app: 'bad/parameter-property.ts',
    code: 'LOAD_SYNTAX',
    message: /:2: a parameter property .*\n {2}Way out: declare the field/,
  },
  {
    app: 'bad/import-equals.ts',
    code: 'LOAD_SYNTAX',
    message: /:1: `import x = require\(\)` .*\n {2}Way out: write `import x from/,
  },
  {
    app: 'bad/decorator.ts',
    code: 'LOAD_SYNTAX',
    message: /^bad\/decorator\.ts:3: a decorator .*\n {2}Way out: .*\n {2}@route$/,
  },
  {
    app: 'bad/syntax.ts',
    code: 'LOAD_SYNTAX',
    message: /^bad\/syntax\.ts:1: Expression expected\n {2}const title = = 'Shop'$/,
  },
  {
    app: 'bad/type-import.ts',
    code: 'LOAD_SYNTAX',
    message: /:2: .* has no export Title .*\n {2}Way out: .*`import type \{ Title \}`/,
  },

  {
    app: 'bad/alias/app.ts',
    code: 'LOAD_IMPORT',
    message: /imports '@\/lib\/title', .* path alias "@\/\*" of bad\/alias\/tsconfig\.json/,
  },
  {
    app: 'bad/alias/app.ts',
    code: 'LOAD_IMPORT',
    message: /Way out: .*, '\.\/lib\/title\.ts', or name it under "imports"/,
  },
  {
    app: 'bad/no-extension.ts',
    code: 'LOAD_IMPORT',
    message: /imports '\.\/lib\/title', .*\n {2}Way out: write '\.\/lib\/title\.ts'/,
  },
  {
    app: 'bad/js-extension.ts',
    code: 'LOAD_IMPORT',
    message: /imports '\.\/lib\/title\.js', .*\n {2}Way out: write '\.\/lib\/title\.ts'/,
  },
  {
    app: 'bad/folder-import.ts',
    code: 'LOAD_IMPORT',
    message: /imports '\.\/lib', .*\n {2}Way out: write '\.\/lib\/index\.ts'/,
  },
  { app: 'bad/missing-file.ts', code: 'LOAD_IMPORT', message: /but there is no such file; did you mean title\.ts\?$/ },
  {
    app: 'bad/missing-package.ts',
    code: 'LOAD_IMPORT',
    message: /a package that is not installed\.\n {2}Way out: npm install no-such-package-of-millrace,/,
  },
  { app: 'bad/imports-jsx.ts', code: 'LOAD_IMPORT', message: /^bad\/jsx\.tsx: Node does not run JSX/ },

  {
    app: 'bad/throws.ts',
    code: 'LOAD_THREW',
    message:
      /^bad\/lib\/database-url\.ts:2: DATABASE_URL is not set\n {2}caused by no \.env\n {2}at databaseUrl bad\/lib\/database-url\.ts:2\n {2}at bad\/throws\.ts:3\n/,
  },
  {
    app: 'bad/throws-text.ts',
    code: 'LOAD_THREW',
    message: /^bad\/throws-text\.ts: threw "no", which is not an Error/,
  },
  {
    app: 'bad/require.ts',
    code: 'LOAD_THREW',
    message: /^bad\/require\.ts:1: ReferenceError: require [^]*\n {2}Way out: write `import x/,
  },
]

describe('an app that cannot be loaded', () => {
  for (const { app, code, message } of CASES)
    test(`${app}: ${code}`, async () => {
      const error = await failure(loadApp(app))
      assert.match(error.message, message)
      assert.equal(error.code, code)
      assert.equal(error.exitCode, 3)
    })
})

test('an app whose lifespan throws says where', async () => {
  const error = await failure(startApp('bad/lifespan.ts', {}))
  assert.equal(error.code, 'APP_NOT_STARTED')
  assert.match(
    error.message,
    /^the app did not start: bad\/lifespan\.ts:12: no connection to the queue\n {2}at connect bad/,
  )
})

test('a good app is what its module exports', async () => {
  assert.equal((await loadApp('steady.ts')).manifest().title, 'Steady')
})
