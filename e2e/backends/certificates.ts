// A certificate authority and a server certificate for 127.0.0.1, made fresh for each server by openssl.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { program, runChecked } from './programs.js'

/** Writes server.key and server.crt to `serverDirectory`, and authority.crt to `publicDirectory`. */
export async function makeCertificates(serverDirectory: string, publicDirectory: string): Promise<void> {
  const openssl = program('openssl')
  const authorityKey = join(publicDirectory, 'authority.key')
  const authority = join(publicDirectory, 'authority.crt')
  const key = join(serverDirectory, 'server.key')
  const request = join(publicDirectory, 'server.csr')
  const names = join(publicDirectory, 'names.cnf')
  writeFileSync(names, 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n')
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  await runChecked(openssl, [
    'req',
    '-x509',
    ...ec,
    '-days',
    '30',
    '-subj',
    '/CN=test authority',
    '-keyout',
    authorityKey,
    '-out',
    authority,
  ])
  await runChecked(openssl, ['req', ...ec, '-subj', '/CN=localhost', '-keyout', key, '-out', request])
  const sign = [
    'x509',
    '-req',
    '-in',
    request,
    '-CA',
    authority,
    '-CAkey',
    authorityKey,
    '-CAcreateserial',
    '-days',
    '30',
    '-sha256',
  ]
  await runChecked(openssl, [...sign, '-extfile', names, '-out', join(serverDirectory, 'server.crt')])
}
