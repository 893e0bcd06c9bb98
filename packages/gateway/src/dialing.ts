// The connection to a target: where its address leads, and who may not be met there.

import { BlockList, connect, isIP } from 'node:net'
import type { Socket } from 'node:net'
import { matchesName, Unreachable } from '@sallyport/core'
import type { Endpoint } from '@sallyport/core'

/** How long a target may take to accept a TCP connection. */
const dialMs = 10_000

/** Where an address leads: `host:port`, `[v6]:port`, or a URL. `to` picks one of the hosts of an address with a `*`. Throws Unreachable. */
export function endpointOf(address: string, to?: Endpoint): Endpoint {
  const written = writtenEndpoint(address)
  if (!written.host.includes('*')) return written
  if (to !== undefined && to.port === written.port && matchesName(written.host, to.host.toLowerCase())) return to
  throw new Unreachable('target-unreachable', 'the address of the target stands for many hosts, and for none of them by itself')
}

/** Whether an address leads to this host and port; any host where none is said. */
export function standsAt(address: string, host: string | undefined, port: number): boolean {
  const written = writtenEndpoint(address)
  return written.port === port && (host === undefined || matchesName(written.host.toLowerCase(), host))
}

function writtenEndpoint(address: string): Endpoint {
  if (!/^https?:\/\//.test(address)) return splitAddress(address)
  const { hostname, port, protocol } = new URL(address)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) }
}

/** `host:port` or `[v6]:port`. */
export function splitAddress(address: string): Endpoint {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) }
}

/** This machine, the links it is on (where clouds keep their metadata), and what is no single host. */
const ownGround = new BlockList()
ownGround.addSubnet('127.0.0.0', 8)
ownGround.addSubnet('0.0.0.0', 8)
ownGround.addSubnet('169.254.0.0', 16)
ownGround.addSubnet('224.0.0.0', 3)
ownGround.addAddress('::1', 'ipv6')
ownGround.addAddress('::', 'ipv6')
ownGround.addSubnet('fe80::', 10, 'ipv6')
ownGround.addSubnet('ff00::', 8, 'ipv6')

/** A name of somebody else's that leads here: its owner would choose what on this machine is reached. */
export function leadsHome(host: string, address: string): boolean {
  if (isIP(host) !== 0 || /^localhost\.?$/i.test(host)) return false
  const bare = address.replace(/^::ffff:(?=\d+\.)/i, '')
  return ownGround.check(bare, isIP(bare) === 6 ? 'ipv6' : 'ipv4')
}

export function dialTcp(host: string, port: number, target: string, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, keepAlive: true, signal })
    const give = (cause: unknown): void => {
      clearTimeout(late)
      socket.on('error', () => {})
      socket.destroy()
      reject(new Unreachable('target-unreachable', `target ${target} cannot be reached`, { cause }))
    }
    const late = setTimeout(() => give(new Error('timed out')), dialMs)
    socket.once('error', give)
    socket.once('connect', () => {
      clearTimeout(late)
      socket.off('error', give)
      resolve(socket)
    })
  })
}
