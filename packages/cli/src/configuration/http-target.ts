// What a target of protocol http may say: its URL, the credential put into each request, and how far requests are looked into.

import { z } from 'zod'

const headerName = z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, 'not a name of a header')

/** Names that belong to the message and not to a credential. */
const notCredentials = /^(?:host|content-length|transfer-encoding|connection|upgrade|te|trailer|expect)$/i

const webAddress = z
  .url({ protocol: /^https?$/, error: 'not a web address; write https://host or https://host/path' })
  .max(1000)
  .refine((text) => {
    if (!URL.canParse(text)) return true
    const { username, password, search, hash } = new URL(text)
    return username === '' && password === '' && search === '' && hash === ''
  }, 'not an address of a target; leave out user name, password, query and fragment')

const bytes = (most: number, standard: number) =>
  z.int('not a number of bytes').min(0, 'not a number of bytes').max(most, `too much; write at most ${most}`).default(standard)

const shape = z.strictObject({
  parameters: z
    .array(
      z.strictObject({
        in: z.enum(['path', 'query', 'header']),
        name: z.string().max(300),
        required: z.boolean(),
        form: z.enum(['one', 'many', 'list', 'deep', 'open']),
        schema: z.unknown(),
      }),
    )
    .max(1000)
    .readonly(),
  body: z.strictObject({ required: z.boolean(), media: z.record(z.string(), z.unknown()) }).exactOptional(),
})

const operation = z.strictObject({
  method: z.string().min(1).max(20),
  path: z.string().min(1).max(1000),
  id: z.string().min(1).max(300),
  shape: shape.exactOptional(),
})

const openapiSource = z.strictObject({ file: z.string().min(1), check: z.boolean().default(false) })

const megabyte = 1024 * 1024

/** `common`: what every target may say; `secretSource`: where a secret is kept. */
export function httpTargetSchema<C extends z.core.$ZodShape, S extends z.ZodType>(common: C, secretSource: S) {
  const credential = z.union([
    z.strictObject({
      header: z.strictObject({
        name: headerName.refine((name) => !notCredentials.test(name), 'not a header a credential may be put into'),
        value: secretSource,
      }),
    }),
    z.strictObject({ bearer: secretSource }),
    z.strictObject({
      username: z
        .string()
        .min(1)
        .max(255)
        .regex(/^[^:]*$/, 'not a user name; it may not hold a colon'),
      password: secretSource,
    }),
    z.strictObject({
      oauth2: z.strictObject({
        tokenUrl: z.url({ protocol: /^https?$/, error: 'not a web address; write the token endpoint' }),
        clientId: z.string().min(1).max(500),
        clientSecret: secretSource,
        scope: z.string().min(1).max(1000).optional(),
        audience: z.string().min(1).max(1000).optional(),
      }),
    }),
    z.strictObject({ certificate: secretSource, privateKey: secretSource }),
    z.strictObject({
      aws: z.strictObject({
        accessKeyId: z.string().min(16).max(128),
        secretAccessKey: secretSource,
        sessionToken: secretSource.optional(),
        region: z.string().min(1).max(64),
        service: z.string().min(1).max(64),
      }),
    }),
  ])
  const target = z.strictObject({
    ...common,
    protocol: z.literal('http'),
    address: webAddress,
    credential: credential.optional(),
    /** Which HTTP the target is spoken to in. */
    http2: z.enum(['auto', 'always', 'never']).default('auto'),
    /** An OpenAPI file, JSON or YAML: gives operations their names; `check` refuses what does not keep to it. */
    openapi: z.preprocess((written) => (typeof written === 'string' ? { file: written } : written), openapiSource).optional(),
    /** What the file said; written by `export-config`. */
    operations: z.array(operation).max(20_000).readonly().default([]),
    schemas: z.record(z.string(), z.unknown()).optional(),
    readBodyBytes: bytes(16 * megabyte, megabyte),
    recordBodyBytes: bytes(16 * megabyte, megabyte),
    /** Under the minute after which most clients and proxies give up. */
    patienceSeconds: z
      .number('not a number of seconds')
      .min(0, 'not a number of seconds')
      .max(3600, 'too much; write at most 3600')
      .default(30),
    /** Headers and query parameters whose values are never recorded, besides the well-known ones. */
    secretNames: z.array(z.string().min(1).max(100)).max(100).default([]),
  })
  return target.superRefine((written, context) => {
    // The keys of `common` are not known here, so neither is the whole shape.
    const {
      address,
      credential: shown,
      openapi,
    } = written as {
      readonly address: string
      readonly credential?: unknown
      readonly openapi?: unknown
    }
    if (!URL.canParse(address) || !new URL(address).hostname.includes('*')) return
    const fault = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message })
    const { protocol, pathname } = new URL(address)
    if (protocol !== 'https:' || pathname !== '/')
      fault('address', 'a host with * is reached by tunnel; write https://*.example.com or https://*:8443')
    if (shown !== undefined) fault('credential', 'what goes through a tunnel is not seen, so no credential can be put in')
    if (openapi !== undefined) fault('openapi', 'what goes through a tunnel is not seen, so it has no operations')
  })
}
