// node e2e/suites/mariadb_test.mjs [--keep] [--direct-only] [--every N] [NAME ...]: after `npm run build`.
await import('../dist/suites/mariadb-test.js')
