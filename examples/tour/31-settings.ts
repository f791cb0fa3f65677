// How do I read settings from the environment?
import { App, dependency, settings } from 'millrace'
import * as z from 'zod'

// Read once, when this module is loaded: adminEmail from ADMIN_EMAIL, in the environment or in .env. The app does not start when a
// variable is missing or does not fit, and is told of all of them at once.
export const config = settings(
  z.object({
    appName: z.string().default('Awesome API'),
    adminEmail: z.email().default('admin@example.com'),
    itemsPerPage: z.int().min(1).max(100).default(50),
    allowedHosts: z.array(z.string()).default(['localhost']),
  }),
)

// A dependency that gives them lets a test put others in their place: app.override(Settings, { ...config, itemsPerPage: 2 }).
export const Settings = dependency({ scope: 'worker' }, () => config)

const app = new App({ title: config.appName, version: '1.0.0' })

app.get('/info', { uses: { config: Settings } }, ({ config }) => ({
  appName: config.appName,
  adminEmail: config.adminEmail,
  itemsPerPage: config.itemsPerPage,
  allowedHosts: config.allowedHosts,
}))

export default app
