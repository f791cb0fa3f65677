// What a server prints when it is ready: where it is, within 80 columns.
import { styleText } from 'node:util'
import { type ListenAddress, urlOf } from './listener.ts'
import type { Manifest } from './messages.ts'

export interface Ready {
  readonly manifest: Pick<Manifest, 'title' | 'version' | 'docs'>
  readonly address: ListenAddress
  readonly isTls?: boolean
  readonly admin: string | undefined
  readonly workers: number
  readonly tookMs: number
  /** One more line, such as what is being watched. */
  readonly note?: string
}

export function readyText({ manifest, address, isTls = false, admin, workers, tookMs, note }: Ready): string {
  const url = urlOf(address, isTls)
  const isEverywhere = address.kind === 'tcp' && (address.host === '0.0.0.0' || address.host === '::')
  const rows: [string, string][] = [['', isEverywhere ? `${url}  (all interfaces)` : url]]
  if (manifest.docs !== undefined && address.kind === 'tcp') rows.push(['docs', url + manifest.docs])
  if (admin !== undefined) rows.push(['admin', `${admin}/status`])
  const people = workers === 1 ? '1 worker' : `${workers} workers`
  rows.push(['', `${people}, ready in ${(tookMs / 1000).toFixed(1)} s`])
  if (note !== undefined) rows.push(['', note])
  const head = styleText('bold', `${manifest.title} ${manifest.version}`)
  return `${head}\n${rows.map(([label, text]) => `  ${label.padEnd(6)}${text}`).join('\n')}\n`
}
