// How a server starts, or says why it does not: exit codes, settings from everywhere, a busy port.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { cp, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { APPS, CLOSE, type CommandOptions, RunningCommand, startServer, temporaryFolder } from './running-server.ts'

const limit = { timeout: 240_000 }

/** Runs to the end. */
async function outcome(args: readonly string[], options?: CommandOptions) {
  const command = new RunningCommand(args, options)
  const { code } = await command.exited
  return { code, output: command.output, errors: command.errors }
}

async function busyPort(context: TestContext): Promise<number> {
  const other = net.createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  context.after(() => other.close())
  return (other.address() as net.AddressInfo).port
}

describe('a server that cannot start', limit, () => {
  const cases: readonly (readonly [what: string, args: string[], code: number, message: RegExp])[] = [
    ['an unknown command', ['sevre', 'app.ts'], 2, /^error: millrace has no command sevre; did you mean serve\?\n$/],
    [
      'a file where a command should be',
      ['app.ts'],
      2,
      /^error: app\.ts is not a command; to serve it: millrace serve app\.ts\n$/,
    ],
    [
      'an unknown flag',
      ['serve', 'steady.ts', '--prot', '1'],
      2,
      /^error: millrace serve has no option --prot; did you mean --port\?\n$/,
    ],
    [
      'a bad value',
      ['serve', 'steady.ts', '--port', 'http'],
      2,
      /^error: --port is "http"; expected a whole number from 0 to 65535\n$/,
    ],
    [
      'a setting of the app that is none',
      ['serve', 'bad/bad-setting.ts'],
      2,
      /^error: new App\(\{ server \}\) holds prot, .* did you mean port\?\n$/,
    ],
    ['no such file', ['serve', 'stedy.ts'], 3, /^error: there is no stedy\.ts .* did you mean steady\.ts\?\n$/],
    [
      'a config file that is not there',
      ['serve', 'steady.ts', '--config', 'nowhere.ts'],
      2,
      /^error: the config file nowhere\.ts is not there\n$/,
    ],
    [
      'a file of variables that is not there',
      ['serve', 'steady.ts', '--dotenv', 'nowhere.env'],
      2,
      /^error: nowhere\.env cannot be read: ENOENT/,
    ],
    [
      'an option of another server',
      ['serve', 'steady.ts', '--threads', '4'],
      2,
      /^error: --threads is an option of Gunicorn, and none here: a worker answers many requests in one thread/,
    ],
    [
      'an app that throws',
      ['serve', 'bad/throws.ts'],
      3,
      /^error: bad\/lib\/database-url\.ts:2: DATABASE_URL is not set\n {2}caused by/,
    ],
    [
      'an app that ends the process',
      ['serve', 'bad/exits.ts'],
      3,
      /^error: bad\/exits\.ts ended the process with code 1 .*\n {2}it printed: DATABASE_URL is not set\n$/,
    ],
    [
      'an app that waits for ever',
      ['serve', 'bad/never-settles.ts'],
      3,
      /^error: bad\/never-settles\.ts awaits something at its top level that never settles\n$/,
    ],
    [
      'a lifespan that throws',
      ['serve', 'bad/lifespan.ts', '--port', '0', '--admin', 'off', '--workers', '2'],
      3,
      /^error: the app did not start: bad\/lifespan\.ts:12: no connection/,
    ],
  ]
  for (const [what, args, code, message] of cases)
    test(`${what}: code ${code} and one message`, async () => {
      const { code: found, output, errors } = await outcome(args)
      assert.match(errors, message)
      assert.equal(found, code)
      assert.equal(output, '')
    })

  test('a busy port: code 4 and one message', async context => {
    const port = await busyPort(context)
    const { code, errors } = await outcome(['serve', 'steady.ts', '--host', '127.0.0.1', '--port', String(port)])
    assert.equal(code, 4)
    assert.match(errors, new RegExp(`^error: 127\\.0\\.0\\.1:${port} is busy: .* choose another --port .*\n$`))
  })

  test('an admin port that somebody asked for and is busy: code 4', async context => {
    const port = await busyPort(context)
    const { code, errors } = await outcome(['serve', 'steady.ts', '--port', '0', '--admin', String(port)])
    assert.equal(code, 4)
    assert.match(errors, /is busy: .* choose another --admin, or off\n$/)
  })
})

describe('a start that hangs', limit, () => {
  test('is given up after the start time-out: code 3', async () => {
    const { code, errors } = await outcome([
      'serve',
      'slow-start.ts',
      '--port',
      '0',
      '--admin',
      'off',
      '--start-timeout',
      '200ms',
    ])
    assert.equal(errors, 'error: worker 1 was not ready within 0.2 s; --start-timeout gives it longer\n')
    assert.equal(code, 3)
  })

  test('is ended by INT: code 0 and no worker left', async context => {
    const command = new RunningCommand([
      'serve',
      'slow-start.ts',
      '--port',
      '0',
      '--workers',
      '2',
      '--admin',
      '127.0.0.1:0',
    ])
    context.after(() => command.child.kill('SIGKILL'))
    await command.says(/the lifespan has begun/)
    command.signal('SIGINT')
    assert.deepEqual(await command.exited, { code: 0, signal: null })
    assert.doesNotMatch(command.output, /ready in/)
    assert.equal(command.errors, '')
  })
})

describe('settings', limit, () => {
  test('come from the app, the config file, .env and the environment, the later the stronger', async context => {
    const folder = await temporaryFolder(context, APPS)
    await cp(join(APPS, 'configured'), folder, { recursive: true })
    await writeFile(join(folder, '.env'), 'PORT=0\nGREETING=from the file\nNODE_ENV=production\n')
    const server = await startServer(context, ['serve', 'app.ts'], {
      directory: folder,
      environment: { NODE_ENV: 'staging' },
    })
    assert.notEqual(server.port, 2)
    assert.equal((await server.status()).workers.length, 2)
    const answer = await fetch(server.url, CLOSE)
    assert.deepEqual(await answer.json(), { greeting: 'from the file', mode: 'staging' })

    await writeFile(join(folder, '.env'), 'PORT=0\nGREETING=changed\n')
    server.signal('SIGHUP')
    await server.says(/reloaded 2 workers/)
    const later = await fetch(server.url, CLOSE)
    assert.deepEqual(await later.json(), { greeting: 'changed', mode: 'staging' })
  })

  test('a config file and a file of variables elsewhere are read instead of those in the folder', async context => {
    const server = await startServer(
      context,
      ['serve', 'app.ts', '--config', 'elsewhere/production.ts', '--dotenv', 'elsewhere/production.env', '--port', '0'],
      { directory: join(APPS, 'configured') },
    )
    assert.equal((await server.status()).workers.length, 1)
    const answer = await fetch(server.url, CLOSE)
    assert.deepEqual(await answer.json(), { greeting: 'from elsewhere', mode: 'production' })
  })

  test('millrace config prints those in effect, and where each comes from', async () => {
    const directory = join(APPS, 'configured')
    const args = ['config', 'app.ts', '--dotenv', 'elsewhere/production.env']
    const { code, output, errors } = await outcome([...args, '--timeout-keep-alive', '65'], {
      directory,
      environment: { MILLRACE_CONFIG: 'elsewhere/production.ts' },
    })
    assert.deepEqual([code, errors], [0, ''])
    for (const line of [
      /^keepAliveTimeout +65s +--keep-alive-timeout$/m,
      /^port +3 +elsewhere\/production\.ts$/m,
      /^drainDelay +3s\s+MILLRACE_DRAIN_DELAY in elsewhere\/production\.env$/m,
      /^graceTimeout +7s +new App\(\{ server \}\)$/m,
      /^config +elsewhere\/production\.ts +MILLRACE_CONFIG$/m,
      /^backlog +2048 +default$/m,
    ])
      assert.match(output, line)
    for (const line of output.split('\n')) assert.ok(line.length <= 80, line)

    const dev = await outcome([...args, '--dev', '--json'], { directory })
    const settings = JSON.parse(dev.output) as Record<string, unknown>
    assert.deepEqual(settings['graceTimeout'], { value: '7s', from: 'new App({ server })' })
    assert.deepEqual(settings['host'], { value: '127.0.0.1', from: 'millrace.config.ts' })
    assert.ok('reloadDir' in settings && !('workers' in settings))

    const refused = await outcome(['config', 'app.ts', '--workers', '0'], { directory })
    assert.deepEqual([refused.code, refused.output], [2, ''])
    assert.match(refused.errors, /^error: --workers is "0"; expected a whole number from 1 to 1024, or 'auto'\n$/)
  })

  test('a variable that is like a setting and none is warned of, and the server starts', async context => {
    const server = await startServer(context, ['serve', 'steady.ts', '--port', '0'], {
      environment: { MILLRACE_PROT: '1', HOST: '127.0.0.1' },
    })
    await server.says(/warn .*MILLRACE_PROT is no setting; did you mean MILLRACE_PORT\?/)
  })

  test('PORT of the environment is taken when there is no flag', async context => {
    const port = await busyPort(context)
    const { code, errors } = await outcome(['serve', 'steady.ts'], {
      environment: { PORT: String(port), HOST: '127.0.0.1' },
    })
    assert.equal(code, 4)
    assert.match(errors, new RegExp(`127\\.0\\.0\\.1:${port} is busy`))
  })
})

describe('a reload that cannot be done', limit, () => {
  test('leaves the old workers serving and says why', async context => {
    const folder = await temporaryFolder(context, APPS)
    await cp(join(APPS, 'steady.ts'), join(folder, 'app.ts'))
    const server = await startServer(context, ['serve', 'app.ts', '--port', '0', '--keep-alive-timeout', '500ms'], {
      directory: folder,
    })
    const [before] = (await server.status()).workers
    await writeFile(join(folder, 'app.ts'), 'enum Color { Red }\nexport default Color\n')
    server.signal('SIGHUP')
    await server.says(/not reloaded, the old workers go on: app\.ts:1: an enum cannot run here/)
    await cp(join(APPS, 'bad/lifespan.ts'), join(folder, 'app.ts'))
    server.signal('SIGHUP')
    await server.says(/not reloaded, the old workers go on: the app did not start: app\.ts:12/)
    assert.equal((await fetch(server.url, CLOSE)).status, 200)
    const after = await server.statusWhen(({ workers }) => workers.length === 1)
    assert.equal(after.workers[0]!.pid, before!.pid)
    await cp(join(APPS, 'steady.ts'), join(folder, 'app.ts'))
    server.signal('SIGHUP')
    await server.says(/reloaded 1 worker/)
  })

  test('goes back to what served before, and not to a reload that never came to its end', async context => {
    const folder = await temporaryFolder(context, APPS)
    const [app, dotenv] = [join(folder, 'app.ts'), join(folder, '.env')]
    await cp(join(APPS, 'steady.ts'), app)
    await writeFile(dotenv, 'APP_VERSION=proven\n')
    const server = await startServer(context, ['serve', 'app.ts', '--port', '0'], { directory: folder })
    const version = async () => ((await (await fetch(server.url, CLOSE)).json()) as { version: string }).version
    const [before] = (await server.status()).workers
    assert.equal(await version(), 'proven')
    await writeFile(dotenv, 'APP_VERSION=hung\n')
    await cp(join(APPS, 'slow-start.ts'), app)
    server.signal('SIGHUP')
    await server.says(/the lifespan has begun/)
    await cp(join(APPS, 'bad/syntax.ts'), app)
    server.signal('SIGHUP')
    await server.says(/not reloaded, the old workers go on/)
    await cp(join(APPS, 'steady.ts'), app)
    process.kill(before!.pid, 'SIGKILL')
    await server.statusWhen(({ workers }) => workers.some(({ pid, state }) => pid !== before!.pid && state === 'ready'))
    assert.equal(await version(), 'proven')
  })
})

test('a reload or an upgrade of a server that still starts is not done, and says so', limit, async context => {
  const command = new RunningCommand(['serve', 'slow-start.ts', '--port', '0', '--admin', 'off'])
  context.after(() => command.signal('SIGKILL'))
  await command.says(/the lifespan has begun/)
  command.signal('SIGHUP')
  await command.says(/warn .*not reloaded: the server has not started yet/)
  command.signal('SIGUSR2')
  await command.says(/warn .*not upgraded: the server has not started yet/)
  command.signal('SIGTERM')
  assert.deepEqual(await command.exited, { code: 0, signal: null })
})

describe('other commands', limit, () => {
  test('help, version, routes and openapi print to standard output and end with code 0', async () => {
    const [help, serveHelp, version, routes, openapi] = await Promise.all(
      [['--help'], ['serve', '--help'], ['--version'], ['routes', 'steady.ts'], ['openapi', 'steady.ts']].map(args =>
        outcome(args),
      ),
    )
    for (const result of [help, serveHelp, version, routes, openapi])
      assert.deepEqual([result!.code, result!.errors], [0, ''])
    assert.match(help!.output, /^Usage: millrace COMMAND\n/)
    assert.match(serveHelp!.output, /--port N/)
    for (const line of `${help!.output}${serveHelp!.output}`.split('\n')) assert.ok(line.length <= 80, line)
    assert.match(version!.output, /^\d+\.\d+\.\d+\n$/)
    assert.match(routes!.output, /^GET +\/slow\/\{ms\}$/m)
    assert.equal((JSON.parse(openapi!.output) as { info: { title: string } }).info.title, 'Steady')
  })
})

test(
  'two start beside each other with default settings, the second without an admin listener',
  limit,
  async context => {
    const start = () => {
      const command = new RunningCommand(['serve', 'steady.ts', '--port', '0'])
      context.after(async () => {
        command.child.kill('SIGKILL')
        await command.exited
      })
      return command
    }
    const first = start()
    await first.says(/ready in/)
    const second = start()
    await second.says(/ready in/)
    assert.match(
      second.errors,
      /warn {2}no admin listener: 127\.0\.0\.1:9000 is taken; --admin chooses another address, or off/,
    )
  },
)
