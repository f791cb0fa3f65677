// micro: nanoseconds per call of the functions on the hot path, each file in a process of its own so that none warms up another.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { join } from 'node:path'

export async function micro(): Promise<void> {
  const helper = join(import.meta.dirname, 'micro/time.ts')
  for (const file of globSync(join(import.meta.dirname, 'micro/*.ts')).toSorted()) {
    if (file === helper) continue
    const child = spawn(process.execPath, ['--conditions=millrace-source', file], { stdio: 'inherit' })
    const [code] = (await once(child, 'exit')) as [number | null]
    if (code !== 0) throw new Error(`${file} ended with ${code}`)
  }
}
