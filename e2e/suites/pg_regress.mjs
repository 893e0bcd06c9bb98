// node e2e/suites/pg_regress.mjs [--keep] [--direct-only]: after `npm run build`.
await import('../dist/suites/pg-regress.js')
