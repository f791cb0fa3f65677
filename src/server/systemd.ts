// Socket activation: systemd binds the socket, and hands it to the process that it starts (sd_listen_fds(3)).
//
// So a port below 1024 needs no privilege of ours, and connections that come while the server is away wait in the kernel.
import { StartError } from './errors.ts'
import { EXIT } from './exit-codes.ts'

/** The first descriptor that systemd passes. */
const FIRST = 3

/**
 * @param environment  of this process itself: variables of .env were not meant for it
 * @returns undefined when nothing was handed to the process `pid`; a child finds the variables too, and they are not its own
 * @throws StartError `LISTEN_FAILED` for more than one socket
 */
export function handedDescriptor(
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
): number | undefined {
  const { LISTEN_PID: meant, LISTEN_FDS: count } = environment
  if (meant !== String(pid) || count === undefined || count === '0') return undefined
  if (count !== '1')
    throw new StartError(
      'LISTEN_FAILED',
      EXIT.address,
      `systemd hands over ${count} sockets, and one is served; leave one ListenStream in the socket unit`,
    )
  return FIRST
}
