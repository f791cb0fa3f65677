// What a server holds by which others know it: the listening socket, the admin listener, the control socket, the pid file.
//
// A successor (handover.ts) shares the listening socket at once, and takes the others only when its predecessor lets go of them. Until then
// nothing that others know is its own: it may fail, and its predecessor goes on.
import type { Logger } from '../observe/logger.ts'
import { type Admin, openAdmin } from './admin.ts'
import type { Controlled } from './control-commands.ts'
import { type ControlSocket, openControlSocket } from './control-socket.ts'
import { failureOf } from './errors.ts'
import { type Estate, ESTATE_FD } from './handover.ts'
import { adoptSocket, type HeldSocket, holdSocket, listenAddress, type ListenAddress } from './listener.ts'
import { type PidFile, writePidFile } from './pidfile.ts'
import type { Settings } from './settings.ts'
import { handedDescriptor } from './systemd.ts'

export interface HoldingsFacts {
  readonly settings: Settings
  /** Somebody asked for the address of the admin listener. */
  readonly asksForAdmin: boolean
  readonly controlled: Controlled
  readonly log: Logger
  /** What a predecessor leaves. */
  readonly estate: Estate | undefined
}

export class Holdings {
  readonly #facts: HoldingsFacts
  readonly #socket: HeldSocket
  #admin: Admin | undefined
  #control: ControlSocket | undefined
  #pidFile: PidFile | undefined
  #isTaken: Promise<void> = Promise.resolve()

  private constructor(facts: HoldingsFacts, socket: HeldSocket) {
    this.#facts = facts
    this.#socket = socket
  }

  /** @throws StartError `LISTEN_*`, `PIDFILE_*`; by then nothing is held */
  static async open(facts: HoldingsFacts): Promise<Holdings> {
    const { settings, estate } = facts
    const wanted = listenAddress(settings)
    const fd = settings.fd ?? handedDescriptor(process.env, process.pid)
    const socket = sharesSocket(facts)
      ? adoptSocket(ESTATE_FD.listen, estate!.address)
      : await holdSocket(fd === undefined ? wanted : { kind: 'descriptor', fd })
    const holdings = new Holdings(facts, socket)
    try {
      if (!holdings.#awaitsAdmin) await holdings.#openAdmin()
      if (estate === undefined) await holdings.#openOwn()
      return holdings
    } catch (error) {
      await holdings.close()
      throw error
    }
  }

  get address(): ListenAddress {
    return this.#socket.address
  }

  get socketFd(): number {
    return this.#socket.fd
  }

  get adminUrl(): string | undefined {
    return this.#admin?.url
  }

  get adminFd(): number | undefined {
    return this.#admin?.fd
  }

  /** What another one is left, apart from the descriptors. */
  estate(ticketKeys: string): Estate {
    const { settings } = this.#facts
    return {
      from: process.pid,
      wanted: listenAddress(settings),
      address: this.address,
      admin: this.adminFd === undefined ? undefined : this.#admin!.address,
      controlSocket: settings.controlSocket,
      ticketKeys,
    }
  }

  /** The predecessor has let go. What cannot be taken is logged: the server serves all the same, and nobody else does. */
  takeOver(): Promise<void> {
    return (this.#isTaken = this.#takeAll())
  }

  async #takeAll(): Promise<void> {
    const { admin, address } = this.#facts.estate!
    this.#socket.claim()
    const tries = [
      // Where nobody is behind it any more, nobody may wait.
      sharesSocket(this.#facts) ? undefined : async () => giveUp(ESTATE_FD.listen, address),
      this.#awaitsAdmin
        ? () => this.#openAdmin(ESTATE_FD.admin)
        : admin && (async () => giveUp(ESTATE_FD.admin, { kind: 'tcp', ...admin })),
      () => this.#openOwn(),
    ]
    for (const take of tries) await take?.().catch((error: unknown) => this.#facts.log.error(failureOf(error).message))
  }

  /** Before a successor takes over. What it shares, or has its name on by then, is left alone. */
  async letGo(): Promise<void> {
    this.#socket.leave()
    await this.#admin?.close()
  }

  async close(): Promise<void> {
    await this.#isTaken
    await this.#admin?.close()
    await this.#control?.close()
    await this.#pidFile?.remove()
    this.#socket.close()
  }

  /** The same one: it is taken over, because nobody else can have it meanwhile. */
  get #awaitsAdmin(): boolean {
    const { settings, estate } = this.#facts
    const [left, wanted] = [estate?.admin, settings.admin]
    if (!left || !wanted || this.#admin) return false
    return left.host === wanted.host && (wanted.port === 0 || left.port === wanted.port)
  }

  async #openAdmin(fd?: number): Promise<void> {
    const { settings, asksForAdmin, controlled, log, estate } = this.#facts
    const address = fd === undefined ? settings.admin : estate!.admin!
    this.#admin = await openAdmin(address, asksForAdmin, controlled, log, fd)
  }

  async #openOwn(): Promise<void> {
    const { settings, controlled, log, estate } = this.#facts
    if (settings.controlSocket !== null)
      this.#control = await openControlSocket({
        path: settings.controlSocket,
        mode: settings.controlSocketMode,
        takesOver:
          estate !== undefined && settings.controlSocket !== 'auto' && settings.controlSocket === estate.controlSocket,
        controlled,
        log,
      })
    if (settings.pidfile !== '') this.#pidFile = await writePidFile(settings.pidfile, process.pid, estate?.from)
  }
}

/** The predecessor's listening socket is at the address that is wanted now. */
function sharesSocket({ settings, estate }: HoldingsFacts): boolean {
  return estate !== undefined && JSON.stringify(estate.wanted) === JSON.stringify(listenAddress(settings))
}

/** What the predecessor listened on and we do not. */
function giveUp(fd: number, address: ListenAddress): void {
  const socket = adoptSocket(fd, address)
  socket.claim()
  socket.close()
}
