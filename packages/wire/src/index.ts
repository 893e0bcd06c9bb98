// Bytes under a session: queue, reader, relay loop, TLS upgrade.

export * from './byte-queue.js'
export * from './byte-reader.js'
export * from './client-hello.js'
export * from './let-go.js'
export * from './relay.js'
export * from './steps.js'
export * from './tls.js'
