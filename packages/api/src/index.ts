// The operators' HTTP API.

export { createApi } from './server.js'
export type { Api, ApiOptions } from './server.js'
export type * from './ports.js'
