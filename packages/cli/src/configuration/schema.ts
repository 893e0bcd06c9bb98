// What a configuration file may say, and what stands where it says nothing. docs/configuration.md lists every key with its default.

import { grantsSchema, rulesSchema } from '@sallyport/policy'
import { z } from 'zod'
import { httpTargetSchema } from './http-target.js'

/** `${NAME}` gives text, so a number may be written as text too. */
const number = (least: number, most: number) =>
  z.preprocess(
    (value) => (typeof value === 'string' && /^\d{1,15}(\.\d{1,6})?$/.test(value) ? Number(value) : value),
    z.number().min(least).max(most),
  )

/** Letters, digits and `. _ - @ +`, as mail addresses have them; `:` and `/` part names from others in user names and paths. */
const identityName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$/, 'not a name of an identity; use up to 128 letters, digits and . _ @ + -')

/** No dot: `TARGET.DATABASE` picks a database. */
const targetName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/, 'not a name of a target; use up to 63 letters, digits, _ and -')

const groupName = z
  .string()
  .regex(/^[^\s*,:][^*,:\p{Cc}]{0,127}$/u, 'not a name of a group; use up to 128 characters without * , : and line breaks')

const pattern = z.string().min(1).max(256)

const ADDRESS = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?):(\d{1,5})$/

const address = (least: number) =>
  z.string().refine((text) => {
    const port = ADDRESS.exec(text)?.[1]
    return port !== undefined && Number(port) >= least && Number(port) <= 65_535
  }, `not an address; write host:port with a port from ${least} to 65535, an IPv6 host in brackets`)

const listenerSchema = z.strictObject({
  protocol: z.enum(['auto', 'postgres', 'mysql', 'ssh', 'http']),
  address: address(0),
})

const consoleSchema = z.strictObject({
  address: address(0).default('127.0.0.1:7080'),
  tls: z.boolean().optional(),
  url: z.url({ protocol: /^https?$/, error: 'not a web address; write https://host' }).optional(),
})

const identitySchema = z.strictObject({
  name: identityName,
  kind: z.enum(['person', 'service', 'agent']),
  groups: z.array(groupName).max(256).default([]),
  sshKeys: z
    .array(
      z
        .string()
        .regex(
          /^(?:ssh|ecdsa|sk-)[a-z0-9@.-]* [A-Za-z0-9+/=]+(?: .*)?$/,
          'not a public key; write one line of an OpenSSH .pub file',
        ),
    )
    .max(64)
    .optional(),
})

const SOURCES = ['env', 'file', 'sealed', 'vault'] as const

/** Where a secret is kept. A literal is refused: the file is meant to be committed. */
const secretSourceSchema = z
  .strictObject(
    {
      env: z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'not a name of the environment; write letters, digits and _')
        .optional(),
      file: z.string().min(1).optional(),
      sealed: z.string().min(1).optional(),
      vault: z
        .string()
        .regex(/^[^#\s]+#[^#\s]+$/, 'not a place in a vault; write path#field')
        .optional(),
    },
    {
      error: (issue) =>
        issue.code === 'invalid_type' && issue.input !== undefined
          ? 'a secret must not stand in the file; write { env: NAME }, { file: PATH } or { sealed: TEXT } (made by `sallyport seal`)'
          : undefined,
    },
  )
  .refine((source) => SOURCES.filter((name) => source[name] !== undefined).length === 1, {
    error: 'a secret has one source; write exactly one of env, file, sealed, vault',
  })

const providerName = z.string().min(1).max(63)

const SAML_IS_NOT_SPOKEN =
  'SAML is not spoken here; put a broker in between that speaks OpenID Connect (Keycloak, Dex, Authentik) and write kind: oidc'

const oidcProvider = z.strictObject({
  name: providerName,
  kind: z.literal('oidc'),
  issuer: z.url({ protocol: /^https?$/, error: 'not a web address; write the issuer as its discovery document does' }),
  /** People log in here where the gateway is a client of the provider. */
  clientId: z.string().min(1).optional(),
  clientSecret: secretSourceSchema.optional(),
  flows: z
    .array(z.enum(['browser', 'device']))
    .min(1)
    .default(['browser', 'device']),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'not a scope'))
    .max(32)
    .default(['openid', 'profile', 'email']),
  loginHours: number(0.1, 24).default(8),
  audience: z.string().min(1),
  groupsClaim: z.string().min(1).default('groups'),
  usernameClaim: z.string().min(1).optional(),
})

/** One line of an OpenSSH .pub file or of known_hosts without its host. */
const PUBLIC_KEY = /^(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) [A-Za-z0-9+/=]+(?: .*)?$/

/** An authority of SSH certificates that is not ours (Vault's, step-ca's). */
const sshProvider = z.strictObject({
  name: providerName,
  kind: z.literal('ssh-ca'),
  publicKey: z.string().regex(PUBLIC_KEY, 'not a public key; write the one line of the authority’s .pub file'),
  /** Whom it may certify. */
  principals: z.array(pattern).min(1).max(256),
})

const providerSchema = z.discriminatedUnion('kind', [oidcProvider, sshProvider], {
  error: (issue) => {
    if (issue.code !== 'invalid_union') return undefined
    const saml = isRecord(issue.input) && issue.input['kind'] === 'saml'
    return saml ? SAML_IS_NOT_SPOKEN : 'not a kind of identity provider; write oidc or ssh-ca'
  },
})

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

const username = z.string().min(1).max(63)

const credentialSchema = z
  .strictObject({
    username,
    password: secretSourceSchema.optional(),
    privateKey: secretSourceSchema.optional(),
    passphrase: secretSourceSchema.optional(),
    certificate: secretSourceSchema.optional(),
  })
  .refine((credential) => credential.certificate === undefined || credential.privateKey !== undefined, {
    path: ['certificate'],
    error: 'a certificate is about a key; write privateKey as well',
  })
  .refine((credential) => (credential.password === undefined) !== (credential.privateKey === undefined), {
    error: 'a credential has one proof; write password, or privateKey (ssh)',
  })

const commonTarget = {
  name: targetName,
  tls: z.enum(['off', 'require', 'verify']).default('verify'),
  tlsAuthorities: z.string().min(1).optional(),
  labels: z.record(z.string().min(1).max(63), z.string().max(256)).default({}),
  durability: z.enum(['process', 'disk', 'database']).default('process'),
  default: z.enum(['allow', 'deny']).default('allow'),
}

const sqlTarget = z.strictObject({
  ...commonTarget,
  protocol: z.enum(['postgres', 'mysql']),
  address: address(1),
  database: z.string().min(1).max(63).optional(),
  databases: z.array(pattern).max(256).default([]),
  credential: z.strictObject({ username, password: secretSourceSchema }),
  trust: z.strictObject({ functions: z.array(pattern).max(1024).default([]) }).default({ functions: [] }),
})

const hostPublicKey = z
  .string()
  .regex(PUBLIC_KEY, 'not a public key; write the line `ssh-keyscan` prints, without the host, or that of an authority’s .pub file')

const sshTarget = z.strictObject({
  ...commonTarget,
  protocol: z.literal('ssh'),
  address: address(1),
  credential: credentialSchema,
  /** The key the target must show. */
  hostKey: hostPublicKey.optional(),
  /** Whose certificate for its key the target must show. */
  hostAuthority: hostPublicKey.optional(),
  /** The ssh target that this one is reached through. */
  via: targetName.optional(),
  trust: z.strictObject({ programs: z.array(pattern).max(1024).default([]) }).default({ programs: [] }),
})

const targetSchema = z.discriminatedUnion('protocol', [sqlTarget, sshTarget, httpTargetSchema(commonTarget, secretSourceSchema)], {
  error: (issue) =>
    issue.code === 'invalid_union' ? 'not a protocol that a target may speak; write postgres, mysql, ssh or http' : undefined,
})

/** What may change while the gateway runs: kept in the store as revisions. */
const definitionsShape = {
  identities: z.array(identitySchema).max(100_000).default([]),
  targets: z.array(targetSchema).max(10_000).default([]),
  grants: grantsSchema.default([]),
  rules: rulesSchema.default([]),
}

export const definitionsSchema = z.strictObject(definitionsShape)

const operatorsSchema = z.strictObject({
  groups: z.array(groupName).max(64).default([]),
  endSessions: z.array(groupName).max(64).default([]),
})

const limitsSchema = z.strictObject({
  loginSeconds: number(1, 600).default(15),
  idleMinutes: number(0, 7 * 24 * 60).default(0),
  stopSeconds: number(0, 3600).default(10),
  /** Each costs two descriptors; the usual limit of a service is 64 thousand. */
  connections: number(1, 30_000).default(4000),
})

const mysqlSchema = z.strictObject({
  /** What clients are told before anybody knows their target; some choose the names of system variables by it. */
  serverVersion: z
    .string()
    .regex(/^\d+\.\d+\.\d+[\w.+~:-]{0,60}$/, 'not a version; write 8.0.40 or 5.7.19')
    .default('8.0.40-sallyport'),
})

export const configurationSchema = z.strictObject({
  listen: z
    .array(listenerSchema)
    .min(1)
    .max(64)
    .default([{ protocol: 'postgres', address: '127.0.0.1:15432' }]),
  console: consoleSchema.default({ address: '127.0.0.1:7080' }),
  database: z
    .string()
    .refine(
      (text) => text === 'embedded' || /^postgres(?:ql)?:\/\/\S+$/.test(text),
      'not a database; write embedded, or postgresql://user@host/database',
    )
    .default('embedded'),
  identityProviders: z.array(providerSchema).max(16).default([]),
  operators: operatorsSchema.prefault({}),
  limits: limitsSchema.prefault({}),
  mysql: mysqlSchema.prefault({}),
  tls: z.strictObject({ certificate: z.string().min(1), key: z.string().min(1) }).optional(),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).default({ level: 'info' }),
  ...definitionsShape,
})

export type WrittenConfiguration = z.output<typeof configurationSchema>
export type WrittenDefinitions = z.output<typeof definitionsSchema>
export type WrittenTarget = WrittenDefinitions['targets'][number]
