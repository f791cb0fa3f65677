// The short-lived child of the supervisor: loads the app and the config file, sends them as data, ends. Run by manifest.ts only.
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { declaredServices } from '../core/host.ts'
import { failureOf, StartError } from './errors.ts'
import { EXIT } from './exit-codes.ts'
import { importUserModule, loadApp } from './load-app.ts'
import type { FromManifestChild, Manifest } from './messages.ts'

const CONFIG_FILES = ['millrace.config.ts', 'millrace.config.mts', 'millrace.config.js', 'millrace.config.mjs']

async function readManifest(path: string, wantsOpenapi: boolean): Promise<Manifest> {
  const directory = process.cwd()
  const configFile = await readConfigFile(directory)
  const app = await loadApp(path, directory)
  const { title, version, routes, docs, server } = app.manifest()
  const openapi = wantsOpenapi ? await (app as { openapi?: () => unknown }).openapi?.() : undefined
  return {
    title,
    version,
    routes,
    docs,
    server,
    services: declaredServices(),
    ...(configFile ? { configFile } : {}),
    ...(openapi === undefined ? {} : { openapi }),
  }
}

async function readConfigFile(directory: string): Promise<Manifest['configFile']> {
  for (const name of CONFIG_FILES) {
    const file = join(directory, name)
    const isThere = await access(file).then(
      () => true,
      () => false,
    )
    if (!isThere) continue
    const { default: values } = await importUserModule(file, directory)
    if (typeof values === 'object' && values !== null) return { name, values: { ...values } }
    throw new StartError(
      'LOAD_BAD_CONFIG',
      EXIT.usage,
      `${name} needs a default export that is an object of settings, such as \`export default { port: 8080 }\``,
    )
  }
  return undefined
}

async function answer(): Promise<FromManifestChild> {
  try {
    return { type: 'manifest', manifest: await readManifest(process.argv[2]!, process.argv[3] === 'openapi') }
  } catch (error) {
    return { type: 'failed', failure: failureOf(error) }
  }
}

// The supervisor is gone: nobody listens. The channel alone must not keep a process whose app waits for nothing.
process.on('disconnect', () => process.exit())
process.channel?.unref()
const message = await answer()
// Timers and sockets that the app opened while it was loaded would keep this process: it ends as soon as it has spoken.
process.send!(message, () => process.exit())
