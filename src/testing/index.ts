// Door for tests of applications.
export { duplexPair } from './duplex.ts'
export { type SocketClient, type SocketOptions, SocketRefusedError } from './socket-client.ts'
export { testClient, type EndpointCall, type TestClient } from './test-client.ts'
