// Door for tests of applications.
export { duplexPair } from './duplex.ts'
export { testClient, type EndpointCall, type TestClient } from './test-client.ts'
