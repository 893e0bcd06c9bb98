// node e2e/drivers/run.mjs [mysql] [--direct] [DRIVER...]: after `npm run build`. Postgres where nothing else is said.
const isMysql = process.argv[2] === 'mysql'
if (isMysql) process.argv.splice(2, 1)
await (isMysql ? import('../dist/drivers/mysql-main.js') : import('../dist/drivers/postgres-main.js'))
