import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { readdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Controlled } from '../../src/server/control-commands.ts'
import { openControlSocket } from '../../src/server/control-socket.ts'
import { createLogger } from '../../src/observe/logger.ts'

// Nobody commands here.
const nobody = {} as Controlled

test("a control socket is its owner's alone from the moment it is bound, whatever the umask", async context => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-control-'))
  context.after(() => rm(folder, { recursive: true, maxRetries: 20 }))
  const umask = process.umask(0)
  context.after(() => process.umask(umask))
  const path = join(folder, 'control.sock')
  const log = createLogger({ level: 'silent', format: 'lines' })
  const opening = openControlSocket({ path, mode: 0o660, controlled: nobody, log })
  // Before anything else has run: it is bound, and its mode is not set yet.
  const [bound] = readdirSync(folder)
  assert.equal(statSync(join(folder, bound!)).mode & 0o777, 0o600)
  assert.equal(process.umask(), 0)
  const socket = await opening
  assert.deepEqual(await readdir(folder), ['control.sock'])
  assert.equal((await stat(path)).mode & 0o777, 0o660)
  await socket!.close()
  assert.deepEqual(await readdir(folder), [])
})
