// A Redis for a bench, on a free port, without a disk. Its processor time is on nobody's account.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'

export interface BenchRedis {
  readonly url: string
  readonly version: string
  stop(): Promise<void>
}

/** @throws Error when there is no redis-server on this machine */
export async function startRedis(): Promise<BenchRedis> {
  const port = await freePort()
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const take = () => void child.kill('SIGTERM')
  process.once('exit', take)
  const gone = once(child, 'exit')
  let version = ''
  const ready = (async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      version = /Redis version=([\d.]+)/.exec(line)?.[1] ?? version
      if (line.includes('Ready to accept connections')) break
    }
  })()
  const failed = new Promise<never>((_, reject) => {
    child.once('error', () => reject(new Error('there is no redis-server here: apt-get install redis-server')))
    child.once('exit', code => reject(new Error(`redis-server ended with ${code}`)))
  })
  failed.catch(() => {})
  await Promise.race([ready, failed])
  child.stdout.resume()
  return {
    url: `redis://127.0.0.1:${port}`,
    version,
    stop: async () => {
      process.off('exit', take)
      child.kill('SIGTERM')
      await gone
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
