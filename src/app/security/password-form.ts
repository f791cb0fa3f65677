// What a client sends to a token endpoint, and what it gets there (RFC 6749 §4.3, §5.1, §5.2), as schemas for `form` and `returns`.
//
// As JSON Schema, so that they ask for no library.

const FIELDS = {
  username: { type: 'string' },
  password: { type: 'string', format: 'password' },
  scope: { type: 'string', description: 'What the token shall be good for, parted by spaces' },
  client_id: { type: 'string' },
  client_secret: { type: 'string', format: 'password' },
} as const
const GRANT = { type: 'string', pattern: '^password$' } as const

/**
 * A name and a password for a token, for clients that leave `grant_type` out: FastAPI's OAuth2PasswordRequestForm. `scopesOf(form.scope)`
 * are the scopes that are asked for.
 *
 * @example
 * app.post('/token', { form: passwordForm, returns: { 200: TokenAnswer, 400: TokenRefusal } }, async ({ form, reply }) => ...)
 */
export const passwordForm = {
  type: 'object',
  $id: 'PasswordForm',
  properties: { grant_type: GRANT, ...FIELDS },
  required: ['username', 'password'],
} as const

/** The same as the standard has it, `grant_type` required: FastAPI's OAuth2PasswordRequestFormStrict. */
export const strictPasswordForm = {
  type: 'object',
  $id: 'StrictPasswordForm',
  properties: { grant_type: GRANT, ...FIELDS },
  required: ['grant_type', 'username', 'password'],
} as const

/** A token, as a client reads it. Send it with `cache-control: no-store`. */
export const TokenAnswer = {
  type: 'object',
  $id: 'TokenAnswer',
  properties: {
    access_token: { type: 'string' },
    token_type: { type: 'string', description: 'bearer' },
    expires_in: { type: 'integer', description: 'Seconds' },
    refresh_token: { type: 'string' },
    scope: { type: 'string', description: 'What the token is good for, where that is not what was asked for' },
  },
  required: ['access_token', 'token_type'],
} as const

/** Why there is no token. */
export const TokenRefusal = {
  type: 'object',
  $id: 'TokenRefusal',
  properties: {
    error: {
      type: 'string',
      enum: [
        'invalid_request',
        'invalid_client',
        'invalid_grant',
        'unauthorized_client',
        'unsupported_grant_type',
        'invalid_scope',
      ],
    },
    error_description: { type: 'string' },
  },
  required: ['error'],
} as const
