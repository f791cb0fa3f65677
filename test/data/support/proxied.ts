// A test server behind a proxy that can be told to misbehave.
import { join } from 'node:path'
import type { EmbeddedPostgres } from '../../../src/data/postgres/index.ts'
import { FaultProxy, type Target } from './fault-proxy.ts'

export interface Proxied {
  readonly proxy: FaultProxy
  /** Of the server, through the proxy. */
  readonly url: string
}

export async function proxied({ address }: Pick<EmbeddedPostgres, 'address'>): Promise<Proxied> {
  const proxy = await FaultProxy.start(socketOf(address))
  return { proxy, url: `postgresql://${address.user}@127.0.0.1:${proxy.port}/${address.database}` }
}

/** Where a server listens. */
export function socketOf(address: EmbeddedPostgres['address']): Target {
  return { path: join(address.socketDir, `.s.PGSQL.${address.port}`) }
}
