import { connect, migrate } from 'millrace/postgres'
import type { Hooks } from 'millrace/server'

// Once for the whole server, before its first worker; a migration that fails stops the start.
export const onStart: Hooks['onStart'] = async () => {
  const db = await connect()
  try {
    const applied = await migrate(db, new URL('migrations/', import.meta.url))
    if (applied.length > 0) console.log(`migrated: ${applied.join(', ')}`)
  } finally {
    await db.close()
  }
}
