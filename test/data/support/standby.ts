// A server that follows another one, by streaming replication, for the tests of one file.
import { appendFile, chown, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { embeddedPostgres, type EmbeddedPostgres } from '../../../src/data/postgres/index.ts'
import { copyOf } from './server.ts'

/** @param primary  is stopped for the copy, and another one is started in its place */
export async function withStandby(
  primary: EmbeddedPostgres,
  dataDir: string,
): Promise<{ readonly primary: EmbeddedPostgres; readonly standby: EmbeddedPostgres }> {
  await primary.stop()
  const folder = await copyOf(dataDir)
  const data = join(folder, 'data')
  const { socketDir, port, user } = primary.address
  const { uid, gid } = await stat(join(dataDir, 'data'))
  await writeFile(join(data, 'standby.signal'), '')
  await chown(join(data, 'standby.signal'), uid, gid)
  await appendFile(
    join(data, 'postgresql.auto.conf'),
    `primary_conninfo = 'host=''${socketDir}'' port=${port} user=${user}'\nwal_retrieve_retry_interval = 100ms\n`,
  )
  const restarted = await embeddedPostgres({ dataDir })
  return { primary: restarted, standby: await embeddedPostgres({ dataDir: folder }) }
}
