// Several servers of which one accepts writes: where that is, is found by asking, the one that did last first.
//
// As libpq has it with target_session_attrs=read-write. A server says with its greeting whether it is a standby (since PostgreSQL 14), so asking
// costs nothing beyond connecting.
import { Connection, type ConnectionOptions } from './connection.ts'
import { DatabaseUnavailableError } from './errors.ts'

export class Hosts {
  readonly #hosts: readonly ConnectionOptions[]
  /** The one that accepted writes last. */
  #first = 0

  constructor(hosts: readonly ConnectionOptions[]) {
    this.#hosts = hosts
  }

  /**
   * @throws DatabaseUnavailableError when none accepts writes, with what each said
   * @throws PostgresSettingsError of the first where trying again cannot help
   */
  async open(): Promise<Connection> {
    if (this.#hosts.length === 1) return Connection.open(this.#hosts[0]!)
    const said: string[] = []
    for (let turn = 0; turn < this.#hosts.length; turn++) {
      const index = (this.#first + turn) % this.#hosts.length
      try {
        const connection = await Connection.open(this.#hosts[index]!)
        if (!connection.isStandby) {
          this.#first = index
          return connection
        }
        said.push(`${connection.where}: a standby`)
        void connection.close()
      } catch (error) {
        if (!(error instanceof DatabaseUnavailableError)) throw error
        said.push(error.message.replace(/^PostgreSQL at /, ''))
      }
    }
    throw new DatabaseUnavailableError(`no PostgreSQL server accepts writes: ${said.join('; ')}`)
  }
}

/** `postgresql://me@a:5432,b:5433/shop`, as libpq has it. @returns a URL for each host */
export function splitHosts(url: string): readonly string[] {
  const match = /^([a-z]+:\/\/(?:[^@/?#]*@)?)([^/?#]*,[^/?#]*)(.*)$/.exec(url)
  if (!match) return [url]
  const [, before, hosts, after] = match
  return hosts!.split(',').map(host => `${before}${host}${after}`)
}
