// npm run bench -- NAME: runs one bench.
import { hello } from './hello.ts'
import { readOptions, USAGE, type Options } from './harness/options.ts'
import { micro } from './micro.ts'
import { types } from './types.ts'

const BENCHES: Readonly<Record<string, (options: Options) => Promise<void>>> = { hello, types, micro }

try {
  if (process.platform !== 'linux') throw new Error('the benches read /proc and pin to cores: they run on Linux')
  const options = readOptions(process.argv.slice(2))
  const bench = BENCHES[options.bench]
  if (!bench) throw new Error(`there is no bench ${options.bench}`)
  await bench(options)
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n\n${USAGE}`)
  process.exitCode = 1
}
