// npm run bench [-- PROTOCOL] [flags]: each protocol's bench is e2e/bench/PROTOCOL-main.ts; Postgres when none is named.
// The benches are TypeScript like everything else; `npm run bench` builds them first.
import { existsSync } from 'node:fs'

const named = /^[a-z]/.test(process.argv[2] ?? '')
const protocol = named ? process.argv.splice(2, 1)[0] : 'postgres'
const bench = new URL(`../dist/bench/${protocol}-main.js`, import.meta.url)
if (!existsSync(bench)) {
  console.error(`there is no bench of ${protocol}; those there are end in -main.ts in e2e/bench`)
  process.exit(2)
}
await import(bench)
