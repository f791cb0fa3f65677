import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { cpuQuota, memoryLimit, oomKills, processors } from '../../src/server/cgroup.ts'

/** A file system with these files and no others. */
async function rootWith(context: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'millrace-cgroup-'))
  context.after(() => rm(root, { recursive: true }))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true })
    await writeFile(join(root, name), `${text}\n`)
  }
  return root
}

const SELF = 'proc/self/cgroup'
const FS = 'sys/fs/cgroup'

describe('the control group', () => {
  test('of version 2 is read with those above it, and the narrowest limit counts', async context => {
    const root = await rootWith(context, {
      [SELF]: '0::/pod/app',
      [`${FS}/pod/app/cpu.max`]: 'max 100000',
      [`${FS}/pod/cpu.max`]: '150000 100000',
      [`${FS}/pod/app/memory.max`]: '536870912',
      [`${FS}/pod/memory.max`]: '268435456',
      [`${FS}/pod/app/memory.events`]: 'low 0\noom 3\noom_kill 2\noom_group_kill 0',
    })
    assert.deepEqual([cpuQuota(root), memoryLimit(root), oomKills(root)], [1.5, 268_435_456, 2])
  })

  test('of version 1 is read, of a path that is not there inside a container too', async context => {
    const root = await rootWith(context, {
      [SELF]: '4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/',
      [`${FS}/cpu/cpu.cfs_quota_us`]: '50000',
      [`${FS}/cpu/cpu.cfs_period_us`]: '100000',
      [`${FS}/memory/memory.limit_in_bytes`]: '1073741824',
      [`${FS}/memory/memory.oom_control`]: 'oom_kill_disable 0\nunder_oom 0\noom_kill 7',
    })
    assert.deepEqual([cpuQuota(root), memoryLimit(root), oomKills(root)], [0.5, 2 ** 30, 7])
  })

  test('without limits has none, in either version, and so has a system without groups', async context => {
    const v2 = await rootWith(context, { [SELF]: '0::/', [`${FS}/cpu.max`]: 'max 100000', [`${FS}/memory.max`]: 'max' })
    const v1 = await rootWith(context, {
      [SELF]: '4:memory:/\n1:cpu:/',
      [`${FS}/cpu/cpu.cfs_quota_us`]: '-1',
      [`${FS}/cpu/cpu.cfs_period_us`]: '100000',
      [`${FS}/memory/memory.limit_in_bytes`]: '9223372036854771712',
    })
    for (const root of [v2, v1, await rootWith(context, {})])
      assert.deepEqual([cpuQuota(root), memoryLimit(root), oomKills(root)], [undefined, undefined, 0])
  })

  test('a quota of processors is rounded up to whole workers, and never more than may be used', async context => {
    const workers = async (quota: string, allowed: string) =>
      processors(
        await rootWith(context, {
          [SELF]: '0::/',
          [`${FS}/cpu.max`]: `${quota} 100000`,
          'proc/self/status': `Name:\tnode\nCpus_allowed_list:\t${allowed}`,
        }),
      )
    assert.equal(await workers('25000', '0-7'), 1)
    assert.equal(await workers('100000', '0-7'), 1)
    assert.equal(await workers('150000', '0-7'), 2)
    assert.equal(await workers('6400000', '0-3,8'), 5)
    assert.equal(await workers('max', '0-7'), availableParallelism())
  })
})
