// Which certificate is shown to whom: to clients of the listeners, and on the console.

import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { gatewayTls, splitAddress } from '@sallyport/gateway'
import type { KeptTls } from '@sallyport/gateway'
import type { Configuration } from '../configuration/load.js'
import type { Home } from '../home.js'

export function listenersTls(configuration: Configuration, home: Home): KeptTls {
  const { tls } = configuration
  const own = tls === undefined ? undefined : { certificatePem: tls.certificate, keyPem: tls.key }
  return gatewayTls(home.tls, certificateNames(configuration), own)
}

function certificateNames(configuration: Configuration): readonly string[] {
  const addresses = [...configuration.listen.map(({ address }) => address), configuration.console.address]
  const hosts = addresses.map((address) => splitAddress(address).host).filter((host) => host !== '0.0.0.0' && host !== '::')
  const publicHost =
    configuration.console.url === undefined ? [] : [new URL(configuration.console.url).hostname.replace(/^\[|\]$/g, '')]
  return [...new Set([...hosts, ...publicHost, hostname()])].filter((name) => isIP(name) !== 0 || /^[A-Za-z0-9.-]+$/.test(name))
}

/** On loopback the console is plain HTTP; anywhere else tokens would travel in clear, so it is HTTPS unless the operator says otherwise. */
export function consoleTls(
  configuration: Configuration,
  home: Home,
): { readonly tls?: { readonly key: string; readonly cert: string } } {
  const { host } = splitAddress(configuration.console.address)
  const loopback = host === 'localhost' || host === '::1' || host.startsWith('127.')
  if (!(configuration.console.tls ?? !loopback)) return {}
  if (configuration.tls !== undefined) return { tls: { key: configuration.tls.key, cert: configuration.tls.certificate } }
  const read = (file: string): string => readFileSync(join(home.tls, file), 'utf8')
  return { tls: { key: read('gateway.key'), cert: read('gateway.crt') + read('authority.crt') } }
}
