// `npm run build`: dist from nothing. JavaScript and declarations by the compiler, and the files of the docs pages with their licences.
//
// No source maps: what comes out differs from the sources by the types that are gone and by import extensions, so a stack trace reads
// well as it is, and the package stays small.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ASSET_SOURCES } from '../src/app/openapi/docs-assets.ts'

const root = join(import.meta.dirname, '..')
const require = createRequire(import.meta.url)

// Beside the files they belong to. The bundles' own headers name the *.LICENSE.txt files.
const LICENCES = {
  'swagger-ui.LICENSE.txt': 'swagger-ui-dist/LICENSE',
  'swagger-ui.NOTICE.txt': 'swagger-ui-dist/NOTICE',
  'swagger-ui-bundle.js.LICENSE.txt': 'swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt',
  'redoc.LICENSE.txt': 'redoc/LICENSE',
  'redoc.standalone.js.LICENSE.txt': 'redoc/bundles/redoc.standalone.js.LICENSE.txt',
  'redoc.search-worker.js.LICENSE.txt': 'redoc/bundles/d87bcbdbea8f8f5aa26f.worker.js.LICENSE.txt',
}

rmSync(join(root, 'dist'), { recursive: true, force: true })
const { status } = spawnSync(
  process.execPath,
  [require.resolve('typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json')],
  { stdio: 'inherit' },
)
if (status !== 0) process.exit(status ?? 1)

mkdirSync(join(root, 'dist/assets'))
for (const [name, source] of Object.entries({ ...ASSET_SOURCES, ...LICENCES }))
  copyFileSync(require.resolve(source), join(root, 'dist/assets', name))
