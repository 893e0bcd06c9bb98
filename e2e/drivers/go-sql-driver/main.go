// go-sql-driver through whatever CHECK_* names: each check prints `ok NAME` or `FAIL NAME: why`.
package main

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

var failed = 0

func check(name string, change func(*mysql.Config), body func(context.Context, *sql.DB) error) {
	ctx, stop := context.WithTimeout(context.Background(), 60*time.Second)
	defer stop()
	config := mysql.NewConfig()
	config.User, config.Passwd, config.Net = os.Getenv("CHECK_USER"), os.Getenv("CHECK_PASSWORD"), "tcp"
	config.Addr, config.DBName = os.Getenv("CHECK_HOST")+":"+os.Getenv("CHECK_PORT"), os.Getenv("CHECK_DATABASE")
	config.MaxAllowedPacket = 64 << 20
	change(config)
	connector, err := mysql.NewConnector(config)
	if err == nil {
		db := sql.OpenDB(connector)
		db.SetMaxOpenConns(1)
		err = body(ctx, db)
		db.Close()
	}
	if err != nil {
		failed++
		fmt.Printf("FAIL %s: %q\n", name, err.Error())
		return
	}
	fmt.Println("ok", name)
}

func plain(*mysql.Config)          {}
func interpolated(c *mysql.Config) { c.InterpolateParams = true }
func several(c *mysql.Config)      { c.MultiStatements = true }
func secured(c *mysql.Config)      { c.TLS = &tls.Config{InsecureSkipVerify: true} }
func compressed(c *mysql.Config)   { _ = c.Apply(mysql.EnableCompression(true)) }

func is(ctx context.Context, db *sql.DB, wanted string, query string, values ...any) error {
	var got string
	if err := db.QueryRowContext(ctx, query, values...).Scan(&got); err != nil {
		return err
	}
	if got != wanted {
		return fmt.Errorf("%s instead of %s", got, wanted)
	}
	return nil
}

func one(ctx context.Context, db *sql.DB) error { return is(ctx, db, "1", "select 1") }

func denied(ctx context.Context, db *sql.DB) error {
	wanted, _ := strconv.Atoi(os.Getenv("CHECK_DENIED"))
	_, err := db.QueryContext(ctx, "select * from forbidden where id = ?", 1)
	var said *mysql.MySQLError
	if !errors.As(err, &said) || int(said.Number) != wanted {
		return fmt.Errorf("not denied: %v", err)
	}
	return one(ctx, db)
}

func masked(ctx context.Context, db *sql.DB) error {
	return is(ctx, db, os.Getenv("CHECK_EMAIL"), "select email from people where id = ?", 1)
}

func main() {
	check("connect", plain, one)
	check("tls", secured, one)
	check("asks for compression", compressed, one)
	check("prepared", plain, func(ctx context.Context, db *sql.DB) error {
		prepared, err := db.PrepareContext(ctx, "select name from items where id = ?")
		if err != nil {
			return err
		}
		defer prepared.Close()
		for id := 1; id < 20; id++ {
			var name string
			if err := prepared.QueryRowContext(ctx, id).Scan(&name); err != nil || name != fmt.Sprint("item ", id) {
				return fmt.Errorf("%s %v", name, err)
			}
		}
		return nil
	})
	check("interpolated", interpolated, func(ctx context.Context, db *sql.DB) error {
		return is(ctx, db, "item 3", "select name from items where id = ? and name like ?", 3, "item%")
	})
	check("all rows", plain, func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, "select id, name, price, made from items")
		if err != nil {
			return err
		}
		defer rows.Close()
		count := 0
		for rows.Next() {
			count++
		}
		if count != 1000 || rows.Err() != nil {
			return fmt.Errorf("%d rows, %v", count, rows.Err())
		}
		return nil
	})
	check("several results", several, func(ctx context.Context, db *sql.DB) error {
		rows, err := db.QueryContext(ctx, "select 1; select 2")
		if err != nil {
			return err
		}
		defer rows.Close()
		rows.Next()
		if !rows.NextResultSet() || !rows.Next() {
			return errors.New("no second result")
		}
		return nil
	})
	check("procedure", several, func(ctx context.Context, db *sql.DB) error {
		if _, err := db.ExecContext(ctx, "call pair(4, @b)"); err != nil {
			return err
		}
		return is(ctx, db, "8", "select @b")
	})
	check("over 16 MB", plain, func(ctx context.Context, db *sql.DB) error {
		if err := is(ctx, db, "17000000", "select length(?)", strings.Repeat("x", 17_000_000)); err != nil {
			return err
		}
		return is(ctx, db, strings.Repeat("y", 17_000_000), "select repeat('y', 17000000)")
	})
	check("cancel", plain, func(ctx context.Context, db *sql.DB) error {
		soon, stop := context.WithTimeout(ctx, time.Second)
		defer stop()
		began := time.Now()
		_, err := db.ExecContext(soon, "do sleep(20)")
		if err == nil || time.Since(began) > 10*time.Second {
			return fmt.Errorf("not cancelled: %v", err)
		}
		return one(ctx, db)
	})
	check("denial, and on, prepared", plain, denied)
	check("denial, and on, text", interpolated, denied)
	check("masked, binary", plain, masked)
	check("masked, text", interpolated, masked)
	check("transaction", plain, func(ctx context.Context, db *sql.DB) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "insert into notes (body) values (?)", "it's"); err != nil {
			return err
		}
		return tx.Rollback()
	})
	if failed > 0 {
		os.Exit(1)
	}
}
