// An example served by the real command line, and the commands that a page shows against it.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { root } from './pages.ts'

const cli = join(root, 'src', 'cli', 'main.ts')

export class ServedApp {
  readonly url: string
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>

  private constructor(url: string, child: ChildProcess, ended: Promise<unknown>) {
    this.url = url
    this.#child = child
    this.#ended = ended
  }

  /**
   * @param file  from the root of the repository
   * @param cwd  where the server works, and an embedded database keeps its data
   * @returns when the server has printed where it is
   */
  static async start(file: string, cwd: string = root): Promise<ServedApp> {
    const args = ['--conditions=millrace-source', cli, 'serve', join(root, file)]
    const flags = ['--host', '127.0.0.1', '--port', '0', '--admin', 'off']
    const child = spawn(process.execPath, [...args, ...flags], {
      cwd,
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, DATABASE_URL: undefined },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const ended = once(child, 'exit')
    let said = ''
    child.stderr.on('data', (text: Buffer) => (said += text.toString()))
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout.on('data', (text: Buffer) => {
        said += text.toString()
        const found = /http:\/\/127\.0\.0\.1:\d+(?=\s)/.exec(stripVTControlCharacters(said))
        if (found) resolve(found[0])
      })
      void ended.then(() => reject(new Error(`${file} was not served:\n${said}`)))
    })
    return new ServedApp(url, child, ended)
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#ended
  }
}

/** @returns what a shell prints on stdout for one command, without the last line's end */
export async function outputOf(command: string): Promise<string> {
  const child = spawn('sh', ['-c', command], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (text: Buffer) => (output += text.toString()))
  await once(child, 'close')
  return output.replaceAll('\r', '').trimEnd()
}

export interface Step {
  readonly command: string
  readonly output: string
}

/** `$ command` and the lines below it, up to the next `$ `; a command goes on after a trailing backslash. */
export function stepsOf(console: string): readonly Step[] {
  const steps: { command: string; output: string[] }[] = []
  let continues = false
  for (const line of console.split('\n')) {
    const last = steps.at(-1)
    if (continues && last) last.command += `\n${line}`
    else if (line.startsWith('$ ')) steps.push({ command: line.slice(2), output: [] })
    else if (last) last.output.push(line)
    else throw new Error(`a console block begins with "$ ", not with ${line}`)
    continues = line.endsWith('\\') && (continues || line.startsWith('$ '))
  }
  return steps.map(({ command, output }) => ({ command, output: output.join('\n').trimEnd() }))
}

/** What differs from run to run, on the page as in the output: the date, random ids, times taken. Nothing else is forgiven. */
export function steadied(output: string): string {
  return output
    .replaceAll(/^(date): .*$/gim, '$1: (a date)')
    .replaceAll(/^(retry-after): [123]$/gim, '$1: (one to three)')
    .replaceAll(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, '(a uuid)')
    .replaceAll(/\beyJ[\w-]+\.[\w-]+\.[\w-]+/g, '(a token)')
    .replaceAll(/\bdur=\d+(\.\d+)?/g, 'dur=(ms)')
}
