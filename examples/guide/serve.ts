import { serve } from 'millrace/server'
import app from './orders.ts'

const server = await serve(app, { port: Number(process.env.PORT ?? 8000), graceTimeout: '10s' })
console.log(`listening on ${server.url}`)
