// What Uvicorn, Gunicorn and FastAPI's command call their options, and what each is here: the same setting under our name, or a sentence
// that says what to do instead. Whoever comes from there can type what they know.
import type { SettingName } from './settings.ts'

export type Peer = 'FastAPI' | 'Gunicorn' | 'Uvicorn'

/** The same setting: `--timeout-keep-alive 5` is `--keep-alive-timeout 5s`. */
export interface SameSetting {
  readonly of: readonly Peer[]
  /** How it is written here, with VALUE for what is typed: for the reference. */
  readonly here: string
  /** @returns by setting name, as it would be typed here */
  read(typed: string): Partial<Record<SettingName, string>>
}

/** No setting here. */
export interface OtherWay {
  readonly of: readonly Peer[]
  /** What to do instead, or why there is nothing to do: a clause that goes on after a colon. */
  readonly instead: string
}

const both: readonly Peer[] = ['Uvicorn', 'Gunicorn']
const uvicorn: readonly Peer[] = ['Uvicorn']
const gunicorn: readonly Peer[] = ['Gunicorn']

function same(of: readonly Peer[], setting: SettingName, here: string): SameSetting {
  return { of, here, read: typed => ({ [setting]: typed }) }
}

/** A bare number is seconds there and milliseconds here. */
function seconds(of: readonly Peer[], setting: SettingName, here: string): SameSetting {
  const read = (typed: string) => ({ [setting]: /^\d+(?:\.\d+)?$/.test(typed) ? `${typed}s` : typed })
  return { of, here: `${here}, of a bare number in seconds`, read }
}

function otherwise(of: readonly Peer[], instead: string): OtherWay {
  return { of, instead }
}

const BY_THE_SERVICE = 'start the server so: User=, Group=, UMask= and the like of a systemd unit, or USER of an image'
const ONE_ENGINE = 'there is one engine, so that there is nothing to choose'
const STRICT = 'a request that is no proper one is refused, always'
const OUTPUT = 'lines go to stderr, what the app prints to stdout; whoever starts the server says where they end'
const NO_ACCESS_LOG = 'there is no access log; a middleware can write one'
const HTTP2 = "HTTP/2 has Node's own sizes; `--max-streams`, `--max-resets` and the limits of HTTP/1.1 bound it"
const OTHER_POOL = 'there is no pool of other processes; blocking work is for threads'
const METRICS = '/metrics of the admin listener is read by Prometheus'
const WEBSOCKETS = 'an option of `app.ws()`, because it is the route that knows its messages'

/** By long flag, without its dashes. */
export const FAMILIAR_NAMES: Readonly<Record<string, SameSetting | OtherWay>> = {
  // Where it listens.
  bind: { of: gunicorn, here: '`--host` and `--port`, `--uds` for unix:PATH, `--fd` for fd://N', read: bind },
  'reuse-port': otherwise(
    gunicorn,
    'workers share one socket, and with one each connections are lost when a worker goes',
  ),
  certfile: same(gunicorn, 'tlsCert', '`--tls-cert VALUE`'),
  keyfile: same(gunicorn, 'tlsKey', '`--tls-key VALUE`'),
  'ca-certs': same(gunicorn, 'tlsCa', '`--tls-ca VALUE`'),
  'ssl-certfile': same(uvicorn, 'tlsCert', '`--tls-cert VALUE`'),
  'ssl-keyfile': same(uvicorn, 'tlsKey', '`--tls-key VALUE`'),
  'ssl-keyfile-password': same(uvicorn, 'tlsKeyPassword', '`--tls-key-password VALUE`, or MILLRACE_TLS_KEY_PASSWORD'),
  'ssl-ca-certs': same(uvicorn, 'tlsCa', '`--tls-ca VALUE`'),
  'ssl-cert-reqs': clientCertificates(uvicorn),
  'cert-reqs': clientCertificates(gunicorn),
  'ssl-version': otherwise(uvicorn, '`--tls-min-version` says the oldest that is spoken'),
  'ssl-ciphers': otherwise(uvicorn, "Node's choice of ciphers is used"),
  ciphers: otherwise(gunicorn, "Node's choice of ciphers is used"),
  'do-handshake-on-connect': otherwise(gunicorn, 'a handshake has `--tls-handshake-timeout`, and holds nobody else up'),

  // Processes.
  threads: otherwise(gunicorn, 'a worker answers many requests in one thread; `--workers auto` uses all processors'),
  'worker-class': otherwise(gunicorn, ONE_ENGINE),
  'worker-connections': same(gunicorn, 'maxConnections', '`--max-connections VALUE`'),
  pid: same(gunicorn, 'pidfile', '`--pidfile VALUE`'),
  'control-socket-disable': otherwise(gunicorn, '`--control-socket off`'),
  'worker-tmp-dir': otherwise(gunicorn, 'heartbeats are messages, and no files'),
  'graceful-timeout': seconds(gunicorn, 'graceTimeout', '`--grace-timeout VALUE`'),
  'timeout-graceful-shutdown': seconds(uvicorn, 'graceTimeout', '`--grace-timeout VALUE`'),
  'limit-max-requests': same(uvicorn, 'maxRequests', '`--max-requests VALUE`'),
  'limit-max-requests-jitter': same(uvicorn, 'maxRequestsJitter', '`--max-requests-jitter VALUE`'),
  timeout: seconds(gunicorn, 'workerTimeout', '`--worker-timeout VALUE`'),
  'timeout-worker-healthcheck': seconds(uvicorn, 'workerTimeout', '`--worker-timeout VALUE`'),
  preload: otherwise(gunicorn, 'processes of Node cannot share what was loaded; each worker loads the app'),
  'print-config': otherwise(gunicorn, 'run `millrace config APP`'),
  'check-config': otherwise(gunicorn, 'run `millrace config APP`, which ends with 2 for what cannot be used'),
  daemon: otherwise(gunicorn, 'leave the background to systemd or to a container'),
  user: otherwise(gunicorn, BY_THE_SERVICE),
  group: otherwise(gunicorn, BY_THE_SERVICE),
  umask: otherwise(
    gunicorn,
    '`--uds-mode` says who may use the unix socket; for files of the app, UMask= of the service',
  ),
  initgroups: otherwise(gunicorn, BY_THE_SERVICE),
  name: otherwise(gunicorn, 'processes are told by `millrace ctl status`'),
  env: otherwise(gunicorn, 'set variables in front of the command, or in a file that `--dotenv` names'),
  // Node looks for this one in all arguments, and reads the file before we run.
  'env-file': otherwise(uvicorn, "write `--dotenv`; the other is Node's own"),
  chdir: otherwise(gunicorn, 'start it in that directory, or name the app by its path'),
  pythonpath: otherwise(gunicorn, 'Node finds packages from the folder of the app'),
  'app-dir': otherwise(uvicorn, 'name the app by its path'),
  factory: otherwise(uvicorn, 'export the app itself; a module may await what it needs at its top level'),
  lifespan: otherwise(uvicorn, 'what the app does at its start and end is always done'),
  interface: otherwise(uvicorn, 'Millrace runs its own apps, and mounts fetch and node handlers in them'),
  loop: otherwise(uvicorn, ONE_ENGINE),
  http: otherwise(uvicorn, ONE_ENGINE),
  'asgi-loop': otherwise(gunicorn, ONE_ENGINE),
  'http-parser': otherwise(gunicorn, ONE_ENGINE),
  'reset-contextvars': otherwise(uvicorn, 'each request has a context of its own'),

  'asgi-lifespan': otherwise(gunicorn, 'what the app does at its start and end is always done'),
  'dirty-app': otherwise(gunicorn, OTHER_POOL),
  'dirty-workers': otherwise(gunicorn, OTHER_POOL),
  'dirty-timeout': otherwise(gunicorn, OTHER_POOL),
  'dirty-threads': otherwise(gunicorn, OTHER_POOL),
  'dirty-graceful-timeout': otherwise(gunicorn, OTHER_POOL),
  paste: otherwise(gunicorn, 'an app is a module'),
  spew: otherwise(gunicorn, '`millrace ctl cpu-profile` says what a worker does'),

  // Development.
  reload: otherwise(['FastAPI', ...both], '`millrace dev` reloads by itself, and `millrace serve` never'),
  'reload-engine': otherwise(gunicorn, 'files are watched by the system, without a choice'),
  'reload-extra-file': otherwise(gunicorn, '`--reload-dir` of `millrace dev` names folders'),
  'reload-include': otherwise(uvicorn, 'modules, package.json and .env count in the folders of `--reload-dir`'),
  'reload-exclude': otherwise(uvicorn, 'node_modules, dist and hidden folders do not count'),
  'reload-delay': otherwise(uvicorn, 'a burst of changes is one reload'),

  // Proxies.
  'forwarded-allow-ips': trusted(both),
  'proxy-allow-ips': trusted(gunicorn),
  'proxy-headers': otherwise(['FastAPI', 'Uvicorn'], 'they are believed from the peers that `--trusted-proxies` names'),
  'no-proxy-headers': otherwise(['FastAPI', 'Uvicorn'], 'nobody is believed unless `--trusted-proxies` names it'),
  'secure-scheme-headers': otherwise(gunicorn, '`--forwarded-fields` says which fields are believed'),
  'forwarder-headers': otherwise(
    gunicorn,
    '`--forwarded-fields` says which fields are believed; `--root-path` the prefix',
  ),
  protocol: otherwise(gunicorn, 'HTTP is spoken, and no uwsgi'),
  'uwsgi-allow-from': otherwise(gunicorn, 'HTTP is spoken, and no uwsgi'),
  'header-map': otherwise(gunicorn, 'a field name with an underscore is a name of its own, and stands for no other'),

  // Limits.
  'timeout-keep-alive': seconds(uvicorn, 'keepAliveTimeout', '`--keep-alive-timeout VALUE`'),
  'keep-alive': seconds(gunicorn, 'keepAliveTimeout', '`--keep-alive-timeout VALUE`'),
  'h11-max-incomplete-event-size': same(uvicorn, 'maxHead', '`--max-head VALUE`'),
  'limit-request-line': same(gunicorn, 'maxTarget', '`--max-target VALUE`, the target alone'),
  'limit-request-fields': same(gunicorn, 'maxFields', '`--max-fields VALUE`'),
  'limit-request-field_size': otherwise(gunicorn, '`--max-head` bounds all fields together'),
  'limit-concurrency': otherwise(uvicorn, 'a route has its `limit`, with a queue; `--max-connections` bounds a worker'),
  'asgi-disconnect-grace-period': otherwise(
    gunicorn,
    '`signal` of a handler aborts at once; what it does then is its own',
  ),
  'tmp-upload-dir': otherwise(gunicorn, 'large files are spooled to the folder for temporary files (TMPDIR)'),
  'http-protocols': otherwise(gunicorn, '`--http2 off` leaves HTTP/1.1 alone'),
  'http2-cleartext': otherwise(gunicorn, 'HTTP/2 is offered over TLS'),
  'http2-initial-window-size': otherwise(gunicorn, HTTP2),
  'http2-max-frame-size': otherwise(gunicorn, HTTP2),
  'http2-max-header-list-size': same(gunicorn, 'maxHead', '`--max-head VALUE`'),
  'ws-max-size': otherwise(uvicorn, WEBSOCKETS),
  'ws-max-queue': otherwise(uvicorn, WEBSOCKETS),
  'ws-ping-interval': otherwise(uvicorn, WEBSOCKETS),
  'ws-ping-timeout': otherwise(uvicorn, WEBSOCKETS),
  'ws-per-message-deflate': otherwise(uvicorn, WEBSOCKETS),
  ws: otherwise(uvicorn, 'an app without `app.ws()` has no WebSockets'),
  'http2-max-concurrent-streams': same(gunicorn, 'maxStreams', '`--max-streams VALUE`'),
  'permit-obsolete-folding': otherwise(gunicorn, STRICT),
  'strip-header-spaces': otherwise(gunicorn, STRICT),
  'permit-unconventional-http-method': otherwise(gunicorn, STRICT),
  'permit-unconventional-http-version': otherwise(gunicorn, STRICT),
  'casefold-http-method': otherwise(gunicorn, STRICT),

  // What is sent and said.
  'access-log': otherwise(uvicorn, NO_ACCESS_LOG),
  'no-access-log': otherwise(uvicorn, NO_ACCESS_LOG),
  'access-logfile': otherwise(gunicorn, NO_ACCESS_LOG),
  'access-logformat': otherwise(gunicorn, NO_ACCESS_LOG),
  'error-logfile': otherwise(gunicorn, OUTPUT),
  'log-file': otherwise(gunicorn, OUTPUT),
  'capture-output': otherwise(gunicorn, OUTPUT),
  'enable-stdio-inheritance': otherwise(gunicorn, OUTPUT),
  'log-syslog': otherwise(gunicorn, OUTPUT),
  'log-config': otherwise(both, '`--log-level` says what is logged; an app has a `log` of its own'),
  'logger-class': otherwise(gunicorn, 'an app has a `log` of its own, such as pino'),
  'statsd-host': otherwise(gunicorn, METRICS),
  'statsd-prefix': otherwise(gunicorn, METRICS),
  'enable-backlog-metric': otherwise(gunicorn, METRICS),
  'no-server-header': otherwise(uvicorn, 'no Server field is sent'),
  'no-date-header': otherwise(uvicorn, 'Date is sent always: caches need it'),
  'no-use-colors': otherwise(uvicorn, 'lines of the log have no colours'),
  'server-header': otherwise(uvicorn, 'no Server field is sent'),
  'date-header': otherwise(uvicorn, 'Date is sent always: caches need it'),
  header: otherwise(uvicorn, 'a middleware sets it: `secureHeaders()`, or one of your own'),
  'use-colors': otherwise(uvicorn, 'lines of the log have no colours'),
  sendfile: otherwise(gunicorn, 'files are read and sent in pieces, with nothing to choose'),
}

/** Gunicorn's letters: each stands for a flag, of ours or of the table above. */
export const SHORT_FLAGS: Readonly<Record<string, string>> = {
  b: 'bind',
  c: 'config',
  D: 'daemon',
  e: 'env',
  g: 'group',
  k: 'worker-class',
  m: 'umask',
  n: 'name',
  t: 'timeout',
  u: 'user',
  w: 'workers',
}

/** As Gunicorn and its users write it: HOST, HOST:PORT, [::1]:PORT, unix:PATH, fd://N. */
function bind(typed: string): Partial<Record<SettingName, string>> {
  const [, path] = /^unix:(?:\/\/)?(.+)$/.exec(typed) ?? []
  if (path !== undefined) return { uds: path }
  const [, fd] = /^fd:\/\/(\d+)$/.exec(typed) ?? []
  if (fd !== undefined) return { fd }
  const [, v6, host = v6, port] = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d+))?$/.exec(typed) ?? [undefined, undefined, typed]
  return { ...(host ? { host } : {}), ...(port === undefined ? {} : { port }) }
}

/** Python's ssl.CERT_NONE, CERT_OPTIONAL and CERT_REQUIRED. */
function clientCertificates(of: readonly Peer[]): SameSetting {
  const here = '`--tls-clients request` for 1, `require` for 2; without `--tls-ca` no client is asked'
  return {
    of,
    here,
    read: typed => (typed === '0' ? {} : { tlsClients: { 1: 'request', 2: 'require' }[typed] ?? typed }),
  }
}

/** A star is everybody there. */
function trusted(of: readonly Peer[]): SameSetting {
  const here = '`--trusted-proxies VALUE`; a star is 0.0.0.0/0, ::/0 and unix'
  return { of, here, read: typed => ({ trustedProxies: typed === '*' ? '0.0.0.0/0,::/0,unix' : typed }) }
}

/** '; Gunicorn's keepalive is --keep-alive-timeout here', or nothing. @param name  in any spelling: keep_alive, keepAlive, keep-alive */
export function familiarHint(name: string): string {
  const flag = name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`).replaceAll('_', '-')
  const found = Object.hasOwn(FAMILIAR_NAMES, flag) ? FAMILIAR_NAMES[flag] : undefined
  if (found === undefined) return ''
  return `; of ${found.of.join(' and ')}, and here: ${'here' in found ? found.here : found.instead}`
}
