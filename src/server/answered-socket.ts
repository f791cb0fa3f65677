// Whether somebody listens on a socket file, or a server that was killed left it.
import { once } from 'node:events'
import net from 'node:net'

// All that says that nobody does: of EAGAIN, which a full queue answers, and EACCES there is somebody.
const NOBODY: readonly (string | undefined)[] = ['ECONNREFUSED', 'ENOENT']

export async function isAnswered(path: string): Promise<boolean> {
  const socket = net.connect(path)
  try {
    await once(socket, 'connect')
    return true
  } catch (error) {
    return !NOBODY.includes((error as NodeJS.ErrnoException).code)
  } finally {
    socket.destroy()
  }
}
