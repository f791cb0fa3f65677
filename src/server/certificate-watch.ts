// Notices that the files of a certificate have been replaced, and tells once the new ones belong together.
//
// By looking at them, not by inotify: a secret mounted by Kubernetes is a link that is swung round, certbot renames files, and network
// file systems tell nobody. A look is three calls of stat.
import { stat } from 'node:fs/promises'
import type { Logger } from '../observe/logger.ts'
import { type Certificate, readCertificate, type TlsSettings } from './certificate.ts'
import { failureOf } from './errors.ts'

// 2 s: who renews a certificate has days.
const LOOK_MS = 2_000

/**
 * @param changed  the old certificate is served until this has been called; files that are not complete yet are logged, and looked at again
 * @returns ends the watch
 */
export function watchCertificate(
  settings: TlsSettings,
  log: Logger,
  changed: (certificate: Certificate) => void,
  lookMs = LOOK_MS,
): () => void {
  const paths = [settings.tlsCert, settings.tlsKey, settings.tlsCa].filter(path => path !== '')
  let seen: string | undefined
  let isLooking = false
  const look = async (): Promise<void> => {
    const now = await stateOf(paths)
    seen ??= now
    if (now === seen) return
    seen = now
    try {
      changed(await readCertificate(settings))
      log.info(`${settings.tlsCert} has changed: new connections get the new certificate`)
    } catch (error) {
      log.error(`the changed certificate is not used, the old one stays: ${failureOf(error).message}`)
    }
  }
  const timer = setInterval(() => {
    if (isLooking) return
    isLooking = true
    void look().finally(() => (isLooking = false))
  }, lookMs).unref()
  void look()
  return () => clearInterval(timer)
}

async function stateOf(paths: readonly string[]): Promise<string> {
  const states = await Promise.all(
    paths.map(path =>
      stat(path).then(
        ({ ino, size, mtimeMs }) => `${ino} ${size} ${mtimeMs}`,
        () => 'gone',
      ),
    ),
  )
  return states.join()
}
