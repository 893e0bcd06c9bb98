// What each protocol's own programs read from their environment: where the gateway is, and as whom. Secrets stand here and nowhere else.

import type { ReachableTarget } from '@sallyport/api'

export interface As {
  readonly name: string
  readonly token: string
  /** File with the certificate of the gateway's authority. */
  readonly authority: string
}

type Environment = Readonly<Record<string, string>>

/** Every target of one listener shares its variables but the database: the first that can be reached stands for them. */
export function environmentFor(targets: readonly ReachableTarget[], database: string | undefined, as: As): Environment {
  const endpointOf = (protocol: string): ReachableTarget['endpoint'] | undefined =>
    targets.find((target) => target.protocol === protocol && target.endpoint !== null)?.endpoint
  const [postgres, mysql] = [endpointOf('postgres'), endpointOf('mysql')]
  return {
    ...(postgres === undefined || postgres === null ? {} : postgresEnvironment(postgres, database, as)),
    ...(mysql === undefined || mysql === null ? {} : mysqlEnvironment(mysql, database, as)),
  }
}

/** libpq's variables (PostgreSQL documentation, "Environment Variables"). */
function postgresEnvironment(endpoint: { host: string; port: number }, database: string | undefined, as: As): Environment {
  return {
    PGHOST: endpoint.host,
    PGPORT: String(endpoint.port),
    PGUSER: as.name,
    PGPASSWORD: as.token,
    // The certificate is of our own authority alone, so its being signed by it is proof enough; old libpq cannot compare addresses.
    PGSSLMODE: 'verify-ca',
    PGSSLROOTCERT: as.authority,
    ...(database === undefined ? {} : { PGDATABASE: database }),
  }
}

/** The clients read the first three (MySQL manual, "Environment Variables"); the rest are what scripts usually call them. */
function mysqlEnvironment(endpoint: { host: string; port: number }, database: string | undefined, as: As): Environment {
  return {
    MYSQL_HOST: endpoint.host,
    MYSQL_TCP_PORT: String(endpoint.port),
    MYSQL_PWD: as.token,
    MYSQL_USER: as.name,
    MYSQL_SSL_CA: as.authority,
    ...(database === undefined ? {} : { MYSQL_DATABASE: database }),
  }
}

/** The program that opens a target of this protocol, and what must be said to it on its command line. Never a secret. */
export function programFor(
  protocol: string,
  target: string,
  as: Omit<As, 'token'> & { readonly sshConfig: string | undefined },
): { readonly program: string; readonly args: readonly string[] } {
  if (protocol === 'ssh') return { program: 'ssh', args: ['-F', as.sshConfig ?? '/dev/null', target] }
  if (protocol !== 'mysql') return { program: 'psql', args: [] }
  // To both mysql and mariadb a named authority means TLS, and a certificate that it signed.
  return { program: 'mysql', args: ['--protocol=tcp', `--user=${as.name}`, `--ssl-ca=${as.authority}`, `--database=${target}`] }
}
