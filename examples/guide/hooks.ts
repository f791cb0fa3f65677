import { writeFile } from 'node:fs/promises'
import type { Hooks } from 'millrace/server'

export const onStart: Hooks['onStart'] = () =>
  writeFile('build.json', JSON.stringify({ release: process.env.RELEASE, node: process.version }))

export const onStop: Hooks['onStop'] = () => console.log('the last worker has ended')
