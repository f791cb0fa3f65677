import { mkdir, rm } from 'node:fs/promises'
import type { Hooks } from 'millrace/server'

export const onStart: Hooks['onStart'] = async () => {
  await mkdir('uploads', { recursive: true })
}

export const onStop: Hooks['onStop'] = () => rm('uploads', { recursive: true, force: true })
