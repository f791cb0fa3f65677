// Sends mail by putting it into a folder, one file for each; a mail server's pick-up folder, or somewhere to look while developing.
import { randomUUID } from 'node:crypto'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { dependency } from 'millrace'

export interface Mail {
  readonly to: string
  /** ASCII, one line. */
  readonly subject: string
  readonly text: string
}

export interface Outbox {
  send(mail: Mail): Promise<void>
}

/** In SHOP_OUTBOX, or `.millrace/outbox`. */
export const outbox = dependency({ scope: 'worker', name: 'outbox' }, () =>
  openOutbox(process.env['SHOP_OUTBOX'] || '.millrace/outbox'),
)

export async function openOutbox(folder: string): Promise<Outbox> {
  await mkdir(folder, { recursive: true })
  return {
    async send(mail) {
      const name = `${new Date().toISOString().replaceAll(':', '-')}-${randomUUID()}`
      const draft = join(folder, `.${name}`)
      await writeFile(draft, message(mail), { mode: 0o600 })
      // Appears whole or not at all to whoever watches the folder.
      await rename(draft, join(folder, `${name}.eml`))
    },
  }
}

function message({ to, subject, text }: Mail): string {
  const fields = [
    'From: The Millrace Shop <orders@shop.example>',
    `To: <${to}>`,
    `Subject: ${subject}`,
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${randomUUID()}@shop.example>`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
  ]
  // An address or a subject with a line break could add fields of its own.
  for (const field of fields) if (/[\r\n]/.test(field)) throw new Error('a field of a mail holds a line break')
  return [...fields, '', ...text.split('\n')].join('\r\n')
}
