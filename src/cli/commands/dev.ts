// millrace dev APP: one worker that is replaced whenever a file changes. New code that fails leaves the old serving.
import { basename } from 'node:path'
import { readyText } from '../../server/banner.ts'
import { StartError } from '../../server/errors.ts'
import { EXIT, type ExitCode } from '../../server/exit-codes.ts'
import { openPlaceholder, type Placeholder } from '../../server/placeholder.ts'
import { guardOutput } from '../../server/output.ts'
import { onSignals } from '../../server/signals.ts'
import { Supervisor } from '../../server/supervisor.ts'
import { readArguments } from '../arguments.ts'
import { errorText } from '../error-text.ts'
import { watchCode } from '../watch.ts'

export async function run(argv: readonly string[]): Promise<ExitCode> {
  guardOutput(process.stdout, process.stderr)
  const { app, flags } = readArguments(argv, 'dev', 'dev')
  const session = new DevSession(app, flags)
  onSignals(intention => {
    if (intention === 'stop' || intention === 'stop-quickly') session.stop(intention === 'stop' ? 'orderly' : 'quick')
    if (intention === 'reload') session.change('HUP')
  })
  await session.run()
  return EXIT.stopped
}

class DevSession {
  readonly #app: string
  readonly #flags: Readonly<Record<string, string>>
  readonly #ended = Promise.withResolvers<void>()
  #supervisor: Supervisor | undefined
  #placeholder: Promise<Placeholder | undefined> | undefined
  #isRunning = false
  #isEnded = false

  constructor(app: string, flags: Readonly<Record<string, string>>) {
    this.#app = app
    this.#flags = flags
  }

  /** Resolves when the session was stopped. @throws what no change of a file can mend: settings, a busy port */
  async run(): Promise<void> {
    const directories = this.#flags['reloadDir']?.split(',') ?? ['.']
    const closeWatch = await watchCode(directories, path => this.change(path))
    try {
      await this.#start()
      await this.#ended.promise
    } finally {
      await closeWatch()
    }
  }

  /** A file has changed, or somebody asks for a reload. */
  change(what: string): void {
    if (this.#isEnded) return
    process.stderr.write(`${what} changed\n`)
    if (basename(what) === 'package.json') this.#supervisor?.forgetPackages()
    if (this.#isRunning) void this.#supervisor!.reload()
    else void this.#start().catch((error: unknown) => this.#ended.reject(error))
  }

  stop(mode: 'orderly' | 'quick'): void {
    this.#isEnded = true
    const stopped = Promise.all([this.#supervisor?.stop(mode), this.#closePlaceholder()])
    void stopped.then(() => this.#ended.resolve())
  }

  async #start(): Promise<void> {
    // A change while the app is still starting starts over with what is there now.
    const before = this.#supervisor
    const supervisor = new Supervisor({ app: this.#app, flags: this.#flags, command: 'dev' })
    this.#supervisor = supervisor
    await before?.stop('quick')
    await this.#closePlaceholder()
    try {
      const started = await supervisor.start()
      if (!started || supervisor !== this.#supervisor) return
      this.#isRunning = true
      const note = 'reloads when a file changes; Ctrl-C stops'
      process.stdout.write(readyText({ ...started, manifest: started.generation.manifest, note }))
    } catch (error) {
      if (!(error instanceof StartError) || error.exitCode !== EXIT.app) throw error
      if (supervisor !== this.#supervisor || this.#isEnded) return
      this.#placeholder = openPlaceholder(this.#flags, error.message)
      const placeholder = await this.#placeholder
      const waiting = placeholder ? `waiting for a change; ${placeholder.url} shows this too` : 'waiting for a change'
      process.stderr.write(`${errorText(error.message, process.stderr)}\n\n${waiting}\n`)
    }
  }

  async #closePlaceholder(): Promise<void> {
    const opening = this.#placeholder
    this.#placeholder = undefined
    await (await opening)?.close()
  }
}
