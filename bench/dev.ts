// dev: how long after a save `millrace dev` answers with the new code.
//
// A small app of one module, with schemas; the package as it is built, as users run it. Saves come as a person makes them, and once in a row.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { say } from './harness/compare.ts'
import { circumstances } from './harness/machine.ts'
import type { Options } from './harness/options.ts'
import { aligned, writeResult } from './harness/report.ts'

const ROOT = join(import.meta.dirname, '..')
const SAVES = 15
/** Somebody looks at the answer before the next change. */
const BETWEEN_MS = 2_000
const LONGEST_MS = 20_000

const appWith = (n: number) => `import { App } from 'millrace'
import * as z from 'zod'

const app = new App({ title: 'Saved' })
const Item = z.object({ id: z.int(), name: z.string().min(1), price: z.number().positive() })
app.get('/items/{id}', { params: z.object({ id: z.coerce.number() }), returns: Item }, async ({ params }) => ({
  id: params.id,
  name: 'saved ${n}',
  price: 1,
}))
export default app
`

export async function dev(options: Options): Promise<void> {
  if (!existsSync(join(ROOT, 'dist'))) throw new Error('there is no dist; run npm run build')
  // In the clone, so that 'millrace' is found.
  const folder = mkdtempSync(join(ROOT, 'bench/dev-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'app.ts')
  writeFileSync(file, appWith(0))
  const beganMs = performance.now()
  const { child, url } = await start(folder)
  const startMs = performance.now() - beganMs
  const savesMs: number[] = []
  for (let n = 1; n <= SAVES; n++) {
    await pause(BETWEEN_MS)
    say(`save ${n} of ${SAVES}`)
    savesMs.push(await save(file, url, n))
  }
  child.kill('SIGTERM')
  const sorted = savesMs.toSorted((a, b) => a - b)
  const cost = { startMs, medianMs: sorted[Math.floor(SAVES / 2)]!, worstMs: sorted.at(-1)!, savesMs }
  const cells = [cost.startMs, cost.medianMs, cost.worstMs].map(ms => ms.toFixed(0))
  const output = options.json
    ? JSON.stringify(cost)
    : aligned([
        ['', 'start ms', 'save ms', 'worst ms'],
        ['dev', ...cells],
      ])
  process.stdout.write(`${output}\n`)
  if (!options.save) return
  const about = circumstances({})
  say(`written: ${writeResult(about.date, 'dev', { bench: 'dev', ...about, cost })}`)
}

async function start(folder: string): Promise<{ child: ChildProcessByStdio<null, Readable, null>; url: string }> {
  const args = [join(ROOT, 'bin/millrace.js'), 'dev', 'app.ts', '--port', '0', '--admin', 'off']
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] })
  process.once('exit', () => child.kill('SIGKILL'))
  let said = ''
  for await (const chunk of child.stdout) {
    said += String(chunk)
    const [url] = /http:\/\/[\d.:]+/.exec(said) ?? []
    if (url === undefined) continue
    child.stdout.resume()
    return { child, url }
  }
  throw new Error(`millrace dev did not start: ${said}`)
}

/** @returns ms from the write to the first answer of the new code */
async function save(file: string, url: string, n: number): Promise<number> {
  const beganMs = performance.now()
  writeFileSync(file, appWith(n))
  for (;;) {
    // A connection that the old worker closes is asked again, as a browser does.
    const answer = await fetch(`${url}/items/1`).catch(() => undefined)
    const { name } = ((await answer?.json()) ?? {}) as { name?: string }
    const tookMs = performance.now() - beganMs
    if (name === `saved ${n}`) return tookMs
    if (tookMs > LONGEST_MS) throw new Error(`the new code did not answer within ${LONGEST_MS / 1000} s`)
    await pause(2)
  }
}
