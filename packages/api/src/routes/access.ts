// Who I am, what I may reach, and the access tokens the admin gives out.

import { Denied } from '@sallyport/core'
import { z } from 'zod'
import type { TokenSummary } from '../ports.js'
import { notFound } from '../problem.js'
import { nothing, route } from '../route.js'
import type { Route } from '../route.js'

const id = z.strictObject({ id: z.string().min(1).max(128) })

/** A token lives a minute at least, and thirty days at most: what needs longer should fetch a new one. */
const TTL_SECONDS = { least: 60, most: 30 * 24 * 3600, usual: 8 * 3600 }

const createBody = z.strictObject({
  identity: z.string().min(1).max(128),
  onBehalfOf: z.string().min(1).max(128).optional(),
  ttlSeconds: z.number().int().min(TTL_SECONDS.least).max(TTL_SECONDS.most).default(TTL_SECONDS.usual),
})

const CERTIFICATE_TTL_SECONDS = { least: 60, most: 24 * 3600, usual: 8 * 3600 }

const certificateBody = z.strictObject({
  // RSA of 8192 bits has 1400 characters or so.
  publicKey: z.string().min(1).max(4096),
  ttlSeconds: z
    .number()
    .int()
    .min(CERTIFICATE_TTL_SECONDS.least)
    .max(CERTIFICATE_TTL_SECONDS.most)
    .default(CERTIFICATE_TTL_SECONDS.usual),
})

export const accessRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/whoami',
    may: 'proved',
    input: nothing,
    answer: async ({ caller }) =>
      caller.kind === 'admin'
        ? { name: 'admin', kind: 'admin', groups: [], onBehalfOf: null, operator: true, mayEndSessions: true, expiresAt: null }
        : {
            name: caller.name,
            kind: caller.identity.kind,
            groups: caller.identity.groups,
            onBehalfOf: caller.identity.onBehalfOf ?? null,
            operator: caller.operator,
            mayEndSessions: caller.mayEndSessions,
            expiresAt: caller.expiresAt,
          },
  }),
  route({
    method: 'DELETE',
    path: '/login',
    may: 'proved',
    input: nothing,
    answer: async ({ caller }, parts) => {
      if (caller.kind === 'admin' || caller.tokenId === null)
        throw new Denied('no-login', 'the admin token is no login; nothing to log out of')
      // A JWT is of a provider, which alone could revoke it.
      const revoked = await parts.tokens.revoke(caller.tokenId)
      if (revoked) parts.log('info', 'logged out', { token: caller.tokenId, identity: caller.name })
      return { id: caller.tokenId, revoked }
    },
  }),
  route({
    method: 'POST',
    path: '/ssh-certificate',
    may: 'proved',
    input: z.object({ body: certificateBody }),
    answer: async ({ caller, body }, parts) => {
      if (caller.kind === 'admin' || caller.tokenId === null)
        throw new Denied(
          'needs-access-token',
          'a certificate is for an identity; run `sallyport login`, or set SALLYPORT_TOKEN to its access token',
        )
      const { tokenId } = caller
      const made = await parts.sshCertificate({ tokenId, publicKey: body.publicKey, ttlMs: body.ttlSeconds * 1000 })
      parts.log('info', 'ssh certificate made', { identity: made.identity, token: tokenId, expiresAt: made.expiresAt })
      return made
    },
  }),
  route({
    method: 'GET',
    path: '/targets',
    may: 'proved',
    input: nothing,
    answer: async ({ caller }, parts) => parts.reachable(caller.kind === 'admin' ? undefined : caller.identity),
  }),
  route({
    method: 'GET',
    path: '/targets/:id/schema',
    may: 'operator',
    input: z.object({ params: id }),
    answer: ({ params }, parts) => parts.schema(params.id),
  }),
  route({
    method: 'GET',
    path: '/tokens',
    may: 'admin',
    input: nothing,
    answer: async (_call, parts) => (await parts.tokens.list()).map(summary),
  }),
  route({
    method: 'POST',
    path: '/tokens',
    may: 'admin',
    input: z.object({ body: createBody }),
    answer: async ({ caller, body }, parts) => {
      const { token, record } = await parts.tokens.create({
        identity: body.identity,
        onBehalfOf: body.onBehalfOf ?? null,
        ttlMs: body.ttlSeconds * 1000,
        createdBy: caller.name,
      })
      parts.log('info', 'token created', { token: record.id, identity: record.identity, by: caller.name })
      return { ...summary(record), token: token.reveal() }
    },
  }),
  route({
    method: 'DELETE',
    path: '/tokens/:id',
    may: 'admin',
    input: z.object({ params: id }),
    answer: async ({ caller, params }, parts) => {
      if (!(await parts.tokens.revoke(params.id))) throw notFound('live token', params.id)
      parts.log('info', 'token revoked', { token: params.id, by: caller.name })
      return { id: params.id, revoked: true }
    },
  }),
]

/** Only what may be seen: a token's record also holds what a login is checked by. */
function summary(record: TokenSummary): TokenSummary {
  const { id: tokenId, identity, onBehalfOf, createdAt, expiresAt, revokedAt, createdBy } = record
  return { id: tokenId, identity, onBehalfOf, createdAt, expiresAt, revokedAt, createdBy }
}
