// pgx through whatever CHECK_* names: each check prints `ok NAME` or `FAIL NAME: why`.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

var failed = 0

func url(rest string) string {
	return fmt.Sprintf("postgres://%s:%s@%s:%s/%s?connect_timeout=20&%s", os.Getenv("CHECK_USER"), os.Getenv("CHECK_PASSWORD"),
		os.Getenv("CHECK_HOST"), os.Getenv("CHECK_PORT"), os.Getenv("CHECK_DATABASE"), rest)
}

const plain = "sslmode=disable"

func check(name string, rest string, body func(context.Context, *pgx.Conn) error) {
	ctx, stop := context.WithTimeout(context.Background(), 60*time.Second)
	defer stop()
	conn, err := pgx.Connect(ctx, url(rest))
	if err == nil {
		err = body(ctx, conn)
		conn.Close(ctx)
	}
	if err != nil {
		failed++
		fmt.Printf("FAIL %s: %q\n", name, err.Error())
		return
	}
	fmt.Println("ok", name)
}

func one(ctx context.Context, c *pgx.Conn) error {
	var got int
	if err := c.QueryRow(ctx, "select 1").Scan(&got); err != nil {
		return err
	}
	if got != 1 {
		return fmt.Errorf("got %d", got)
	}
	return nil
}

func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return fmt.Sprint(err)
}

func names(ctx context.Context, c *pgx.Conn) error {
	for n := 1; n < 20; n++ {
		var id int
		var name string
		var made time.Time
		if err := c.QueryRow(ctx, "select id, name, made from items where id = $1", n).Scan(&id, &name, &made); err != nil {
			return err
		}
		if id != n || name != fmt.Sprintf("item %d", n) {
			return fmt.Errorf("got %d %s", id, name)
		}
	}
	return nil
}

func copies(ctx context.Context, c *pgx.Conn) error {
	if _, err := c.Exec(ctx, "create temp table t (a int, b text)"); err != nil {
		return err
	}
	rows := make([][]any, 5000)
	for n := range rows {
		rows[n] = []any{n, fmt.Sprintf("line %d", n)}
	}
	if _, err := c.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"a", "b"}, pgx.CopyFromRows(rows)); err != nil {
		return err
	}
	var out bytes.Buffer
	if _, err := c.PgConn().CopyTo(ctx, &out, "copy t to stdout"); err != nil {
		return err
	}
	if got := bytes.Count(out.Bytes(), []byte("\n")); got != 5000 {
		return fmt.Errorf("got %d lines", got)
	}
	_, err := c.PgConn().CopyFrom(ctx, bytes.NewReader(out.Bytes()), "copy t from stdin")
	return err
}

func cancel(ctx context.Context, c *pgx.Conn) error {
	began := time.Now()
	go func() {
		time.Sleep(500 * time.Millisecond)
		_ = c.PgConn().CancelRequest(ctx)
	}()
	_, err := c.Exec(ctx, "select pg_sleep(20)")
	if code(err) != "57014" || time.Since(began) > 10*time.Second {
		return fmt.Errorf("not cancelled: %s", code(err))
	}
	return one(ctx, c)
}

func batch(ctx context.Context, c *pgx.Conn) error {
	b := &pgx.Batch{}
	for n := 1; n < 50; n++ {
		b.Queue("select name from items where id = $1", n)
	}
	results := c.SendBatch(ctx, b)
	for n := 1; n < 50; n++ {
		var name string
		if err := results.QueryRow().Scan(&name); err != nil {
			return err
		}
		if name != fmt.Sprintf("item %d", n) {
			return fmt.Errorf("got %s", name)
		}
	}
	return results.Close()
}

func denied(ctx context.Context, c *pgx.Conn) error {
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		_, err := c.Exec(ctx, "select * from forbidden where id = $1", mode, 1)
		if code(err) != "42501" {
			return fmt.Errorf("mode %v: %s", mode, code(err))
		}
		if err := one(ctx, c); err != nil {
			return fmt.Errorf("mode %v: %w", mode, err)
		}
	}
	return nil
}

func deniedInPipeline(ctx context.Context, c *pgx.Conn) error {
	b := &pgx.Batch{}
	b.Queue("select 1")
	b.Queue("select * from forbidden where id = $1", 1)
	b.Queue("select 3")
	if err := c.SendBatch(ctx, b).Close(); code(err) != "42501" {
		return fmt.Errorf("got %s", code(err))
	}
	return one(ctx, c)
}

func deniedInTransaction(ctx context.Context, c *pgx.Conn) error {
	tx, err := c.Begin(ctx)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "select * from forbidden"); code(err) != "42501" {
		return fmt.Errorf("got %s", code(err))
	}
	if _, err := tx.Exec(ctx, "select 1"); code(err) != "25P02" {
		return fmt.Errorf("the transaction was not failed: %s", code(err))
	}
	if err := tx.Rollback(ctx); err != nil {
		return err
	}
	return one(ctx, c)
}

func pool(ctx context.Context, _ *pgx.Conn) error {
	p, err := pgxpool.New(ctx, url(plain))
	if err != nil {
		return err
	}
	defer p.Close()
	done := make(chan error, 100)
	for n := 0; n < 100; n++ {
		go func() {
			var got int
			err := p.QueryRow(ctx, "select $1::int", n).Scan(&got)
			if err == nil && got != n {
				err = fmt.Errorf("got %d for %d", got, n)
			}
			done <- err
		}()
	}
	for n := 0; n < 100; n++ {
		if err := <-done; err != nil {
			return err
		}
	}
	return nil
}

func main() {
	check("scram", plain, one)
	check("tls", "sslmode=verify-ca&sslrootcert="+os.Getenv("CHECK_CA"), one)
	check("prepared binary", plain, names)
	check("describe, no cache", plain+"&default_query_exec_mode=describe_exec", names)
	check("unprepared", plain+"&default_query_exec_mode=exec", names)
	check("simple protocol", plain+"&default_query_exec_mode=simple_protocol", names)
	check("copy in and out", plain, copies)
	check("cancel", plain, cancel)
	check("pipeline", plain, batch)
	check("denied and going on", plain, denied)
	check("denied in a pipeline", plain, deniedInPipeline)
	check("denied in a transaction", plain, deniedInTransaction)
	check("pool", plain, pool)
	if failed > 0 {
		os.Exit(1)
	}
}
