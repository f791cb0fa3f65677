// One thing, with the methods that read it, may be repeated, and may not.
import { App } from 'millrace'
import { silent } from '../../app/support/seams.ts'

const app = new App({ log: silent })
export const read = app.get('/thing', () => 1)
export const replace = app.put('/thing', () => 1)
export const add = app.post('/thing', () => 1)
export const change = app.patch('/thing', () => 1)
