// Requests over HTTP: the server itself, nginx before it, mitmproxy before it and the gateway before it (recording on), in turns.
// `npm run bench -- http` prints a table. Needs wrk and nginx; mitmdump where it is there.

import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startGateway } from '../backends/gateway.js'
import { freePort } from '../backends/postgres.js'
import { findProgram, program, runChecked } from '../backends/programs.js'
import { waitFor } from '../backends/psql.js'
import { cpuSeconds } from './load.js'

interface Way {
  readonly name: string
  readonly url: string
  /** The process between, whose CPU time counts. */
  readonly pid?: number | undefined
  readonly headers: readonly string[]
}

interface Measure {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly cpuUs: number
}

const rounds = Number(process.argv[2] ?? 5)
const seconds = Number(process.argv[3] ?? 4)
const loads = [1, 32]

const directory = mkdtempSync(join(tmpdir(), 'sallyport-bench-http-'))
const children: ChildProcess[] = []
const body = JSON.stringify({ data: Array.from({ length: 8 }, (_, id) => ({ id, name: `customer ${id}`, note: 'x'.repeat(80) })) })

async function started(command: string, args: readonly string[], port: number): Promise<number | undefined> {
  const child = spawn(command, args, { stdio: 'ignore', cwd: directory })
  children.push(child)
  await waitFor(
    () =>
      new Promise<true | undefined>((done) => {
        const socket = connect(port, '127.0.0.1', () => {
          socket.destroy()
          done(true)
        })
        socket.on('error', () => done(undefined))
      }),
    20_000,
    () => `${command} to listen`,
  )
  return child.pid
}

async function nginx(name: string, port: number, server: string): Promise<number | undefined> {
  const file = join(directory, `${name}.conf`)
  writeFileSync(
    file,
    `daemon off; master_process off; worker_processes 1; pid ${directory}/${name}.pid; error_log ${directory}/${name}.log;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 1000000; client_body_temp_path ${directory}/b; proxy_temp_path ${directory}/p;
fastcgi_temp_path ${directory}/f; uwsgi_temp_path ${directory}/u; scgi_temp_path ${directory}/s;
${server} }`,
  )
  return await started(program('nginx'), ['-c', file, '-p', directory], port)
}

const backendPort = await freePort()
await nginx(
  'backend',
  backendPort,
  `server { listen 127.0.0.1:${backendPort}; location / { default_type application/json; return 200 '${body}'; } }`,
)
const nginxPort = await freePort()
const nginxPid = await nginx(
  'proxy',
  nginxPort,
  `upstream backend { server 127.0.0.1:${backendPort}; keepalive 64; keepalive_requests 1000000; }
server { listen 127.0.0.1:${nginxPort}; location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; } }`,
)
const gateway = await startGateway(`identities: [{ name: robot, kind: agent, groups: [agents] }]
targets: [{ name: crm, protocol: http, address: "http://127.0.0.1:${backendPort}", tls: "off" }]
grants: [{ groups: [agents], targets: ["*"] }]
rules: [{ name: no-deleting, what: { methods: [DELETE], paths: ["/orders/*"] }, then: deny }]
`)
const token = await gateway.token('robot')
const ways: Way[] = [
  { name: 'direct', url: `http://127.0.0.1:${backendPort}/orders/5`, headers: [] },
  { name: 'nginx', url: `http://127.0.0.1:${nginxPort}/orders/5`, pid: nginxPid, headers: [] },
  {
    name: 'sallyport',
    url: `http://127.0.0.1:${gateway.httpPort}/crm/orders/5`,
    pid: gateway.pid(),
    headers: [`Authorization: Bearer ${token}`],
  },
]
const mitmdump = findProgram('mitmdump')
if (mitmdump !== undefined) {
  const port = await freePort()
  const set = ['--set', `confdir=${directory}`, '-q']
  const args = ['--listen-host', '127.0.0.1', '-p', String(port), '--mode', `reverse:http://127.0.0.1:${backendPort}`, ...set]
  ways.push({ name: 'mitmproxy', url: `http://127.0.0.1:${port}/orders/5`, pid: await started(mitmdump, args, port), headers: [] })
}

function milliseconds(printed: string, percent: number): number {
  const [, value = 'NaN', unit = ''] = new RegExp(`^\\s+${percent}%\\s+([\\d.]+)(us|ms|s)$`, 'm').exec(printed) ?? []
  return Number(value) * (unit === 'us' ? 0.001 : unit === 's' ? 1000 : 1)
}

async function wrk(way: Way, connections: number): Promise<Measure> {
  const headers = way.headers.flatMap((header) => ['-H', header])
  const before = cpuSeconds(way.pid)
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', ...headers, way.url]
  const printed = await runChecked(program('wrk'), args, { withinMs: (seconds + 60) * 1000 })
  const cpu = cpuSeconds(way.pid) - before
  if (/Non-2xx/.test(printed)) throw new Error(`${way.name} did not answer as it should:\n${printed}`)
  const requests = Number(/(\d+) requests in/.exec(printed)?.[1] ?? 0)
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(printed)?.[1] ?? 0)
  return { perSecond, p50Ms: milliseconds(printed, 50), p99Ms: milliseconds(printed, 99), cpuUs: (cpu / requests) * 1e6 }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

try {
  for (const way of ways) await wrk({ ...way }, 8)
  for (const connections of loads) {
    const measured = new Map<string, Measure[]>(ways.map(({ name }) => [name, []]))
    for (let round = 0; round < rounds; round += 1)
      for (const way of ways) measured.get(way.name)?.push(await wrk(way, connections))
    const of = (name: string, pick: (measure: Measure) => number): number => median((measured.get(name) ?? []).map(pick))
    const ratio = (name: string, to: string): string => {
      const pairs = (measured.get(name) ?? []).map(
        (one, index) => one.perSecond / (measured.get(to)?.[index]?.perSecond ?? Number.NaN),
      )
      return median(pairs).toFixed(2)
    }
    console.log(
      `${connections} connection${connections === 1 ? '' : 's'}, ${body.length} bytes of JSON; median of ${rounds} rounds of ${seconds} s`,
    )
    console.table(
      Object.fromEntries(
        ways.map(({ name }) => [
          name,
          {
            'requests/s': of(name, (one) => one.perSecond).toFixed(0),
            'of nginx': ratio(name, 'nginx'),
            ...(mitmdump === undefined ? {} : { 'of mitmproxy': ratio(name, 'mitmproxy') }),
            'added p50, ms': (of(name, (one) => one.p50Ms) - of('direct', (one) => one.p50Ms)).toFixed(3),
            'added p99, ms': (of(name, (one) => one.p99Ms) - of('direct', (one) => one.p99Ms)).toFixed(3),
            'CPU, us': of(name, (one) => one.cpuUs).toFixed(0),
          },
        ]),
      ),
    )
  }
} finally {
  for (const child of children) child.kill()
  await gateway.remove()
  rmSync(directory, { recursive: true, force: true })
}
