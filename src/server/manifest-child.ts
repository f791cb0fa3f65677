// The short-lived child of the supervisor: loads the app and the config file, sends them as data, ends. Run by manifest.ts only.
import { once } from 'node:events'
import { access } from 'node:fs/promises'
import { resolve } from 'node:path'
import { declaredPools, declaredServices } from '../core/host.ts'
import { failureOf, StartError } from './errors.ts'
import { EXIT } from './exit-codes.ts'
import { importUserModule, loadApp } from './load-app.ts'
import type { FromManifestChild, Manifest, ToManifestChild } from './messages.ts'
import { warmUp } from './warm-up.ts'

const CONFIG_FILES = ['millrace.config.ts', 'millrace.config.mts', 'millrace.config.js', 'millrace.config.mjs']

async function readManifest({ app: path, wantsOpenapi, configFile: configPath }: ToManifestChild): Promise<Manifest> {
  const directory = process.cwd()
  const configFile = await readConfigFile(directory, configPath)
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
    pools: declaredPools(),
    ...(configFile ? { configFile } : {}),
    ...(openapi === undefined ? {} : { openapi }),
  }
}

/** @param path  '' for the first of the usual names that is there, if one is */
async function readConfigFile(directory: string, path: string): Promise<Manifest['configFile']> {
  for (const name of path === '' ? CONFIG_FILES : [path]) {
    const file = resolve(directory, name)
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
  if (path !== '') throw new StartError('LOAD_BAD_CONFIG', EXIT.usage, `the config file ${path} is not there`)
  return undefined
}

async function answer(request: ToManifestChild): Promise<FromManifestChild> {
  try {
    return { type: 'manifest', manifest: await readManifest(request) }
  } catch (error) {
    return { type: 'failed', failure: failureOf(error) }
  }
}

// The supervisor is gone: nobody listens.
process.on('disconnect', () => process.exit())
const asked = once(process, 'message') as Promise<[ToManifestChild]>
if (process.argv[2] === 'warm') await warmUp(process.cwd())
const [request] = await asked
// The channel alone must not keep a process whose app waits for nothing.
process.channel?.unref()
const message = await answer(request)
// Timers and sockets that the app opened while it was loaded would keep this process: it ends as soon as it has spoken.
process.send!(message, () => process.exit())
