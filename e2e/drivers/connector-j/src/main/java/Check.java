// Connector/J through whatever CHECK_* names: each check prints `ok NAME` or `FAIL NAME: why`.

import java.sql.*;
import java.util.Properties;

public class Check {
  interface Body { void run(Connection c) throws Exception; }

  static int failed = 0;
  static final int denied = Integer.parseInt(System.getenv("CHECK_DENIED"));

  static Connection connect(String rest) throws SQLException {
    var login = new Properties();
    login.put("user", System.getenv("CHECK_USER"));
    login.put("password", System.getenv("CHECK_PASSWORD"));
    var url = "jdbc:mysql://" + System.getenv("CHECK_HOST") + ":" + System.getenv("CHECK_PORT") + "/" + System.getenv("CHECK_DATABASE");
    return DriverManager.getConnection(url + "?allowPublicKeyRetrieval=true&connectTimeout=20000&maxAllowedPacket=67108864&" + rest, login);
  }

  static void check(String name, String rest, Body body) {
    try (var c = connect(rest)) {
      body.run(c);
      System.out.println("ok " + name);
    } catch (Throwable error) {
      failed++;
      System.out.println("FAIL " + name + ": " + String.valueOf(error).replace('\n', ' '));
    }
  }

  static void same(Object got, Object wanted) {
    if (!String.valueOf(got).equals(String.valueOf(wanted))) throw new AssertionError(got + " instead of " + wanted);
  }

  static String one(Connection c, String sql) throws SQLException {
    try (var s = c.createStatement(); var r = s.executeQuery(sql)) {
      r.next();
      return r.getString(1);
    }
  }

  static final String plain = "sslMode=DISABLED";
  static final String prepared = plain + "&useServerPrepStmts=true&cachePrepStmts=true";

  public static void main(String[] args) {
    check("connect", plain, c -> same(one(c, "select 1"), 1));
    check("tls", "sslMode=REQUIRED", c -> same(one(c, "select 1"), 1));
    check("query", plain, c -> {
      int rows = 0;
      try (var s = c.createStatement(); var r = s.executeQuery("select * from items")) { while (r.next()) rows++; }
      same(rows, 1000);
    });
    for (var mode : new String[] { plain, prepared }) {
      check("prepare, " + (mode == plain ? "in the client" : "at the server"), mode, c -> {
        try (var s = c.prepareStatement("select name, price, made from items where id = ?")) {
          for (int id = 1; id < 20; id++) {
            s.setInt(1, id);
            try (var r = s.executeQuery()) { r.next(); same(r.getString(1), "item " + id); r.getBigDecimal(2); r.getTimestamp(3); }
          }
        }
      });
      check("masked, " + (mode == plain ? "text" : "binary"), mode, c -> {
        try (var s = c.prepareStatement("select email from people order by id"); var r = s.executeQuery()) {
          r.next();
          same(r.getString(1), System.getenv("CHECK_EMAIL"));
          r.next();
          same(r.getString(1), null);
        }
      });
      check("denial, and on, " + (mode == plain ? "text" : "prepared"), mode, c -> {
        c.setAutoCommit(false);
        try (var s = c.prepareStatement("select * from forbidden")) {
          s.executeQuery();
          throw new AssertionError("it was let through");
        } catch (SQLException error) {
          same(error.getErrorCode(), denied);
        }
        same(one(c, "select 1"), 1);
        c.rollback();
      });
    }
    check("cursor", prepared + "&useCursorFetch=true&defaultFetchSize=100", c -> {
      int rows = 0;
      try (var s = c.prepareStatement("select id from items where id > ? order by id")) {
        s.setInt(1, 0);
        try (var r = s.executeQuery()) { while (r.next()) same(r.getInt(1), ++rows); }
      }
      same(rows, 1000);
    });
    check("long data", prepared, c -> {
      c.setAutoCommit(false);
      try (var s = c.prepareStatement("insert into notes (body) values (?)")) {
        s.setCharacterStream(1, new java.io.StringReader("z".repeat(300_000)));
        s.executeUpdate();
      }
      same(one(c, "select max(length(body)) from notes"), 300_000);
      c.rollback();
    });
    check("several results", plain + "&allowMultiQueries=true", c -> {
      try (var s = c.createStatement()) {
        s.execute("select 1; select 2");
        s.getResultSet().next();
        same(s.getMoreResults(), true);
        s.getResultSet().next();
        same(s.getResultSet().getInt(1), 2);
      }
    });
    check("batch, rewritten", plain + "&rewriteBatchedStatements=true", c -> {
      c.setAutoCommit(false);
      try (var s = c.prepareStatement("insert into notes (body) values (?)")) {
        for (var body : new String[] { "it's", "\\", "é" }) { s.setString(1, body); s.addBatch(); }
        same(s.executeBatch().length, 3);
      }
      c.rollback();
    });
    check("procedure", plain + "&noAccessToProcedureBodies=true", c -> {
      try (var s = c.createStatement()) {
        s.execute("call pair(4, @b)");
        s.getResultSet().next();
        same(s.getResultSet().getInt(1), 4);
        same(s.getMoreResults(), true);
      }
      same(one(c, "select @b"), 8);
    });
    check("over 16 MB", plain, c -> {
      try (var s = c.prepareStatement("select length(?)")) {
        s.setString(1, "x".repeat(17_000_000));
        try (var r = s.executeQuery()) { r.next(); same(r.getInt(1), 17_000_000); }
      }
      same(one(c, "select repeat('y', 17000000)").length(), 17_000_000);
    });
    check("cancel", plain, c -> {
      try (var s = c.createStatement()) {
        s.setQueryTimeout(1);
        long began = System.currentTimeMillis();
        try {
          s.executeQuery("select sleep(20)");
        } catch (SQLTimeoutException error) {
          // As it should be; some servers end the sleep and answer.
        }
        if (System.currentTimeMillis() - began > 10_000) throw new AssertionError("it was not cancelled");
      }
      same(one(c, "select 1"), 1);
    });
    check("metadata", plain, c -> {
      try (var r = c.getMetaData().getColumns(null, null, "items", null)) { r.next(); same(r.getString("COLUMN_NAME"), "id"); }
      try (var r = c.getMetaData().getPrimaryKeys(null, null, "items")) { r.next(); same(r.getString("COLUMN_NAME"), "id"); }
    });
    System.exit(failed > 0 ? 1 : 0);
  }
}
