// node:http alone. An `import` of it reads every export, and those of WebSocket load undici, node:tls and node:http2: 16 MiB of a process that
// needs none of them (bench processes).

export const http = process.getBuiltinModule('node:http')
